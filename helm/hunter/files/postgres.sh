# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # `here` is set by who sources this, who reads `database`
# What backup.sh and restore.sh have in common: the URL, taken apart, and what is said when a step fails.

step="start"
say() { printf '%s %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$*"; }
fail() {
  say "FAILED: $*" >&2
  exit 1
}
set -E
trap 'say "FAILED while: $step" >&2' ERR

# Take the password out of DATABASE_URL: arguments can be read by every user of a machine.
take_url() {
  local url=${DATABASE_URL:?set DATABASE_URL, postgresql://user:password@host:port/name} rest user
  [[ $url =~ ^postgres(ql)?://[^/]+/[^/?]+ ]] || fail "DATABASE_URL is no postgresql://user:password@host:port/name"
  rest=${url#*://}
  query=""
  if [[ $rest == *\?* ]]; then
    query="?${rest#*\?}"
    rest=${rest%%\?*}
  fi
  authority=${rest%%/*}
  database=${rest#*/}
  if [[ $authority == *@* ]]; then
    user=${authority%@*}
    if [[ $user == *:* ]]; then
      local escaped=${user#*:}
      escaped=${escaped//\\/\\\\}
      PGPASSWORD=$(printf '%b' "${escaped//%/\\x}")
      export PGPASSWORD
      authority="${user%%:*}@${authority##*@}"
    fi
  fi
  unset DATABASE_URL
  export PGCONNECT_TIMEOUT=${PGCONNECT_TIMEOUT:-10} PGAPPNAME=hunter-backup
}

# The URL of a database on the same server, without the password.
url_of() { printf 'postgresql://%s/%s%s' "$authority" "$1" "$query"; }

# Statements, or -f FILE, in a database; one that fails ends the script.
ask() {
  local name=$1
  shift
  psql --no-psqlrc --no-password --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 "$@" "$(url_of "$name")"
}

# The books of a database: its tables are there, and no job is without its results.
audit() {
  local wrong
  wrong=$(ask "$1" --file "$here/audit.sql")
  [[ $wrong == 0 ]] || fail "$1: $wrong jobs have results that do not add up"
}
