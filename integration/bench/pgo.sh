#!/usr/bin/env bash
# pgo.sh OUT BINARY PROFILE...
# Merges CPU profiles of a service, as bench --profile writes them, into one that the compiler takes (go build -pgo). The binary's
# path would be in it: it is overwritten by as many dots.
set -euo pipefail
export LC_ALL=C # a dot for a byte
[ $# -ge 3 ] || { echo "usage: pgo.sh OUT BINARY PROFILE..." >&2; exit 1; }
OUT=$1 BINARY=$(realpath "$2")
shift 2
WORK=$(mktemp -d)
trap 'rm -r "$WORK"' EXIT
go tool pprof -proto -output "$WORK/merged" "$BINARY" "$@" >"$WORK/log" 2>&1 || { cat "$WORK/log" >&2; exit 1; }
gzip -dc "$WORK/merged" | sed "s|$BINARY|${BINARY//?/.}|g" | gzip -9n >"$WORK/clean"
if gzip -dc "$WORK/clean" | grep -aqF "$(dirname "$BINARY")"; then
  echo "pgo.sh: a path of this machine is left in the profile" >&2
  exit 1
fi
cp "$WORK/clean" "$OUT"
