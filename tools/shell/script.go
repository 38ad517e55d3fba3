package shell

// launcher runs in a shell of its own before anything else, outside of the
// sandbox. It closes the descriptors that the program was started with: only the
// three standard ones and the session's go on. It lets the system choose the
// command, and not the program, where memory runs out. It waits until the
// program's thread that it was started from ($1, unless empty) has ended.
const launcher = `
for ((n = 0; n < 500; n++)); do
	[ -n "$1" ] && [ -e "/proc/$PPID/task/$1" ] || break
	sleep 0.01
done
[ "$n" -lt 500 ] || { echo "the program's thread $1 doesn't end"; exit 125; }
shift
for fd in /dev/fd/*; do
	fd=${fd##*/}
	case $fd in
	0|1|2|3|*[!0-9]*) ;;
	*) eval "exec $fd>&-" ;;
	esac
done
{ echo 1000 >/proc/self/oom_score_adj; } 2>/dev/null
exec "$@"
`

// launcherThread is where the launcher's first argument is in a command line.
const launcherThread = 6

// script restores the session ($6, $7), sets limits ($2 to $4), and runs the
// command ($1). At its end it tells the state of the session on file descriptor
// 3, so that exit doesn't lose it: the directory, a NUL, a script that restores
// exported variables and functions, a NUL and, if the processes in /proc are the
// command's own ($5), the names of those that it left behind. The command itself
// doesn't have the descriptor. Its EXIT trap runs between the two.
const script = `
__left= __trap=
__state() { ( unset -f trap __state __end __left; printf '%s\0' "$PWD"; unset PWD OLDPWD SHLVL; declare -x; declare -f; printf '\0' ) >&3; } 2>/dev/null
__left() {
	local p stat name
	set -- /proc/[0-9]*
	[ "$#" -gt 2 ] || return 0 # only the sandbox's first process and this one
	sleep 0.05 # what was just started has its name soon
	for p in /proc/[0-9]*; do
		p=${p#/proc/}
		[ "$p" != 1 ] && [ "$p" != "$$" ] && read -r stat <"/proc/$p/stat" || continue
		name=${stat#*(}
		name=${name%)*}
		stat=${stat##*) }
		case $stat in [ZX]*) ;; *) printf '%s\0' "$name" >&3 ;; esac
	done
} 2>/dev/null
__end() {
	local status=$? IFS=$' \t\n'
	set +e +u +f +x
	__state
	if [ -n "$__trap" ]; then
		( exit "$status" )
		eval "$__trap" 3>&-
	fi
	[ "$__proc" = 0 ] || __left
	return "$status"
}
trap() {
	if [ "$BASHPID" != "$$" ]; then builtin trap "$@"; return; fi
	[ "${1-}" != -- ] || shift
	case ${1-} in -[lp]*|'') [ "$#" -gt 1 ] || { builtin trap "$@"; return; } ;; esac
	local action=- signal rest=()
	if [ "$#" -gt 1 ]; then action=$1; shift; fi
	for signal; do
		case $signal in
		0|[Ee][Xx][Ii][Tt]|[Ss][Ii][Gg][Ee][Xx][Ii][Tt]) __trap=$action; [ "$action" != - ] || __trap= ;;
		*) rest+=("$signal") ;;
		esac
	done
	[ "${#rest[@]}" = 0 ] || builtin trap -- "$action" "${rest[@]}"
}
builtin trap __end EXIT
ulimit -c 0
ulimit -f "$2"
[ "$3" = 0 ] || ulimit -u "$3"
[ "$4" = 0 ] || ulimit -d "$4"
__proc=$5
eval "$6"
cd -- "$7" 2>/dev/null || echo "[the folder $7 is gone; this is $PWD]"
eval "$1" 3>&-
`
