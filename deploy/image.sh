#!/usr/bin/env bash
# image.sh [TAG]        (default pulse-scorer:VERSION)
# Builds the service's image without any registry: the binary by the Go of this machine, the image by the Dockerfile's last
# stage, which starts from scratch. Prints the tag. Not in it is the Dockerfile's first stage, which needs the golang image.
# Needs: a running docker engine, Go, and the CA certificates of this machine.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

die() { echo "image.sh: $*" >&2; exit 1; }

VERSION=${VERSION:-$(git -C "$HERE" describe --tags --always --dirty 2>/dev/null || echo devel)}
export VERSION
TAG=${1:-pulse-scorer:$VERSION}
CERTIFICATES=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}
docker info >/dev/null 2>&1 || die "no docker engine answers; start one, for example with integration/kafka/dockerd.sh up DIR"
[ -s "$CERTIFICATES" ] || die "no CA certificates at $CERTIFICATES; install them, on Debian with: apt-get install ca-certificates"
CONTEXT=$(mktemp -d)
trap 'rm -rf "$CONTEXT"' EXIT
"$HERE/build.sh" "$CONTEXT/out/pulse-scorer"
install -D -m 644 "$CERTIFICATES" "$CONTEXT/out/etc/ssl/certs/ca-certificates.crt"
# Go tests leave modes to the umask; the image's user must be able to read and run what root has copied.
chmod -R a+rX "$CONTEXT/out"
sed -n '/^FROM scratch/,$ s|--from=compiled /out/|out/|; /^FROM scratch/,$p' "$HERE/Dockerfile" >"$CONTEXT/Dockerfile"
[ "$(grep -c '^COPY out/ /$' "$CONTEXT/Dockerfile")" = 1 ] || die "the Dockerfile's last stage is not what this script knows"
# The plain builder, which every engine has; it has no stage to skip here.
DOCKER_BUILDKIT=0 docker build -q --build-arg "VERSION=$VERSION" -t "$TAG" "$CONTEXT" >/dev/null 2>"$CONTEXT/log" || die "$(cat "$CONTEXT/log")"
echo "$TAG"
