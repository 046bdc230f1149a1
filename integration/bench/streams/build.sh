#!/usr/bin/env bash
# build.sh
# Builds the comparison on Kafka Streams into .cache/bench/streams/jars, with what it needs of Maven Central beside it.
# Needs: mvn, a JDK of version 17 or later.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$HERE/../../kafka/common.sh"

need javac default-jdk-headless
need mvn maven
JARS=$HERE/../../../.cache/bench/streams/jars
# Emptied first: a library of a version from before would be on the class path, too.
rm -rf "$JARS"
mvn -q -B -f "$HERE/pom.xml" package >&2 ||
  die "mvn could not build $HERE/pom.xml; what it says is above (it needs a JDK of version 17 or later, and Maven Central the first time)"
[ -f "$JARS/streams.jar" ] || die "mvn ended well but left no $JARS/streams.jar"
