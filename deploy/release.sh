#!/usr/bin/env bash
# release.sh OUT
# Makes what a release consists of from the commit that is checked out, never from files that are not committed: for linux on amd64
# and arm64 a static binary in an archive with README and runbook, its SBOM (CycloneDX), the Helm chart, and SHA256SUMS over all of it.
# Everything is made twice, in two clones at different paths, with different build caches and times; when a byte differs, the release
# fails. CACHE=shared lets both use one build cache: quicker, and weaker, since the compiler's results are then compared with themselves.
# VERSION is git's tag, or the commit when there is none. Needs: git, Go, tar, gzip; HELM and CYCLONEDX name the two tools.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
die() { echo "release.sh: $*" >&2; exit 1; }

[ $# = 1 ] || die "usage: release.sh OUT"
for tool in "${HELM:-}" "${CYCLONEDX:-}"; do [ -x "$tool" ] || die "HELM and CYCLONEDX must name these tools; make release does"; done
OUT=$(realpath -m "$1")
COMMIT=$(git -C "$HERE" rev-parse HEAD)
VERSION=$(git -C "$HERE" describe --tags --always)
VERSION=${VERSION#v}
SOURCE_DATE_EPOCH=$(git -C "$HERE" show -s --format=%ct HEAD)
export VERSION SOURCE_DATE_EPOCH
WORK=$(mktemp -d)
trap 'chmod -R u+w "$WORK"; rm -rf "$WORK"' EXIT
[ -z "$(git -C "$HERE" status --porcelain)" ] || echo "release.sh: changes that are not committed are left out of the release" >&2

# archive packs files into a .tar.gz whose bytes depend on theirs alone.
archive() { # ARCHIVE DIR FILE...
  local archive=$1 dir=$2
  shift 2
  tar -C "$dir" --sort=name --format=ustar --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX "--mtime=@$SOURCE_DATE_EPOCH" -c "$@" |
    gzip -9n >"$archive"
}

# chart packs the Helm chart under the release's version. A commit without a tag has none that a chart may have, and becomes 0.0.0.
chart() { # CLONE OUT
  local version=$VERSION unpacked=$2/chart
  [[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+ ]] || version=0.0.0-g$version
  "$HELM" package "$1/deploy/helm/pulse-scorer" --version "$version" --app-version "$VERSION" -d "$2" >/dev/null
  # helm writes the time of packing into the archive.
  mkdir "$unpacked"
  tar -C "$unpacked" -xzf "$2/pulse-scorer-$version.tgz"
  archive "$2/pulse-scorer-$version.tgz" "$unpacked" pulse-scorer
  rm -r "$unpacked"
}

# make_all makes the whole release in a fresh clone.
make_all() { # CLONE OUT
  local arch name
  git clone -q --no-checkout "$HERE" "$1"
  git -C "$1" -c advice.detachedHead=false checkout -q "$COMMIT"
  mkdir -p "$2"
  for arch in amd64 arm64; do
    name=pulse-scorer_${VERSION}_linux_$arch
    "$1/deploy/build.sh" "$1/bin/$arch/pulse-scorer" "$arch"
    # Without a serial number and a time of its own, so that it can be made again.
    "$CYCLONEDX" bin -json -noserial -notimestamp -std -version "$VERSION" -output "$2/$name.cdx.json" "$1/bin/$arch/pulse-scorer" \
      2>"$WORK/log" || die "cannot write the SBOM of $name: $(<"$WORK/log")"
    cp "$1/README.md" "$1/deploy/RUNBOOK.md" "$1/bin/$arch/"
    archive "$2/$name.tar.gz" "$1/bin/$arch" README.md RUNBOOK.md pulse-scorer
  done
  chart "$1" "$2"
  (cd "$2" && sha256sum -- * >"$WORK/sums" && mv "$WORK/sums" SHA256SUMS)
}

make_all "$WORK/first" "$WORK/out"
[ "${CACHE:-}" = shared ] || export GOCACHE="$WORK/cache"
TZ=Pacific/Auckland make_all "$WORK/elsewhere/second" "$WORK/again"
diff -r "$WORK/out" "$WORK/again" >&2 || die "made twice, the release differs; it is not reproducible"
rm -rf "$OUT"
mkdir -p "$(dirname "$OUT")"
cp -r "$WORK/out" "$OUT"
cat "$OUT/SHA256SUMS"
echo "release $VERSION of $COMMIT in $OUT, made twice with the same bytes"
