#!/usr/bin/env bash
# Sets up whatever this checkout needs and does not have yet; says what it does, and does nothing when all is there.
#
#   bash tools/setup.sh [--tests] [--quiet]
#
#   --tests   also what only the tests need
#   --quiet   says only what it changes
set -euo pipefail
# shellcheck source=lib/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib/common.sh"
# shellcheck source=lib/debian.sh
. "$root/tools/lib/debian.sh"
# shellcheck source=lib/go.sh
. "$root/tools/lib/go.sh"

with_tests=false
for argument in "$@"; do
  case "$argument" in
  --tests) with_tests=true ;;
  --quiet) quiet=true ;;
  -h | --help)
    usage
    exit
    ;;
  *) refuse "setup.sh does not know '$argument'" ;;
  esac
done
cd -- "$root"

# Two at once (npm test in two terminals) take turns.
if has flock; then
  exec 9<"$root/tools/setup.sh"
  flock 9
fi

node_advice=(
  "It is what npm comes with; the checkout then brings its own Node 24 along."
  "Debian 13: apt-get install nodejs npm. Debian 12's is too old: take one from nodejs.org, nvm or NodeSource."
)

# v24.1.0 -> 24
major() {
  local number="${1#v}"
  echo "${number%%.*}"
}

check_node() {
  has node || die "Node.js 20 or newer is missing" "${node_advice[@]}"
  has npm || die "npm is missing" "${node_advice[@]}"
  local version
  version="$(node --version)"
  (($(major "$version") >= 20)) || die "Node.js 20 or newer is needed, this is $version" "${node_advice[@]}"
  detail "Node: $version, npm $(npm --version 2>/dev/null)"
}

# True when what npm wrote down after its last complete install is what the lock file asks for.
node_modules_are_current() {
  [[ -f node_modules/.package-lock.json ]] && node -e '
    const { existsSync, readFileSync } = require("node:fs");
    const packages = (file) => JSON.parse(readFileSync(file, "utf8")).packages;
    const installed = packages("node_modules/.package-lock.json");
    for (const [path, wanted] of Object.entries(packages("package-lock.json"))) {
      if (path === "") continue;
      if (!existsSync(path) && !wanted.optional) process.exit(1);
      if (!path.includes("node_modules/") || wanted.link) continue;
      const there = installed[path];
      if (there ? there.version !== wanted.version : !wanted.optional) process.exit(1);
    }
    if (!existsSync("node_modules/.bin/boxrun")) process.exit(1);'
}

ensure_node_modules() {
  if node_modules_are_current; then
    detail "node modules: as package-lock.json says"
  else
    step "npm ci"
    npm ci --no-audit --no-fund --loglevel=error </dev/null
  fi
  local version
  if ! version="$(node_modules/.bin/node --version 2>/dev/null)"; then
    # The npm package `node` fetches its binary in an install script; a setting of the user's may have kept it from running.
    step "npm rebuild node"
    npm rebuild --ignore-scripts=false --loglevel=error node </dev/null
    version="$(node_modules/.bin/node --version)" || die "npm did not install the checkout's own Node into node_modules/.bin" \
      "Does your npm configuration forbid install scripts (npm config get ignore-scripts)?"
  fi
  (($(major "$version") >= 24)) || die "node_modules/.bin/node is $version, not 24" \
    "Remove node_modules and run this again."
  detail "Node for the checkout: $version"
}

# Runs a builder with the checkout's Node. It keeps its results in the cache and does nothing when they are there.
build() {
  local what="$1" entry="$2" output
  [[ -f "$entry" ]] || die "$entry is missing, which builds the $what: this checkout is incomplete"
  $quiet || step "$what"
  if ! $quiet; then
    node "$entry" </dev/null || die "building the $what failed; its messages are above"
  elif ! output="$(node "$entry" 2>&1 </dev/null)"; then
    printf '%s\n' "$output" >&2
    die "building the $what failed; its messages are above"
  fi
}

$quiet || step "looking at what is there"
check_node
ensure_node_modules
ensure_packages "$with_tests"
ensure_go
use_checkout_path "$go_dir"
build "guest (kernel, initramfs, agent)" packages/engine-qemu/src/guest-build/main.ts
build "base image" packages/images/src/base/main.ts
build "dashboard" tools/dashboard.ts
$quiet || step "everything is set up"
