// Package simulator is a local Messages API, as strict as the service: what
// passes here passes there, and what is refused there is refused here, with the
// same status, type and words. It signs thinking and verifies it, prices the
// cache, runs web_search and web_fetch over pages that it is given, pauses
// turns, and injects faults. It needs no network and no key.
//
// What the model says is up to a [Model]: a [Script], a [ModelFunc], a [Loop],
// the [Chatty] one, or the reader of package reader.
package simulator
