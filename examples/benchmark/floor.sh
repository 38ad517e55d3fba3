#!/usr/bin/env bash
# What Whorl costs over the floor, in one go: a quarter of an hour on a quiet machine.
#
#   ./floor.sh [folder]    the tables go to standard output, all figures to the folder
#
# The parts: 10, 50, 200 and 1,000 steps; 200 B to 200 KB in a result; 1 to 30 calls
# in a step; HTTP/1.1 and HTTP/2; 1 to 10,000 conversations at once, with the memory
# they take and the slowest steps; the time between a response and the next request,
# inside the process; and an agent's cold start with 50 tools.
set -euo pipefail
cd "$(dirname "$0")"
out=$(realpath -m "${1:-results}")
go run . -drivers floor,whorl -axes steps,results,parallel,protocol,concurrency -crowd -out "$out" </dev/null
cd ../..
go test ./agent -run '^$' -bench 'Turnaround|ColdStart' -count 5 </dev/null
go test ./agent -run 'TestAllocationsPerStepAreFlat|TestMemoryHeldByLogsAndForks' -count 1 -v </dev/null
