package tools

import "github.com/whorl-go/whorl/transport"

// What a tool may return besides text. Their fields are those of
// [transport.Image], [transport.Document] and [transport.SearchResult], which
// are for the user's messages too.
type (
	Image        = transport.Image
	Document     = transport.Document
	SearchResult = transport.SearchResult
)
