#!/usr/bin/env bash
# compare.sh BASE BENCHMARKS BENCHTIME COUNT PACKAGE...
# Runs the micro benchmarks of commit BASE and of the working tree in turns, COUNT times each, so that what else the machine
# does falls on both. Leaves .cache/bench/base.txt and here.txt for benchstat. BASE is checked out beside the working tree,
# in .cache/bench/base, and removed again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

[ $# -ge 5 ] || { echo "usage: compare.sh BASE BENCHMARKS BENCHTIME COUNT PACKAGE..." >&2; exit 2; }
BASE=$1 BENCHMARKS=$2 BENCHTIME=$3 COUNT=$4
shift 4
GO=${GO:-go}
DIR=$PWD/.cache/bench

remove() { git worktree remove --force "$DIR/base" 2>/dev/null || true; }
mkdir -p "$DIR"
remove
trap remove EXIT
git worktree add --quiet --detach "$DIR/base" "$BASE"
: >"$DIR/base.txt"
: >"$DIR/here.txt"

# binary prints where the test binary of a package of a tree goes.
binary() { echo "$DIR/$1-${2//[.\/]/_}.test"; } # SIDE PACKAGE

build() { # SIDE TREE PACKAGE
  (cd "$2" && [ -d "$3" ] && "$GO" test -c -o "$(binary "$1" "$3")" "$3") || echo "$1 has no $3" >&2
}

run() { # SIDE TREE PACKAGE
  local test
  test=$(binary "$1" "$3")
  [ -x "$test" ] || return 0
  # Goroutines of the runtime may run; benchmarks of two trees never at once.
  (cd "$2/$3" && "$test" -test.run '^$' -test.bench "$BENCHMARKS" -test.benchmem -test.benchtime "$BENCHTIME") >>"$DIR/$1.txt"
}

rm -f "$DIR"/*.test
for package in "$@"; do
  build base "$DIR/base" "$package"
  build here "$PWD" "$package"
done
for ((n = 1; n <= COUNT; n++)); do
  echo "bench-compare: $n of $COUNT" >&2
  for package in "$@"; do
    run base "$DIR/base" "$package"
    run here "$PWD" "$package"
  done
done
rm -f "$DIR"/*.test
