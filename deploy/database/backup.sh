#!/bin/sh
# Backs the database up while everything runs: backup.sh FOLDER
#
# Writes FOLDER/tandem-TIME.dump (pg_dump's custom format) and beside it .facts, what restore.sh compares with; both are of
# one snapshot. The address is in PGHOST, PGPORT, PGUSER (the owner), PGPASSWORD and PGDATABASE. Needs psql and pg_dump.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
folder=${1:?usage: backup.sh FOLDER}
name=tandem-$(date -u +%Y%m%dT%H%M%SZ)
TARGET=$folder/$name.dump
export TARGET
[ -d "$folder" ] || { echo "$folder is not a folder" >&2; exit 2; }
[ ! -e "$TARGET" ] || { echo "$TARGET exists" >&2; exit 2; }
umask 077
trap 'rm -f "$TARGET.part" "$folder/$name.facts.part"' EXIT

psql --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 --set=facts="$here/facts.sql" \
    --output="$folder/$name.facts.part" <<'SQL'
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT pg_export_snapshot() AS snapshot \gset
\setenv SNAPSHOT :snapshot
\! pg_dump --format=custom --schema=watchlist --schema=watchlist_months --schema=paper --snapshot="$SNAPSHOT" --file="$TARGET.part" || rm -f "$TARGET.part"
\i :facts
COMMIT;
SQL

[ -s "$TARGET.part" ] || { echo "pg_dump failed: there is no backup" >&2; exit 1; }
pg_restore --list "$TARGET.part" >/dev/null
mv "$folder/$name.facts.part" "$folder/$name.facts"
mv "$TARGET.part" "$TARGET"
echo "$TARGET"
