package transport

// Features are what an endpoint takes beyond what every one that speaks the
// Messages API takes. Gateways refuse what they don't know, so that false means:
// leave it out. Package models describes what a model takes.
type Features struct {
	LongCache      bool // cache_control with a ttl of "1h"
	Diagnostics    bool // diagnostics.previous_message_id (wire §8.8)
	SystemMessages bool // messages of role system inside a conversation (wire §2.6)
	Compaction     bool // the service summarizes when it is asked to
	InlineTools    bool // tool_addition and tool_removal blocks
	Threads        bool // requests that hold only what is new in a conversation
}

// FeaturesOf asks a client, or what it wraps, for its endpoint's features; see
// [As]. A client without that method has none.
func FeaturesOf(c Client) Features {
	if f, ok := As[interface{ Features() Features }](c); ok {
		return f.Features()
	}
	return Features{}
}
