#!/usr/bin/env bash
# dockerd.sh up DIR | down DIR
# up: where no docker engine answers, starts one by hand (root, no init system needed), with its data and log in DIR, and
# waits until it answers. Where one answers already, does nothing. Published ports are bound to loopback.
# down: stops the engine that up started in DIR, by pid, and no other one.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$HERE/common.sh"

up() { # DIR
  local i
  if docker info >/dev/null 2>&1; then
    say "a docker engine answers; none is started"
    return 0
  fi
  need dockerd docker.io
  [ "$(id -u)" = 0 ] || die "no docker engine answers, and only root can start one; start the service of this machine instead"
  mkdir -p "$1"
  setsid dockerd --data-root "$1/data" --exec-root "$1/run" --pidfile "$1/dockerd.pid" --ip 127.0.0.1 >"$1/dockerd.log" 2>&1 </dev/null &
  echo $! >"$1/pid"
  for ((i = 0; i < 300; i++)); do
    if docker info >/dev/null 2>&1; then
      say "docker engine started, pid $(<"$1/pid")"
      return 0
    fi
    running "$(<"$1/pid")" || die "dockerd died: $(tail -n 10 "$1/dockerd.log")"
    sleep 0.1
  done
  stop_pidfile "$1/pid" "$1/dockerd.pid" 10
  die "dockerd does not answer after 30 s; see $1/dockerd.log"
}

[ $# = 2 ] || die "usage: dockerd.sh up DIR | down DIR"
DIR=$(realpath -m "$2")
case $1 in
  up) up "$DIR" ;;
  down) stop_pidfile "$DIR/pid" "$DIR/dockerd.pid" 20 ;;
  *) die "unknown command $1; usage: dockerd.sh up DIR | down DIR" ;;
esac
