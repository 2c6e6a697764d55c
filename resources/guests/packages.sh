# Debian packages of $debian's architecture and $suite, through an apt state of our own: the
# system's is read for its mirror, proxies and certificates, never written.
# shellcheck shell=sh disable=SC2154 # the variables are fetch's

apt_() { # get|cache ARGUMENT...
  tool=$1
  shift
  state=$cache/apt/$suite-$debian
  if [ ! -e "$state/sources.list" ]; then
    mkdir -p "$state/lists/partial" "$state/archives/partial"
    : >"$state/status"
    # The system's hooks are not for us: those of container images delete downloads.
    for hook in APT::Update::Pre-Invoke APT::Update::Post-Invoke DPkg::Pre-Invoke \
      APT::Update::Post-Invoke-Success DPkg::Post-Invoke DPkg::Pre-Install-Pkgs; do
      echo "#clear $hook;"
    done >"$state/apt.conf"
    mirror=$("$recipes/mirror")
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    [ -e $keyring ] || die "install debian-archive-keyring: without it no package can be verified"
    echo "deb [signed-by=$keyring] $mirror $suite main" >"$state/sources.list"
  fi
  # Progress for who is watching.
  if [ -t 2 ]; then quiet=0; else quiet=2; fi
  "apt-$tool" -c "$state/apt.conf" \
    -o APT::Architecture="$debian" -o APT::Architectures="$debian" \
    -o Dir::State="$state" -o Dir::State::lists="$state/lists" \
    -o Dir::State::status="$state/status" \
    -o Dir::Cache="$state" -o Dir::Cache::archives="$state/archives" \
    -o Dir::Etc::sourcelist="$state/sources.list" -o Dir::Etc::sourceparts=/dev/null \
    -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
    -o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false \
    -o Acquire::Retries=3 -o APT::Install-Recommends=false \
    -o APT::Get::List-Cleanup=false -o APT::Sandbox::User="$(id -un)" -o quiet=$quiet "$@"
}

# Reads the archive's lists, at most once per run.
updated=
update() {
  [ -z "$updated" ] || return 0
  # A mirror can be between two states for a moment.
  for attempt in 1 2 3; do
    if apt_ get update -o APT::Update::Error-Mode=any >&2; then
      updated=1
      return 0
    fi
    [ "$attempt" = 3 ] || { note "trying again in 10 seconds"; sleep 10; }
  done
  die "the lists of Debian $suite could not be fetched: see apt's message above"
}

# download PACKAGE...: them alone. Prints nothing; the files are found by deb_of.
download() {
  update
  for package; do
    (cd "$state/archives" && apt_ get download "$package" >&2) ||
      die "apt could not fetch $package: see its message above"
  done
}

deb_of() { # PACKAGE
  for deb in "$state/archives/$1"_*.deb; do echo "$deb"; done | tail -n 1
}

# download_all PACKAGE...: them and all that they depend on; prints the packages' files.
download_all() {
  update
  apt_ get install -y --download-only "$@" >&2 ||
    die "apt could not fetch $*: see its message above"
  apt_ get install -y --print-uris -o Dir::Cache::archives="$state/none" -o quiet=2 "$@" |
    sed -n "s/^'[^']*' \([^ ]*\.deb\) .*/\1/p" | while read -r name; do
      [ -f "$state/archives/$name" ] || die "apt did not fetch $name"
      echo "$state/archives/$name"
    done
}

forget_downloads() { rm -f "$state/archives"/*.deb; }
