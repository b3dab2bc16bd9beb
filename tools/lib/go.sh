# shellcheck shell=bash
# A Go that can build the guest agent: one that is there, one of the system's packages, or Debian 13's, unpacked into the cache.

go_minimum=1.24

# True when $1 is a go command of at least $go_minimum. Never lets it download another toolchain to find out.
go_is_new_enough() {
  local version
  version="$(cd / && GOTOOLCHAIN=local GOFLAGS='' "$1" env GOVERSION 2>/dev/null)" || return 1
  [[ "$version" =~ ^go([0-9]+)\.([0-9]+) ]] || return 1
  ((BASH_REMATCH[1] > ${go_minimum%%.*} || (BASH_REMATCH[1] == ${go_minimum%%.*} && BASH_REMATCH[2] >= ${go_minimum##*.})))
}

# Prints the directory of a new enough go command, or fails.
find_go() {
  local candidate
  for candidate in "$(command -v go || true)" /usr/local/go/bin/go /usr/lib/go-*/bin/go "$cache_dir"/go/*/usr/lib/go-*/bin/go; do
    if [[ -n "$candidate" && -x "$candidate" ]] && go_is_new_enough "$candidate"; then
      dirname -- "$candidate"
      return
    fi
  done
  return 1
}

apt_candidate_is_new_enough() {
  local version
  version="$(apt-cache policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: \([0-9]*:\)\{0,1\}//p')"
  [[ "$version" =~ ^[0-9] ]] && dpkg --compare-versions "$version" ge "$go_minimum~" # 1.24~2 is a 1.24
}

# Debian 12 has no Go that is new enough, Debian 13 has. Its packages need no more than unpacking, so they go into the
# cache, checked by apt against Debian's own key, from the mirror that this machine uses; the system stays as it is.
unpack_debian_go() {
  local keyring=/usr/share/keyrings/debian-archive-keyring.gpg mirror work package version
  # shellcheck disable=SC2016 # apt's own notation
  mirror="$(apt-get indextargets --format '$(REPO_URI)' | sed '/security/d')"
  mirror="${mirror%%$'\n'*}"
  [[ -r "$keyring" && -n "$mirror" ]] || return 1
  mkdir -p -- "$cache_dir/go"
  work="$(mktemp -d -- "$cache_dir/go/.unpacking-XXXXXX")" || return 1
  # shellcheck disable=SC2064 # the directory of now
  trap "rm -rf -- $(printf %q "$work")" EXIT
  # In a file, because apt's command line splits paths at spaces.
  mkdir -p -- "$work"/{lists/partial,cache/archives/partial,download,root}
  printf 'deb [signed-by=%s] %s trixie main\n' "$keyring" "$mirror" >"$work/sources.list"
  cat >"$work/apt.conf" <<CONF
Dir::Etc::SourceList "$work/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::State::Lists "$work/lists";
Dir::Cache "$work/cache";
Acquire::Languages "none";
APT::Sandbox::User "root";
CONF
  package="golang-$go_minimum"
  (
    export APT_CONFIG="$work/apt.conf"
    cd -- "$work/download" || exit 1
    quietly apt-get -q update && quietly apt-get -q download "$package-go" "$package-src"
  ) || return 1
  for package in "$work"/download/*.deb; do
    dpkg-deb -x "$package" "$work/root" || return 1
  done
  version="$(dpkg-deb -f "$(printf '%s\n' "$work"/download/golang-*-go_*.deb)" Version)"
  rm -rf -- "$cache_dir/go/debian-$version"
  mv -- "$work/root" "$cache_dir/go/debian-$version"
}

# Sets go_dir to the directory of a go command that builds the agent.
ensure_go() {
  if go_dir="$(find_go)"; then
    detail "Go: $(GOTOOLCHAIN=local "$go_dir/go" env GOVERSION) in $go_dir"
    return
  fi
  if is_debian_like && can_be_root && apt_candidate_is_new_enough golang-go; then
    install_packages golang-go
  elif is_debian_like && [[ "$(. /etc/os-release && echo "$ID")" == debian ]]; then
    step "Go: unpacking Debian 13's package into $cache_dir/go"
    (unpack_debian_go) || true
  fi
  go_dir="$(find_go)" || die "Go $go_minimum or newer is missing: it builds the agent that runs inside the VMs" \
    "Put it on PATH or at /usr/local/go. Debian 13: apt-get install golang-go." \
    "Elsewhere: the archive that the Go project publishes, unpacked to /usr/local."
  step "Go: $(GOTOOLCHAIN=local "$go_dir/go" env GOVERSION) in $go_dir"
}
