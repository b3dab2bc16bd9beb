# shellcheck shell=bash
# Debian's packages: which are missing, and how they get here.

# What the server needs at run time and what setup builds with.
runtime_packages=(qemu-system-x86 qemu-utils skopeo passt squashfs-tools e2fsprogs busybox-static bubblewrap iproute2 xz-utils)
# What the tests need on top: a registry on loopback, a Debian root to make an image of, a way into the outer VM, a terminal, shells to complete in, a certificate, a reverse proxy; and the browser below.
test_packages=(docker-registry debootstrap openssh-client tmux bash-completion zsh fish openssl nginx-light)

# The same for people on other systems: a command, and who it belongs to.
runtime_commands=(
  "qemu-system-x86_64:QEMU" "qemu-img:QEMU's tools" "skopeo:skopeo" "passt:passt" "mksquashfs:squashfs-tools"
  "mke2fs:e2fsprogs" "busybox:a static busybox" "bwrap:bubblewrap" "ip:iproute2" "xz:xz"
)
test_commands=(
  "docker-registry:the Docker/OCI distribution registry" "debootstrap:debootstrap" "ssh:OpenSSH's client" "tmux:tmux" "zsh:zsh" "fish:fish" "openssl:OpenSSL" "chromium:Chromium" "nginx:nginx"
)

is_debian_like() { has apt-get && has dpkg-query && has dpkg-deb; }

# Prints those of "$@" that are not installed.
missing_packages() {
  local installed package
  # dpkg-query fails when it does not know one of them, which is the very case this is for.
  installed="$({ dpkg-query -W -f='${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || true; } | sed -n 's/^installed //p')"
  for package in "$@"; do
    grep -qxF -- "$package" <<<"$installed" || printf '%s\n' "$package"
  done
}

has_candidate() { [[ "$(apt-cache policy "$1" 2>/dev/null)" =~ Candidate:\ [0-9] ]]; }

virtiofsd_is_here() { [[ -x /usr/lib/qemu/virtiofsd || -x /usr/libexec/virtiofsd || -x /usr/lib/virtiofsd ]]; }

apt_command() { printf 'apt-get update && apt-get install -y --no-install-recommends %s' "$*"; }

# Only right after apt-get update: a package's name depends on what the release has.
# Debian 12 ships virtiofsd inside QEMU's common package, Debian 13 on its own.
virtiofsd_package() { if has_candidate virtiofsd; then echo virtiofsd; else echo qemu-system-common; fi; }

# Chromium without its windows takes half the CPU. Where a release does not have it, Chromium does.
browser=chromium-headless-shell
browser_is_here() { has "$browser" || { has chromium && ! has_candidate "$browser"; }; }
browser_package() { if has_candidate "$browser"; then echo "$browser"; else echo chromium; fi; }

# "$@" as this release calls them, and virtiofsd, where it is missing.
released_packages() {
  local package
  for package in "$@"; do
    if [[ "$package" == "$browser" ]]; then browser_package; else printf '%s\n' "$package"; fi
  done
  virtiofsd_is_here || virtiofsd_package
}

# Installs "$@" (and virtiofsd, where it is missing).
install_packages() {
  local wanted=() held_registry=false
  if ! can_be_root; then
    mapfile -t wanted < <(released_packages "$@")
    die "these Debian packages are missing, and neither root nor sudo is at hand to install them: ${wanted[*]}" \
      "Run this as root, then try again:" "  $(apt_command "${wanted[@]}")"
  fi
  local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300)
  step "apt-get update"
  quietly as_root "${apt[@]}" update || die "apt-get update failed; its messages are above"
  mapfile -t wanted < <(released_packages "$@")
  step "apt-get install ${wanted[*]}"
  # docker-registry's package would start a registry on port 5000 under systemd; the tests start their own.
  if [[ " ${wanted[*]} " == *" docker-registry "* && -d /run/systemd/system ]]; then
    as_root systemctl mask --runtime --quiet docker-registry.service && held_registry=true
  fi
  local status=0
  quietly as_root "${apt[@]}" install --no-install-recommends "${wanted[@]}" || status=$?
  if $held_registry; then
    as_root systemctl unmask --runtime --quiet docker-registry.service || true
    as_root systemctl disable --quiet docker-registry.service || true
  fi
  ((status == 0)) || die "apt-get could not install: ${wanted[*]}" "Its own messages are above. To try by hand:" \
    "  $(apt_command "${wanted[@]}")"
}

# Makes sure of the packages, with the tests' when $1 is true.
ensure_packages() {
  local packages=("${runtime_packages[@]}") commands=("${runtime_commands[@]}") missing=() entry
  if $1; then
    packages+=("${test_packages[@]}")
    commands+=("${test_commands[@]}")
  fi
  if is_debian_like; then
    mapfile -t missing < <(missing_packages "${packages[@]}")
    ! $1 || browser_is_here || missing+=("$browser")
    if ((${#missing[@]} == 0)) && virtiofsd_is_here; then
      detail "Debian packages: all ${#packages[@]} there"
    else
      install_packages "${missing[@]}"
    fi
    return
  fi
  for entry in "${commands[@]}"; do
    has "${entry%%:*}" || missing+=("${entry%%:*}  (${entry#*:})")
  done
  virtiofsd_is_here || missing+=("virtiofsd, in /usr/libexec or /usr/lib/qemu")
  ((${#missing[@]} == 0)) || die "this is not a Debian system, so that setup installs nothing; please install:" "${missing[@]}"
  detail "commands: all ${#commands[@]} there"
}
