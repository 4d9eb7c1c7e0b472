# To be sourced by bash: installs what packages.txt lists.
#
# install_packages GROUP...   returns 0 when everything of these groups is there, 1 with the reason on standard error
#   OBCANAL_REPLACE=1   may remove packages that exclude one of ours (Boost's development packages do)

# Prints the packages of the groups that are not installed, one a line.
missing_packages() { # GROUP...
  local list group package
  list=$(dirname "${BASH_SOURCE[0]}")/packages.txt
  while read -r group package _; do
    case " $* " in *" $group "*) ;; *) continue ;; esac
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
  done < <(grep -vE '^ *(#|$)' "$list")
}

install_packages() { # GROUP...
  if ! command -v dpkg-query >/dev/null; then
    echo "This is no Debian system: install the counterparts of packaging/packages.txt and use --no-install." >&2
    return 1
  fi
  local missing simulation removed
  mapfile -t missing < <(missing_packages "$@")
  [ "${#missing[@]}" -gt 0 ] || return 0
  echo "Debian packages to install: ${missing[*]}"
  if [ "$(id -u)" -ne 0 ]; then
    echo "Installing needs root. As root: apt-get install --no-install-recommends ${missing[*]}" >&2
    return 1
  fi
  # Package lists may be absent (containers) or too old: fetched once, when the first simulation fails.
  if ! simulation=$(apt-get -s install --no-install-recommends "${missing[@]}" 2>&1); then
    apt-get -q update || return 1
    if ! simulation=$(apt-get -s install --no-install-recommends "${missing[@]}" 2>&1); then
      printf '%s\n' "$simulation" >&2
      return 1
    fi
  fi
  removed=$(awk '$1 == "Remv" {print $2}' <<<"$simulation")
  if [ -n "$removed" ] && [ "${OBCANAL_REPLACE:-0}" != 1 ]; then
    { echo "Nothing was installed, because these packages would be removed:"
      sed 's/^/  /' <<<"$removed"
      echo "With --replace they may go."; } >&2
    return 1
  fi
  DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "${missing[@]}" ||
    { apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "${missing[@]}"; }
}
