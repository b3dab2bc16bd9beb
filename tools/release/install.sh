#!/bin/sh
# Installs boxrun from the archive beside this script, once its sum is what SHA256SUMS says. Needs no Node and no root.
#
#   sh install.sh [--prefix DIR]     default: /usr/local for root, else ~/.local
#
# Goes to DIR/lib/boxrun, with DIR/bin/boxrun pointing there. An older one is replaced; boxes and settings are elsewhere and stay.
set -eu

die() {
  printf 'install.sh: %s\n' "$1" >&2
  exit 1
}

if [ "$(id -u)" = 0 ]; then prefix=/usr/local; else prefix="${HOME:?}/.local"; fi
while [ $# -gt 0 ]; do
  case "$1" in
  --prefix)
    [ $# -ge 2 ] || die "--prefix needs a directory"
    prefix="$2"
    shift 2
    ;;
  -h | --help)
    sed -n '2,6s/^# \{0,1\}//p' "$0"
    exit
    ;;
  *) die "unknown argument $1; there is --prefix DIR" ;;
  esac
done

[ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] || die "this is $(uname -s) on $(uname -m); the archive is for Linux on x86_64"
here="$(cd -- "$(dirname -- "$0")" && pwd -P)"
line="$(grep -E '^[0-9a-f]{64} [ *]boxrun-[^/ ]*-linux-x64\.tar\.gz$' "$here/SHA256SUMS")" || die "SHA256SUMS beside this script names no archive"
archive="${line##* }"
archive="${archive#\*}"
[ -f "$here/$archive" ] || die "$archive is not beside this script"
(cd -- "$here" && printf '%s\n' "$line" | sha256sum --check --quiet --strict -) || die "$archive is damaged or not the one that SHA256SUMS is about; nothing was installed"

mkdir -p -- "$prefix/lib" "$prefix/bin"
new="$(mktemp -d -- "$prefix/lib/.boxrun-XXXXXX")"
trap 'rm -rf -- "$new"' EXIT
tar -xzf "$here/$archive" -C "$new" --strip-components=1 --no-same-owner
chmod 755 "$new"
# A server that runs has read what it needs; the next command that starts one starts the new one.
if [ -e "$prefix/lib/boxrun" ]; then
  [ -f "$prefix/lib/boxrun/lib/boxrun/installed-by" ] || die "$prefix/lib/boxrun is there, and none that this script has installed"
  rm -rf -- "$prefix/lib/boxrun"
fi
mv -- "$new" "$prefix/lib/boxrun"
trap - EXIT
ln -sfn ../lib/boxrun/bin/boxrun "$prefix/bin/boxrun"
printf 'boxrun %s is installed: %s\n' "$("$prefix/bin/boxrun" --version)" "$prefix/bin/boxrun"
case ":$PATH:" in
*":$prefix/bin:"*) ;;
*) printf 'Put %s on your PATH.\n' "$prefix/bin" ;;
esac
printf 'Next: boxrun setup\n'
