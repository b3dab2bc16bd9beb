# shellcheck shell=bash
# What the scripts in tools/ share. Sourcing it defines variables and functions, and does nothing else.

root="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)"

# Kernel, initramfs, agent, base image and Go are kept here, keyed by content; deleting it costs time only.
# shellcheck disable=SC2034 # used by the scripts that source this file
cache_dir="${BOXRUN_CACHE_DIR:-$HOME/.cache/boxrun}"

quiet=false
step() { printf '==> %s\n' "$*"; }
detail() { $quiet || printf '    %s\n' "$*"; }
die() {
  printf '\nerror: %s\n' "$1" >&2
  shift
  if (($# > 0)); then printf '       %s\n' "$@" >&2; fi
  exit 1
}

# Runs a talkative command; what it says is shown only when it fails, with its exit status kept.
quietly() {
  local said status=0
  said="$("$@" 2>&1 </dev/null)" || status=$?
  ((status == 0)) || printf '%s\n' "$said" >&2
  return "$status"
}

# What the script begins with: its help.
usage() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; }
# Ends it for what it does not know.
refuse() {
  printf '%s\n\n' "$1" >&2
  usage >&2
  exit 2
}

has() { command -v "$1" >/dev/null 2>&1; }

# The checkout runs on the Node 24 that npm installed into it; Debian keeps mke2fs and debootstrap in sbin.
# $1, if given, is the directory of the go command.
use_checkout_path() {
  [[ -z "${1:-}" || "$(command -v go || true)" == "$1/go" ]] || PATH="$1:$PATH"
  export PATH="$root/node_modules/.bin:$PATH:/usr/sbin:/sbin"
}

# Runs a command as root: directly, with sudo without a password, or with sudo on a terminal where a person can type one.
can_be_root() { ((EUID == 0)) || { has sudo && { sudo -n true 2>/dev/null || [[ -t 0 && -t 2 ]]; }; }; }
as_root() {
  if ((EUID == 0)); then "$@"; else sudo "$@"; fi
}
