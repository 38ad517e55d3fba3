#!/usr/bin/env bash
# Makes the pictures of the documents from real runs. Run it from the root.
set -euo pipefail
question="How does net/http decide whether to retry a request?"
env -u ANTHROPIC_API_KEY -u ANTHROPIC_AUTH_TOKEN -u ANTHROPIC_BASE_URL -u COMETAPI_KEY \
  go run ./docs/picture -o docs/research.svg -lines 44 \
  -title "\$ go run ./examples/research \"$question\"" -- go run ./examples/research "$question"
