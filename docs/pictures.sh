#!/usr/bin/env bash
# Makes the pictures of the documents from real runs. Run it from the root. The
# screenshots are taken by the tests that try the page and the chat in Chromium, so it
# needs Debian's package chromium and, for the chat, npm.
set -euo pipefail
unset ANTHROPIC_API_KEY ANTHROPIC_AUTH_TOKEN ANTHROPIC_BASE_URL COMETAPI_KEY

question="How does net/http decide whether to retry a request?"
go run ./docs/picture -o docs/research.svg -lines 44 \
  -title "\$ go run ./examples/research \"$question\"" -- go run ./examples/research "$question"

shots=$(mktemp -d)
trap 'rm -rf "$shots"' EXIT
export WHORL_BROWSER=1 WHORL_NPM=${WHORL_NPM:-1} WHORL_SCREENSHOTS=$shots
go test -count=1 -run BrowserPicture ./agent/inspect
go test -count=1 -run ChatInABrowser ./examples/server
keep() { # keep SHOT PICTURE
  local size
  size=$(wc -c <"$shots/$1") || { echo "$1 was not taken: what is missing is told by go test -v"; exit 1; }
  [ "$size" -le 153600 ] || { echo "$1 has $size bytes, more than 150 KiB"; exit 1; }
  cp "$shots/$1" "docs/$2"
  echo "docs/$2: $size bytes"
}
keep picture.png inspect.png
keep chat-1280-light-approval.png chat.png
