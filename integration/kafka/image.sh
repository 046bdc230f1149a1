#!/usr/bin/env bash
# image.sh [TAG]        (default pulse-scorer/kafka:<version>)
# Builds a Kafka image without any registry: the broker's jars from Maven, a Java runtime cut out of the JDK of this machine,
# busybox and the shared libraries these two need. Prints the tag.
# The image keeps the contract of the official apache/kafka image, as far as tests use it, so that one harness starts both:
# KAFKA_FOO_BAR sets foo.bar, /etc/kafka/docker/run starts the broker, KAFKA_HEAP_OPTS and CLUSTER_ID are respected, and
# without any setting it is a single node on port 9092.
# Needs: a running docker engine, a JDK with jlink, busybox, and mvn for the jars.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$HERE/common.sh"

TAG=${1:-pulse-scorer/kafka:$KAFKA_VERSION}
# What a broker loads, found by running it with every compression; the whole JDK would make the image three times as large.
MODULES=java.base,java.logging,java.management,java.naming,java.rmi,java.security.jgss,java.security.sasl,java.sql,java.xml,java.desktop
MODULES+=,jdk.management,jdk.unsupported,jdk.security.auth,jdk.zipfs,jdk.crypto.ec

# copy_libs puts the shared libraries of a program or library where the loader of the image looks for them.
copy_libs() { # FILE
  local lib
  { ldd "$1" 2>/dev/null || true; } | grep -oE '/[^ ]+' | while read -r lib; do
    [[ $lib == "$ROOT"/* || -e $ROOT$lib ]] || install -D "$(readlink -f "$lib")" "$ROOT$lib"
  done
}

add_busybox() {
  local applet
  install -D "$(type -P busybox)" "$ROOT/usr/bin/busybox"
  copy_libs "$ROOT/usr/bin/busybox"
  for applet in sh awk cat chmod cp date env grep head hostname id kill ls mkdir mv ps rm sed sleep tail touch tr; do
    ln -s busybox "$ROOT/usr/bin/$applet"
  done
}

add_java() {
  local lib
  jlink --add-modules "$MODULES" --strip-java-debug-attributes --no-man-pages --no-header-files --compress=1 --output "$ROOT/opt/java"
  for lib in "$ROOT"/opt/java/bin/java "$ROOT"/opt/java/lib/server/libjvm.so "$ROOT"/opt/java/lib/*.so; do copy_libs "$lib"; done
  # snappy, lz4 and zstd unpack native code at run time that wants these. Without libpthread, which glibc keeps as an empty
  # shell, the broker answers UNKNOWN_SERVER_ERROR to the first zstd batch.
  for lib in libgcc_s.so.1 libstdc++.so.6 libpthread.so.0 libm.so.6 libdl.so.2 librt.so.1; do
    # Read to the end: a reader that leaves early would end ldconfig, and this script with it.
    lib=$(ldconfig -p | awk -v l="$lib" '$1 == l && /x86-64|AArch64/ && !found++ { print $NF }')
    [ -z "$lib" ] || [ -e "$ROOT$lib" ] || install -D "$(readlink -f "$lib")" "$ROOT$lib"
    [ -z "$lib" ] || copy_libs "$lib"
  done
}

add_kafka() {
  mkdir -p "$ROOT"/opt/kafka/{libs,config} "$ROOT/var/lib/kafka/data" "$ROOT/etc/kafka"
  cp "$LIBS_DIR"/*.jar "$ROOT/opt/kafka/libs/"
  log4j_config "$ROOT/opt/kafka/config"
  install -D "$HERE/image-run.sh" "$ROOT/etc/kafka/docker/run"
}

add_system() {
  mkdir -p "$ROOT"/{etc,tmp,proc,sys,dev,root,usr/bin,usr/lib,usr/lib64,usr/sbin}
  chmod 1777 "$ROOT/tmp"
  # Merged /usr, as on the machine the files come from: the loader is found by its path below /lib64.
  for dir in bin sbin lib lib64; do ln -s "usr/$dir" "$ROOT/$dir"; done
  echo 'root:x:0:0:root:/root:/bin/sh' >"$ROOT/etc/passwd"
  echo 'root:x:0:' >"$ROOT/etc/group"
  echo 'hosts: files dns' >"$ROOT/etc/nsswitch.conf"
}

need docker docker.io
need jlink default-jdk-headless
need busybox busybox
docker info >/dev/null 2>&1 || die "no docker engine answers; start one, for example with $HERE/dockerd.sh up DIR"
[ -d "$LIBS_DIR" ] || "$HERE/jars.sh" >/dev/null
mkdir -p "$KAFKA_DIR"
ROOT=$(mktemp -d "$KAFKA_DIR/image.XXXXXX")
trap 'rm -rf "$ROOT"' EXIT
chmod 755 "$ROOT"
add_system
add_busybox
add_java
add_kafka
tar -C "$ROOT" --owner=0 --group=0 -c . | docker import \
  -c 'ENV PATH=/opt/java/bin:/usr/bin:/usr/sbin JAVA_HOME=/opt/java' -c 'EXPOSE 9092' -c 'CMD ["/etc/kafka/docker/run"]' - "$TAG" >/dev/null
say "$(docker image ls --format '{{.Repository}}:{{.Tag}} {{.Size}}' "$TAG")"
echo "$TAG"
