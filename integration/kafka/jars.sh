#!/usr/bin/env bash
# jars.sh [--tools]
# Brings the jars of a real Kafka broker from Maven Central into the cache and prints their directory.
# --tools: the broker and the command-line tools as well, into a directory of their own; the broker's stays small, for the image.
# Does nothing when they are there. Needs: mvn, a JDK.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$HERE/common.sh"

DEST=$LIBS_DIR TOOLS=
case ${1:-} in
  '') ;;
  --tools)
    DEST=$TOOLS_DIR
    TOOLS="<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>$KAFKA_VERSION</version></dependency>"
    ;;
  *) die "unknown argument $1; usage: jars.sh [--tools]" ;;
esac

# The directory appears by one rename, complete or not at all, so a broken download is never taken for a whole one.
[ ! -d "$DEST" ] || { echo "$DEST"; exit 0; }
need mvn maven
mkdir -p "$KAFKA_DIR"
WORK=$(mktemp -d "$KAFKA_DIR/fetch.XXXXXX")
trap 'rm -rf "$WORK"' EXIT

cat >"$WORK/pom.xml" <<XML
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>pulse</groupId>
  <artifactId>broker-jars</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$KAFKA_VERSION</version></dependency>
    $TOOLS
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>$LOG4J_VERSION</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-core</artifactId><version>$LOG4J_VERSION</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-1.2-api</artifactId><version>$LOG4J_VERSION</version></dependency>
  </dependencies>
</project>
XML

say "fetching the jars of Kafka $KAFKA_VERSION${TOOLS:+ with its tools}"
mvn -q -B -f "$WORK/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$WORK/jars" >&2
[ -n "$(find "$WORK/jars" -name 'kafka_2.13-*.jar')" ] || die "mvn ended well but brought no broker jar"
mv -T "$WORK/jars" "$DEST" 2>/dev/null || [ -d "$DEST" ] || die "cannot move the jars to $DEST"
say "$(find "$DEST" -name '*.jar' | wc -l) jars, $(du -sm "$DEST" | cut -f1) MB"
echo "$DEST"
