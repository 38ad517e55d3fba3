#!/usr/bin/env bash
# Does what the README and the quickstart tell a newcomer to do, in a fresh clone
# with empty module and build caches and without a key, and looks at what is
# printed. A warm cache would hide a file that nothing in the clone fetches.
#
# Each command is followed by the seconds that it took.
#
#   docs/newcomer.sh [repository [folder]]     (default: the checkout that it is in)
#
# The clone and the caches are in a temporary folder, or in the empty one that is
# named, which is kept: the clone in whorl, the caches in modules and cache.
set -euo pipefail
from=$(cd "${1:-$(dirname "$0")/..}" && pwd)
if [ -n "${2:-}" ]; then
  tmp=$(cd "$2" && pwd) keep=yes
  [ -z "$(ls -A "$tmp")" ] || { echo "$tmp is not empty"; exit 1; }
else
  tmp=$(mktemp -d) keep=
fi
server=
trap '[ -z "$server" ] || kill "$server"; [ -n "$keep" ] || { chmod -R u+w "$tmp"; rm -rf "$tmp"; }' EXIT
export GOMODCACHE="$tmp/modules" GOCACHE="$tmp/cache" GOFLAGS=-modcacherw
unset ANTHROPIC_API_KEY ANTHROPIC_AUTH_TOKEN ANTHROPIC_BASE_URL COMETAPI_KEY

expect() { # expect PATTERN COMMAND...
  local pattern=$1 began=$SECONDS; shift
  echo "\$ $*"
  "$@" >"$tmp/out" 2>&1 || { grep -vE '^ *(=== |--- (PASS|SKIP): )' "$tmp/out" || true; echo "failed: $*"; exit 1; }
  grep -qE -- "$pattern" "$tmp/out" || { cat "$tmp/out"; echo "no /$pattern/ in the output of: $*"; exit 1; }
  echo "  $((SECONDS - began)) s"
}

git clone -q "$from" "$tmp/whorl"
cd "$tmp/whorl"
# The README's two commands, word for word.
mapfile -t commands < <(sed -n '/^## Two commands$/,/^## /s/^    //p' README.md)
[ "${#commands[@]}" = 2 ] || { echo "README.md, Two commands: there are ${#commands[@]}"; exit 1; }
[[ ${commands[0]} == 'go run ./examples/research "'* ]] || { echo "README.md: the first command is ${commands[0]}"; exit 1; }
[ "${commands[1]}" = 'go test ./...' ] || { echo "README.md: the second command is ${commands[1]}"; exit 1; }
expect 'running offline' bash -c "${commands[0]}"
expect '^ok .*/examples/new' go test -v ./... # the same, and tells what is skipped
.ci/skipped "$tmp/out"
cp "$tmp/out" "$tmp/tested"
expect 'net/http/transport\.go:[0-9]+' go run ./examples/research "How does net/http decide whether to retry a request?"
expect 'Not found' go run ./examples/research "What is the capital of France?"
# The README's agent prints what stands there.
go build -o "$tmp/serve" ./transport/simulator/serve
"$tmp/serve" -addr 127.0.0.1:0 -model examples/quickstart/replies.json 2>"$tmp/serving" >/dev/null &
server=$!
until grep -q http:// "$tmp/serving"; do kill -0 "$server" || { cat "$tmp/serving"; exit 1; }; sleep 0.1; done
export ANTHROPIC_BASE_URL=$(grep -oE "http://[0-9.:]+" "$tmp/serving" | head -1) ANTHROPIC_API_KEY=any
expect '^Yes: it is 18 °C in Lisbon' go run ./examples/quickstart
diff "$tmp/out" examples/quickstart/testdata/output.txt
unset ANTHROPIC_BASE_URL ANTHROPIC_API_KEY
expect 'is ready' go run ./examples/new -dir "$tmp/mybot" -module example.com/mybot -replace .
cd "$tmp/mybot"
expect '' go mod tidy
expect '^ok' go test ./...
# Without a key the agent says what to set.
go run . "What time is it?" >"$tmp/out" 2>&1 && { echo "an agent without a key ran"; exit 1; }
grep -q ANTHROPIC_API_KEY "$tmp/out" || { cat "$tmp/out"; exit 1; }
cd "$tmp/whorl"
expect 'github.com/whorl-go/whorl/agent' go doc github.com/whorl-go/whorl/agent
# printed is what the tests of a package of the main module printed above.
printed() {
  awk -v package="github.com/whorl-go/whorl/${1#./}" '
    { lines = lines $0 "\n" }
    /^(ok|FAIL|\?)[ \t]+[^ \t]+\// { if ($1 == "ok" && $2 == package) printf "%s", lines; lines = "" }
  ' "$tmp/tested"
}
# The program that each guide begins with. Those in modules of their own run with their
# module's tests.
for guide in docs/*.md; do
  file=$(sed -n 's/^<!-- weave \([^# ]*\).*/\1/p' "$guide" | head -1)
  dir=$(dirname "${file:-none}")
  [ "$(go list -f '{{.Module.Path}}' "./$dir" 2>/dev/null)" = github.com/whorl-go/whorl ] || continue
  case $file in
  *_test.go)
    pattern='^--- PASS: Example'
    grep -q '^func Example' "$file" || pattern='^--- PASS: '
    printed "./$dir" | grep -E -- "$pattern" >/dev/null || { echo "$guide: no /$pattern/ in what the tests of $dir printed"; exit 1; }
    echo "$guide: the tests of $dir, above"
    ;;
  *.go) echo "$guide:" && expect '' go build -o "$tmp/program" "./$dir" ;;
  esac
done
# Each example, as its row in the README says.
began=$SECONDS
bash .ci/examples
echo "  $((SECONDS - began)) s"
echo "a newcomer gets what the README and the guides say"
