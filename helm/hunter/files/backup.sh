#!/usr/bin/env bash
# Back Hunter's database up: dump it, restore the dump into a scratch database on the same server, audit that,
# and only then let the dump count. Needs bash, psql, pg_dump and pg_restore; knows nothing of Hunter's programs.
#
#   DATABASE_URL=postgresql://user:password@host:5432/hunter BACKUP_DIR=/backups bash backup.sh
#
#   BACKUP_KEEP_DAYS  days a dump is kept; the newest is kept in any case (default: 14)
#   BACKUP_VERIFY     false: do not restore it; such a dump never counts as a backup (default: true)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=helm/hunter/files/postgres.sh
source "$here/postgres.sh"

take_url
folder=${BACKUP_DIR:?set BACKUP_DIR, the folder of the dumps}
keep_days=${BACKUP_KEEP_DAYS:-14}
verify=${BACKUP_VERIFY:-true}
[[ $keep_days =~ ^[1-9][0-9]*$ ]] || fail "BACKUP_KEEP_DAYS=$keep_days: wants a number of days, 1 or more"
[[ $verify == true || $verify == false ]] || fail "BACKUP_VERIFY=$verify: wants true or false"
[[ -d $folder && -w $folder ]] || fail "BACKUP_DIR=$folder: no folder that can be written to"

stamp=$(date -u +%Y%m%dT%H%M%SZ)
started=$(date -u +%Y-%m-%dT%H:%M:%SZ)
file="hunter-$stamp.dump"
part="$folder/.$file.part"
scratch="hunter_verify_${stamp,,}_$$"
made=""

clean_up() {
  rm -f "$part"
  if [[ -n $made ]]; then
    ask postgres --command "DROP DATABASE IF EXISTS \"$scratch\" WITH (FORCE)" || say "could not drop $scratch" >&2
  fi
}
trap clean_up EXIT
trap 'exit 130' INT TERM

umask 077
[[ ! -e $folder/$file ]] || fail "$file is there already: another backup of this second"
step="pg_dump"
say "dumping $database to $file"
pg_dump --no-password --format=custom --file="$part" "$(url_of "$database")"
step="reading the dump"
pg_restore --list "$part" >/dev/null
bytes=$(stat -c %s "$part")
digest=$(sha256sum "$part" | cut -d' ' -f1)

if [[ $verify == true ]]; then
  step="making a scratch database (the role needs CREATEDB)"
  ask postgres --command "CREATE DATABASE \"$scratch\" TEMPLATE template0"
  made=yes
  step="restoring into the scratch database"
  pg_restore --no-password --exit-on-error --no-owner --no-privileges --dbname="$(url_of "$scratch")" "$part"
  step="auditing the scratch database"
  audit "$scratch"
  say "verified: restored and audited"
fi

step="putting the dump in its place"
sync "$part"
mv "$part" "$folder/$file"
step="writing the row of backup_run"
ask "$database" --set file="$file" --set started="$started" --set bytes="$bytes" --set digest="$digest" \
  --set verified="$verify" >/dev/null <<'SQL'
INSERT INTO backup_run (file, started_at, finished_at, bytes, sha256, verified)
VALUES (:'file', least(:'started'::timestamptz, clock_timestamp()), clock_timestamp(), :'bytes', :'digest', :'verified');
DELETE FROM backup_run WHERE finished_at < now() - interval '400 days';
SQL

# by their names: a copied file has a new date. The one just made is never too old
step="pruning"
oldest=$(date -u -d "$keep_days days ago" +%Y%m%dT%H%M%SZ)
for each in "$folder"/hunter-????????T??????Z.dump; do
  name=${each##*/}
  when=${name#hunter-}
  if [[ ${when%.dump} < $oldest && $name != "$file" ]]; then
    rm -f "$each"
    say "pruned $name"
  fi
done
say "done: $file, $bytes bytes, sha256 $digest"
