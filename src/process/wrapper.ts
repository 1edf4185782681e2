/** What the wrapper makes in the attempt's folder; the store's layout has the same names, and a test compares them. */
export const WRAPPER_FILES = { exit: "exit", stdout: "stdout.log", stderr: "stderr.log" } as const;

/** Names the wrapper uses for itself; a user's variable that begins like this goes by `env`. */
export const OWN_PREFIX = "wf__";

/** What closes the gate; so does its end, or anything else that is not the word: the command never runs. */
export const DISCARD = "1\n\nat\n1\n\n";

/** What opens the gate. The folder follows, framed as `framed` does it. */
export const GO = "go\nat\n";

/** What it answers instead of a status. */
export const NOT_BEGUN = "none";
export const UNRECORDED = "unrecorded";
export const TAKEN = "taken";

/**
 * POSIX sh. Descriptor 3 is the channel to the engine. The inner one, which becomes the command, reads the attempt's
 * folder, what to run (each one line of shell words, its length on a line before it), and, once the start is in the
 * journal, the gate's word. The outer one records: it only waits for the inner one, and is then told the folder, by what was
 * sent with that word: whether or not the engine still lives, and whatever the inner one left unread. It answers with one
 * line: the exit status, or why there is none.
 *
 * The inner one is forked ahead of time, so that only an exec is left to do. The status is on disk before
 * the channel is written to, since with the engine dead that write ends the outer one (SIGPIPE).
 *
 * Whoever creates `exit` is the one that runs the command and writes its status; a wrapper that finds it there is a second
 * start, and is killed, as it would add its own. `true`: a redirection of `:` that fails would end the shell.
 */
const WRAPPER = `
wf__n='
'
wf__not_ours() {
  [ ! -e "$1/${WRAPPER_FILES.exit}" ] || exec /bin/sh -c 'kill -KILL "$PPID"; echo ${TAKEN} >&3'
  exit
}
wf__inner() {
  wf__read || exit
  eval "set -- $wf__a"
  [ $# -eq 1 ] && wf__read || exit
  eval "$wf__a"
  exec <"$3" >>"$1/${WRAPPER_FILES.stdout}" 2>>"$1/${WRAPPER_FILES.stderr}" || exit
  wf__line && [ "$wf__a" = go ] || exit
  set -C
  true 2>&- >"$1/${WRAPPER_FILES.exit}" || wf__not_ours "$1"
  shift 3
  exec "$@" 3>&-
}
wf__record() {
  wf__a=
  until [ "$wf__a" = at ]; do wf__line || exit; done
  wf__read || exit
  eval "set -- $wf__a"
  if [ $# -ne 1 ]; then wf__s=${NOT_BEGUN}
  elif [ ! -d "$1" ]; then wf__s=${UNRECORDED}
  elif [ ! -e "$1/${WRAPPER_FILES.exit}" ]; then wf__s=${NOT_BEGUN}
  elif ! echo "$wf__s" >>"$1/${WRAPPER_FILES.exit}"; then wf__s=${UNRECORDED}
  fi
  echo "$wf__s" >&3
}
`;

const READ_BY_LINE = `
wf__line() { IFS= read -r wf__a <&3; }
wf__read() { wf__line && wf__line; }
`;

/** In one go instead of byte by byte, as every shell must read a line from a channel. */
const READ_BY_LENGTH = `
wf__line() { IFS= read -r -u 3 wf__a; }
wf__read() { wf__line && IFS= read -r -u 3 -N "$wf__a" wf__a; }
`;

/**
 * For a `sh` started for one wrapper, in which both are of one group. `trap :` lets the outer one survive what is sent to
 * the group and yet is not inherited, as `trap ''` would be.
 */
export const DIRECT_SCRIPT = `${WRAPPER}${READ_BY_LINE}
wf__own_locale() { unset LC_ALL; }
trap : HUP INT TERM
( wf__inner )
wf__s=$?
wf__record
exit 0`;

export const HELPER_READY = "ready";

/**
 * For the `bash` that forks recorders. A slot's number on its standard input asks for one; it answers with the slot
 * and the recorder's pid. The recorder makes one inner process after another, each when the one before it is done, and
 * writes the pid of each into the channel. `set -m` gives each its own process group, without a further process: the
 * command's is gone when its status is known, and what is sent to it does not reach the recorder.
 *
 * @param slots how many channels it was given, from descriptor 3 on
 */
export function helperScript(slots: number): string {
  // The channel as 3, and no other of them: closed for the subshell alone, at no cost to undo it.
  const others = Array.from({ length: slots - 1 }, (_, i) => `${i + 4}<&-`).join(" ");
  return `${WRAPPER}
if [ "\${BASH_VERSINFO[0]}" -ge 5 ]; then ${READ_BY_LENGTH} else ${READ_BY_LINE} fi
wf__own_locale() { export -n LC_ALL; }
wf__recorder() {
  set -m
  while :; do
    ( set +m; wf__inner ) &
    echo "${HELPER_READY} $!" >&3
    wait "$!"
    wf__s=$?
    wf__record
  done
}
set -m
case $- in *m*) ;; *) exit 1 ;; esac
echo ${HELPER_READY}
while IFS= read -r wf__a; do
  wf__recorder <&2 >&2 3<&"$((wf__a + 3))" ${others} &
  echo "$wf__a $!"
  disown "$!"
done
`;
}
