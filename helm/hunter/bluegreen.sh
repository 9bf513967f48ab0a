#!/usr/bin/env bash
# Bring a version of the API out beside the running one, try it, and only then turn the Service to it.
#
#   bluegreen.sh deploy VERSION   deploy VERSION as the idle colour, wait until it is ready, smoke-test it, turn the
#                                 Service to it, verify; turn back when that fails
#   bluegreen.sh back             turn to the other colour, if it is ready; verify; turn back when that fails
#   bluegreen.sh status           which colour gets the traffic, and what runs
#
#   --release NAME (hunter)  --namespace NAME (default)  --chart PATH (where this script lies)
#   --domain NAME (example.com: what the smoke test ingests)  --timeout SECONDS (600)  --verify TIMES (3)
#
# The Service is turned by `helm upgrade --reuse-values --set service.activeColor=…`: a patched one would be
# undone by the next upgrade. Ctrl-C is safe at any moment: before the turn nothing has changed for callers, after
# it the Service is turned back; helm itself is never interrupted, which would lock the release.
# Exit code: 0 done; 1 failed, the old colour has the traffic; 2 usage; 3 could not turn back; 130 Ctrl-C.
set -euo pipefail

release=hunter namespace=default domain=example.com timeout_s=600 verify=3
chart=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
interrupted=0 turning=""
trap 'interrupted=$((interrupted + 1))' INT TERM

say() { printf '%s %s\n' "$(date -u +%H:%M:%SZ)" "$*" >&2; }
usage() {
  printf 'bluegreen.sh: %s (see the head of the script)\n' "$1" >&2
  exit 2
}

# A command that Ctrl-C does not reach: a process group of its own, waited for to its end.
steady() {
  local child seen code
  set -m
  "$@" &
  child=$!
  set +m
  while :; do
    seen=$interrupted code=0
    wait "$child" || code=$?
    [[ $interrupted == "$seen" ]] && return "$code"
  done
}

# A command that ends on Ctrl-C, also when only this script was told.
patient() {
  local child seen=$interrupted code=0
  "$@" &
  child=$!
  wait "$child" || code=$?
  if [[ $interrupted != "$seen" ]]; then
    kill "$child" 2>/dev/null || true
    wait "$child" 2>/dev/null || true
    return 130
  fi
  return "$code"
}

kube() { kubectl --namespace "$namespace" "$@"; }
upgrade() { steady helm upgrade "$release" "$chart" --namespace "$namespace" --reuse-values --timeout "${timeout_s}s" "$@" >/dev/null; }
# what is read here is read in a substitution, where a trap's variable would not come back: steady is not needed
active_color() { kube get service "$name" --output 'jsonpath={.spec.selector.version}'; }
other() { if [[ $1 == blue ]]; then echo green; else echo blue; fi; }
remembered_color() { helm get values "$release" --namespace "$namespace" --all --output json | grep -o '"activeColor": *"[a-z]*"' | grep -o '[a-z]*"$' | tr -d '"'; }

check_interrupt() { if ((interrupted)); then give_up "stopped by a signal" 130; fi; }

give_up() {
  say "FAILED: $1"
  if [[ -n $turning ]]; then turn_back; fi
  say "$(active_color 2>/dev/null || echo "an unknown colour") has the traffic"
  exit "${2:-1}"
}

# The way back must not be stopped by what stopped the way there.
turn_back() {
  local try
  for try in 1 2 3; do
    say "turning back to $turning (try $try)"
    if upgrade --set "service.activeColor=$turning" && [[ $(active_color) == "$turning" ]]; then
      return
    fi
    ((try == 3)) || sleep 2
  done
  say "COULD NOT TURN BACK. Do it by hand, now:"
  say "  helm upgrade $release $chart --namespace $namespace --reuse-values --set service.activeColor=$turning"
  exit 3
}

smoke() {
  patient kube exec "deployment/$name-api-$1" -- hunter smoke --url "$2" --domain "$domain" >&2
}

