#!/usr/bin/env bash
# npm test: sets up what is missing, then runs every test. The last line is the count over all of them.
#
#   npm test                          everything but --install and --boxlite
#   npm test -- --unit                one stage: --unit (no VM), --go, --vm (real microVMs), --install (from the packed
#                                     packages on clean Debian systems), --boxlite (real BoxLite boxes)
#   npm test -- lifecycle -t restart  vitest's filters: files whose path holds the word, tests whose name matches
set -euo pipefail
# shellcheck source=lib/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib/common.sh"
# shellcheck source=lib/go.sh
. "$root/tools/lib/go.sh"

if [[ "${1:-}" == -h || "${1:-}" == --help ]]; then
  usage
  exit
fi
bash "$root/tools/setup.sh" --tests --quiet
use_checkout_path "$(find_go)"
cd -- "$root"
exec node tools/test-run/main.ts "$@"
