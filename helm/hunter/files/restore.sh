#!/usr/bin/env bash
# Restore a dump of backup.sh into an empty database, all of it or nothing, and audit it.
#
#   DATABASE_URL=postgresql://user:password@host:5432/hunter bash restore.sh /backups/hunter-20260101T020000Z.dump
#
# A database that has tables is refused: make a new one (createdb), and point Hunter at it afterwards.
# Open jobs go on by themselves: leases in the dump have run out. Redis needs nothing.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=helm/hunter/files/postgres.sh
source "$here/postgres.sh"

[[ $# == 1 ]] || fail "usage: DATABASE_URL=… restore.sh FILE.dump"
dump=$1
[[ -r $dump ]] || fail "$dump cannot be read"
take_url
step="reading the dump"
pg_restore --list "$dump" >/dev/null
step="asking the database"
tables=$(ask "$database" --command "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_toast' AND c.relkind IN ('r', 'p', 'v', 'm', 'S')")
[[ $tables == 0 ]] || fail "$database is not empty: restore into a new database (createdb)"
step="restoring"
say "restoring $dump into $database"
pg_restore --no-password --single-transaction --exit-on-error --no-owner --no-privileges --dbname="$(url_of "$database")" "$dump"
step="collecting statistics"
ask "$database" --command "ANALYZE"
step="auditing"
audit "$database"
say "done: restored and audited; bring the schema up to date (hunter migrate up) and start Hunter on it"