# All its pods ready, and more than none: `rollout status` is content with a Deployment of 0.
require_ready() {
  local color=$1 wanted ready
  patient kube rollout status "deployment/$name-api-$color" --timeout "${timeout_s}s" >&2 || {
    check_interrupt
    give_up "$color did not become ready"
  }
  wanted=$(kube get deployment "$name-api-$color" --output 'jsonpath={.spec.replicas}') || give_up "cannot look at $color"
  ready=$(kube get deployment "$name-api-$color" --output 'jsonpath={.status.readyReplicas}') || give_up "cannot look at $color"
  if [[ ! $wanted =~ ^[1-9][0-9]*$ || $ready != "$wanted" ]]; then
    give_up "$color has ${ready:-0} ready pods of ${wanted:-0}"
  fi
  check_interrupt
}

# Turn the Service to a colour that was found ready, verify, and turn back when it does not hold.
turn_to() {
  local color=$1 from=$2 try
  check_interrupt
  turning=$from
  say "turning the Service from $from to $color"
  upgrade --set "service.activeColor=$color" || give_up "helm could not turn the Service"
  check_interrupt
  [[ $(active_color) == "$color" ]] || give_up "the Service does not lead to $color"
  for ((try = 1; try <= verify; try++)); do
    smoke "$color" "http://$name" || {
      check_interrupt
      give_up "the smoke test fails behind the Service"
    }
    check_interrupt
  done
  patient kube rollout status "deployment/$name-worker" --timeout "${timeout_s}s" >&2 || {
    check_interrupt
    give_up "the workers did not become ready"
  }
  check_interrupt
  turning=""
}

deploy() {
  local version=$1 from to
  from=$(require_active)
  to=$(other "$from")
  say "$from has the traffic; deploying $version as $to"
  upgrade --set "blueGreen.$to.enabled=true" --set-string "blueGreen.$to.tag=$version" \
    --set-string "blueGreen.$to.digest=" --set-string "migration.tag=$version" || give_up "helm could not deploy $to"
  check_interrupt
  require_ready "$to"
  say "$to is ready; trying it"
  smoke "$to" "http://$name-api-$to" || {
    check_interrupt
    give_up "the smoke test fails on $to"
  }
  turn_to "$to" "$from"
  say "done: $to ($version) has the traffic; $from stays for bluegreen.sh back"
}

back() {
  local from to
  from=$(require_active)
  to=$(other "$from")
  require_ready "$to"
  turn_to "$to" "$from"
  say "done: $to has the traffic"
}

require_active() {
  local color
  color=$(active_color) || give_up "there is no Service $name in $namespace"
  [[ $color == blue || $color == green ]] || give_up "the Service $name has no colour: set blueGreen.enabled first"
  [[ $(remembered_color) == "$color" ]] || give_up "the Service leads to $color, and helm remembers another colour: somebody patched it; helm upgrade first"
  echo "$color"
}

status() {
  say "$(active_color) has the traffic"
  kube get deployment --selector "app.kubernetes.io/instance=$release" \
    --output 'custom-columns=NAME:.metadata.name,READY:.status.readyReplicas,IMAGE:.spec.template.spec.containers[0].image'
}

[[ $# -gt 0 ]] || usage "say what to do: deploy VERSION, back or status"
action=$1 version=""
shift
if [[ $action == deploy ]]; then
  [[ $# -gt 0 && $1 != --* ]] || usage "deploy wants a VERSION"
  version=$1
  [[ $version =~ ^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$ ]] || usage "$version is no tag of an image"
  shift
fi
while [[ $# -gt 0 ]]; do
  [[ $# -gt 1 ]] || usage "$1 wants a value"
  case $1 in
    --release) release=$2 ;;
    --namespace) namespace=$2 ;;
    --chart) chart=$2 ;;
    --domain) domain=$2 ;;
    --timeout) timeout_s=$2 ;;
    --verify) verify=$2 ;;
    *) usage "there is no $1" ;;
  esac
  shift 2
done
[[ $timeout_s =~ ^[1-9][0-9]*$ ]] || usage "--timeout wants a number of seconds"
[[ $verify =~ ^[1-9][0-9]*$ ]] || usage "--verify wants a number, 1 or more"
# as the chart's hunter.fullname has it
name=$release
[[ $name == *hunter* ]] || name="$name-hunter"
name=${name:0:50}
name=${name%-}

case $action in
  deploy) deploy "$version" ;;
  back) back ;;
  status) status ;;
  *) usage "there is no $action: deploy VERSION, back or status" ;;
esac
