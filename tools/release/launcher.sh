#!/bin/sh
# boxrun with the Node that came along with it; may be called by a symlink.
here="$(dirname -- "$(readlink -f -- "$0")")"
exec "$here/../lib/node" -- "$here/../lib/boxrun/bin/boxrun.js" "$@"
