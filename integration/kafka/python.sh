#!/usr/bin/env bash
# python.sh
# Makes a Python environment with what the guides' examples need (deploy/guides/examples/requirements.txt) in the cache and
# prints its interpreter. Does nothing when it is there. Needs: python3 with venv and pip.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$HERE/common.sh"

WANTED=$HERE/../../deploy/guides/examples/requirements.txt
# Another list is another environment.
DEST=$KAFKA_DIR/python-$(cksum <"$WANTED" | cut -d' ' -f1)
[ ! -x "$DEST/bin/python" ] || [ ! -f "$DEST/complete" ] || { echo "$DEST/bin/python"; exit 0; }
need python3 python3-venv
mkdir -p "$KAFKA_DIR"
rm -rf "$DEST"
say "making a Python environment with $(tr '\n' ' ' <"$WANTED")"
python3 -m venv "$DEST" || die "python3 cannot make an environment; Debian: apt-get install python3-venv"
"$DEST/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: -r "$WANTED" >&2 || die "pip cannot install $(tr '\n' ' ' <"$WANTED")"
touch "$DEST/complete"
echo "$DEST/bin/python"
