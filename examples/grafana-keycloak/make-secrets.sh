#!/bin/sh
# Makes, in secrets/, what this installation keeps to itself: an authority for its
# certificates, a certificate for each server, passwords and keys. What is there stays.
set -eu
umask 077
mkdir -p secrets data
cd secrets

random() { # a secret in a file
	[ -s "$1" ] || openssl rand -hex 32 >"$1"
}

certificate() { # for a server of that name
	[ -s "$1.crt" ] && return
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -subj "/CN=$1" -out "$1.csr" 2>/dev/null
	printf 'subjectAltName=DNS:%s,DNS:localhost\nextendedKeyUsage=serverAuth\n' "$1" >"$1.ext"
	openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 90 -extfile "$1.ext" -out "$1.crt" 2>/dev/null
	rm "$1.csr" "$1.ext"
}

[ -s ca.crt ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -days 365 \
	-subj "/CN=grafana-keycloak example" -out ca.crt 2>/dev/null
for server in porterhouse clickhouse keycloak; do certificate "$server"; done
for secret in gateway.password provisioner.password admin.password authenticator.path audit.key grafana.secret; do random "$secret"; done

# Compose hands these to Keycloak and ClickHouse, which read them from their environment.
cat >../.env <<END
GRAFANA_SECRET=$(cat grafana.secret)
ADMIN_PASSWORD=$(cat admin.password)
PORTERHOUSE_AUTHENTICATOR=https://porterhouse:8444/$(cat authenticator.path)
END
