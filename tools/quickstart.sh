#!/usr/bin/env bash
# npm run quickstart: sets up what is missing, then runs a command inside a real microVM, through the boxrun command.
#
#   npm run quickstart                  the server that comes up stays, for your next commands
#   npm run quickstart -- --temporary   a state directory and a server of its own, gone again at the end (also where CI is set)
set -euo pipefail
# shellcheck source=lib/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib/common.sh"

temporary=false
[[ -z "${CI:-}" ]] || temporary=true
for argument in "$@"; do
  case "$argument" in
  --temporary) temporary=true ;;
  -h | --help)
    usage
    exit
    ;;
  *) refuse "quickstart.sh does not know '$argument'" ;;
  esac
done

bash "$root/tools/setup.sh"
use_checkout_path ""
cd -- "$root"

state_dir="${BOXRUN_STATE_DIR:-$HOME/.boxrun}"

# The server writes down who it is, and takes that back when it ends.
server_pid() { sed -n 's/.*"pid": *\([0-9]*\).*/\1/p' "$state_dir/server.json" 2>/dev/null || true; }

printed="$(mktemp)"
temporary_dir=""

# Deletes what this script made, and nothing else: the default state directory is the user's.
clean_up() {
  local pid
  rm -f -- "$printed"
  [[ -n "$temporary_dir" ]] || return 0
  pid="$(server_pid)"
  if [[ -n "$pid" ]]; then
    kill "$pid" 2>/dev/null || true
    timeout 20 tail --pid="$pid" -f /dev/null || kill -KILL "$pid" 2>/dev/null || true
  fi
  rm -rf -- "$temporary_dir"
}
trap clean_up EXIT
if $temporary; then
  # Short, because a Unix socket's path may have 107 bytes.
  temporary_dir="$(mktemp -d /tmp/boxrun-XXXXXX)"
  state_dir="$temporary_dir"
  export BOXRUN_STATE_DIR="$state_dir" BOXRUN_PORT=0
  unset BOXRUN_SOCKET BOXRUN_DB
fi

program='uname -a; cat /etc/os-release; echo hello from a microVM'
printf "\n\$ npx boxrun run base -- sh -c '%s'\n" "$program"
boxrun run base -- sh -c "$program" | tee -- "$printed"
grep -qx 'hello from a microVM' "$printed" || die "the command ran, but its output did not come back complete"
printf '\n$ npx boxrun ls\n'
boxrun ls

if $temporary; then
  printf '\nIt works: that kernel was a box of its own, and the box is gone again. The temporary server goes now, too.\n'
  exit
fi
cat <<END

It works: that kernel was a box of its own, and the box is gone again. Next, for example:

  npx boxrun create base --name dev       a box that stays
  npx boxrun exec dev -- sh -c 'echo hi > note; ls -l'
  npx boxrun cp dev:/root/note .          files, both ways
  npx boxrun ls
  npx boxrun rm -f dev
  npx boxrun --help

The server runs on in the background for these (pid $(server_pid), state and log in $state_dir).
Stop it with: npx boxrun server stop
END
