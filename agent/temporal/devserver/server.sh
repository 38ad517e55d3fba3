#!/usr/bin/env bash
# Builds Temporal's dev server, once, and runs it on 127.0.0.1:
#
#   ./server.sh PORT FILE [OPTIONS]   the server, with its state in FILE, until it is killed
#   ./server.sh                       only builds
#
# The first build takes about 320 seconds of CPU. WHORL_TEMPORAL_BIN names a program
# that is there already.
set -euo pipefail
version=v1.5.1
bin=${WHORL_TEMPORAL_BIN:-${XDG_CACHE_HOME:-$HOME/.cache}/whorl/temporal-$version/temporal}
if [ ! -x "$bin" ]; then
  mkdir -p "$(dirname "$bin")"
  GOBIN=$(dirname "$bin") go install github.com/temporalio/cli/cmd/temporal@$version >&2
fi
[ $# -ge 2 ] || exit 0
exec "$bin" server start-dev --ip 127.0.0.1 --port "$1" --headless --db-filename "$2" --log-level error "${@:3}"
