#!/bin/sh
# Restores a backup into an empty database: restore.sh FILE.dump
#
# Compares what came back with the .facts beside the file and then makes the ledger safe to start on: see
# after_restore.sql. Address as in backup.sh. Needs psql and pg_restore. Afterwards: README.md.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
dump=${1:?usage: restore.sh FILE.dump}
facts=${dump%.dump}.facts
[ -r "$dump" ] && [ -r "$facts" ] || { echo "$dump and $facts must be there" >&2; exit 2; }

query() {
    psql --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 "$@"
}

if [ -n "$(query --command="SELECT 1 FROM pg_namespace WHERE nspname LIKE 'watchlist%' LIMIT 1")" ]; then
    echo "the database has the schema already: restore into an empty one" >&2
    exit 2
fi

# Roles belong to the server and are in no backup of a database; their passwords are set as at the installation.
for role in tandem_signal_ingest tandem_executor tandem_position_monitor tandem_api_gateway; do
    query --command="DO \$\$ BEGIN CREATE ROLE $role LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END \$\$"
done

pg_restore --exit-on-error --single-transaction --no-owner --dbname="${PGDATABASE:?}" "$dump"

if ! query --file="$here/facts.sql" | diff "$facts" -; then
    echo "what was restored differs from the backup (< backup, > restored): do not start on it" >&2
    exit 1
fi
query --set=backup="$(basename "$dump")" --file="$here/after_restore.sql"
echo "restored and equal to the backup; trading is halted"
