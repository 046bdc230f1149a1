#!/usr/bin/env bash
# with-image.sh COMMAND...
# Runs a command with everything that testcontainers needs where no image can be pulled: a docker engine (started if none
# answers, and stopped again) and the image of image.sh, named in PULSE_TEST_KAFKA_IMAGE. Ends with the command's status.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$HERE/common.sh"

[ $# -gt 0 ] || die "usage: with-image.sh COMMAND..."
ENGINE=$(mktemp -d)
# Also after a failure or a signal; rm, because an engine's data are of no use to the next.
trap '"$HERE/dockerd.sh" down "$ENGINE"; rm -rf "$ENGINE"' EXIT
"$HERE/dockerd.sh" up "$ENGINE"
PULSE_TEST_KAFKA_IMAGE=$("$HERE/image.sh")
export PULSE_TEST_KAFKA_IMAGE
# The image of the library's reaper cannot be pulled either; the tests end their containers themselves. And in a sandbox that
# looks like a container the library would take the gateway for this host.
export TESTCONTAINERS_RYUK_DISABLED=true TESTCONTAINERS_HOST_OVERRIDE=${TESTCONTAINERS_HOST_OVERRIDE:-127.0.0.1}
unset PULSE_TEST_BROKERS
"$@"
