#!/usr/bin/env bash
# build.sh OUT [ARCH]
# Builds the binary that is shipped: static, for linux, the same bytes from the same commit wherever it is built. The image, the
# release and the tests all come through here. VERSION in the environment is what it calls itself; by default git says it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

[ $# -ge 1 ] || { echo "usage: build.sh OUT [ARCH]" >&2; exit 1; }
VERSION=${VERSION:-$(git describe --tags --always --dirty 2>/dev/null || echo devel)}
# No C, no paths of this machine, no flags of this shell; symbols and DWARF are left out, stack traces work without them.
export CGO_ENABLED=0 GOOS=linux GOARCH=${2:-$(go env GOHOSTARCH)} GOAMD64=v1 GOARM64=v8.0 GOEXPERIMENT='' GOFLAGS=-mod=readonly
# The profile tells the compiler what is hot, a few percent of a record's processor time (make profile renews it).
go build -trimpath -pgo=deploy/release.pgo -buildvcs=auto -ldflags "-s -w -X main.version=${VERSION#v}" -o "$1" ./cmd/pulse-scorer
