#!/usr/bin/env bash
# secure.sh DIR PORT
# Starts one broker, by up.sh, that has a listener for each way in and an authorizer. Down: down.sh DIR
#   PORT    PLAINTEXT, without a user; ANONYMOUS is the super user, for the tests' own client and for the broker itself
#   PORT+1  SASL in plain text: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER; sessions end after REAUTH_MS
#   PORT+2  the same over TLS; sessions do not end, but for those of tokens
#   PORT+3  TLS
#   PORT+4  TLS with a client certificate; its subject is the user
# DIR must have tls/broker.pem (PKCS#8 key and certificate), tls/ca.pem, which is trusted, and jwks.json, the keys of tokens.
# PLAIN has the user bob with the password bob-secret. SCRAM users and ACLs are for the test to make.
# The environment can set REAUTH_MS (default 0: for ever).
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$HERE/common.sh"

[ $# = 2 ] || die "usage: secure.sh DIR PORT"
DIR=$(cd "$1" && pwd)
PORT=$2
[[ $PORT =~ ^[0-9]+$ ]] || die "PORT must be a number; got '$PORT'"
for file in tls/broker.pem tls/ca.pem jwks.json; do
  [ -f "$DIR/$file" ] || die "$DIR/$file is missing"
done

MODULES=org.apache.kafka.common.security

# listeners prints the addresses, with or without the controller's.
listeners() {
  local name port=$PORT list=
  for name in PLAINTEXT SASL SASLTLS TLS MTLS; do
    list+=${list:+,}$name://127.0.0.1:$port
    port=$((port + 1))
  done
  echo "$list"
}

# mechanisms prints what a SASL listener needs.
mechanisms() { # LISTENER REAUTH_MS
  local of=listener.name.$1 mechanism
  for mechanism in plain scram-sha-256 scram-sha-512 oauthbearer; do echo "$of.$mechanism.connections.max.reauth.ms=$2"; done
  cat <<X
$of.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
$of.plain.sasl.jaas.config=$MODULES.plain.PlainLoginModule required user_bob="bob-secret";
$of.scram-sha-256.sasl.jaas.config=$MODULES.scram.ScramLoginModule required;
$of.scram-sha-512.sasl.jaas.config=$MODULES.scram.ScramLoginModule required;
$of.oauthbearer.sasl.jaas.config=$MODULES.oauthbearer.OAuthBearerLoginModule required;
$of.oauthbearer.sasl.server.callback.handler.class=$MODULES.oauthbearer.OAuthBearerValidatorCallbackHandler
X
}

cat >"$DIR/secure.properties" <<X
listeners=$(listeners),CONTROLLER://127.0.0.1:$((PORT + 100))
advertised.listeners=$(listeners)
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_PLAINTEXT,SASLTLS:SASL_SSL,TLS:SSL,MTLS:SSL
$(mechanisms sasl "${REAUTH_MS:-0}")
$(mechanisms sasltls 0)
sasl.oauthbearer.jwks.endpoint.url=file://$DIR/jwks.json
ssl.keystore.type=PEM
ssl.keystore.location=$DIR/tls/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location=$DIR/tls/ca.pem
listener.name.mtls.ssl.client.auth=required
ssl.principal.mapping.rules=RULE:^CN=([^,]+).*$/\$1/,DEFAULT
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
X
export KAFKA_PROPERTIES=$DIR/secure.properties
# Without it a broker reads keys from no URL at all.
export KAFKA_OPTS="-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=file://$DIR/jwks.json"
exec "$HERE/up.sh" "$DIR" "$PORT"
