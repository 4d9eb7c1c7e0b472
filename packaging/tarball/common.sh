# To be sourced by startup.sh, stop.sh and restart.sh: where things are, and which process is meant.
if [ -z "${BASH_VERSION:-}" ]; then
  # "sh startup.sh" where sh is dash: it drops environment variables with dots in their names, such as canal.port. The
  # kernel still has those that it was started with.
  bash -c 'mapfile -d "" -t environment <"/proc/$PPID/environ"; exec env -- "${environment[@]}" bash "$@"' "$0" "$0" "$@"
  exit
fi
bin=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
base=$(dirname "$bin")
pid_file=$bin/canal.pid

# Prints the id of the running server: of obcanal-server, or of the Java server that this directory belonged to.
# A number that another process got since, or none, is no server.
running_pid() {
  local pid='' command=''
  { read -r pid <"$pid_file"; } 2>/dev/null
  case $pid in '' | *[!0-9]*) return 1 ;; esac
  { command=$(tr '\0' ' ' <"/proc/$pid/cmdline"); } 2>/dev/null
  case $command in
    "$bin/obcanal-server "* | *appName=otter-canal*) echo "$pid" ;;
    *) return 1 ;;
  esac
}
