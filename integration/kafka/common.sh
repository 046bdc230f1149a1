# Shared by the scripts of this directory; sourced, not run.
# What every one of them has to agree on: the Kafka version, where the jars lie, how a broker's JVM is started.
# shellcheck shell=bash disable=SC2034

KAFKA_VERSION=${KAFKA_VERSION:-4.3.1}
# Binds the broker's slf4j 1.x calls; without it a broker starts but says nothing, and its readiness line never comes.
LOG4J_VERSION=${LOG4J_VERSION:-2.25.1}
CACHE_DIR=${XDG_CACHE_HOME:-$HOME/.cache}/pulse-scorer
KAFKA_DIR=$CACHE_DIR/kafka-$KAFKA_VERSION
LIBS_DIR=$KAFKA_DIR/libs        # the broker and nothing else: goes into the image
TOOLS_DIR=$KAFKA_DIR/tools      # the broker and the command-line tools (kafka-consumer-groups and so on)
# Fixed, so that a data directory can be used again by the next start. 16 bytes in url-safe base64.
CLUSTER_ID=${CLUSTER_ID:-cHVsc2Utc2NvcmVyLTAwMA}

# say prints a line for the person who waits; stdout is left to results.
say() { printf '%s\n' "$*" >&2; }

# die says why and ends the script.
die() { say "$(basename "$0"): $*"; exit 1; }

# need ends the script when a command is missing, and names the Debian package that brings it.
need() { # COMMAND PACKAGE
  command -v "$1" >/dev/null || die "$1 is missing; install it, on Debian with: apt-get install $2"
}

# command_line prints the command line of a process; nothing for one that is gone or only waits to be reaped.
command_line() { # PID
  { tr '\0' ' ' <"/proc/$1/cmdline"; } 2>/dev/null || true
}

# running tells whether a process has not ended: it is there, and no mere zombie whose threads are gone too. Its command line
# cannot tell, for it reads empty while the process turns into another program (exec) and while it ends.
running() { # PID
  local stat tasks
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  [[ ${stat##*) } == Z* ]] || return 0
  tasks=("/proc/$1/task/"*)
  [ ${#tasks[@]} -gt 1 ]
}

# alive tells whether the process of a pid file still runs and still is the process that the file was written for.
alive() { # PIDFILE WORD-OF-ITS-COMMAND-LINE
  [ -s "$1" ] && [[ $(command_line "$(<"$1")") == *"$2"* ]]
}

# stop_pidfile ends the process of a pid file: gently, then after SECONDS with force. Only a process whose command line
# holds WORD is touched, because the number may have gone to somebody else since.
stop_pidfile() { # PIDFILE WORD SECONDS
  local pid i
  if alive "$1" "$2"; then
    pid=$(<"$1")
    kill "$pid" 2>/dev/null || true
    kill -CONT "$pid" 2>/dev/null || true # a stopped process would not see the TERM
    for ((i = 0; i < $3 * 10; i++)); do
      running "$pid" || break
      sleep 0.1
    done
    alive "$1" "$2" && kill -KILL "$pid" 2>/dev/null
    for ((i = 0; i < 50; i++)); do
      running "$pid" || break
      sleep 0.1
    done
  fi
  rm -f "$1"
}

# log4j_config puts the logging set-up of a broker into a directory.
log4j_config() { # DIR
  cat >"$1/log4j2.yaml" <<'YAML'
Configuration:
  Appenders:
    Console:
      name: STDOUT
      PatternLayout:
        pattern: "[%d] %p %m (%c)%n"
  Loggers:
    Root:
      level: WARN
      AppenderRef:
        ref: STDOUT
    Logger:
      - name: kafka
        level: INFO
      - name: org.apache.kafka.server
        level: INFO
YAML
}

# port_taken tells whether something answers on a loopback port.
port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
