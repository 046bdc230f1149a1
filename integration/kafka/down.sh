#!/usr/bin/env bash
# down.sh DIR [--wipe]
# Stops every node that up.sh started in DIR, by pid file and only if the process is still that broker; a stopped (SIGSTOP)
# or hanging one is killed after 10 s. --wipe removes DIR/node-* as well. Nothing running is no error.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$HERE/common.sh"

[ $# -ge 1 ] || die "usage: down.sh DIR [--wipe]"
[ -d "$1" ] || exit 0
DIR=$(cd "$1" && pwd)
# All at once: a node of several that stops alone waits for a controller quorum that is going away.
for node in "$DIR"/node-*; do
  [ -f "$node/pid" ] || continue
  stop_pidfile "$node/pid" "$node/server.properties" 10 &
done
wait
[ "${2:-}" != --wipe ] || rm -rf "$DIR"/node-*
