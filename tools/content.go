package tools

import "github.com/whorl-go/whorl/transport"

// What a tool may return besides text. See package transport, where they are
// for the user's messages too.
type (
	Image        = transport.Image
	Document     = transport.Document
	SearchResult = transport.SearchResult
)
