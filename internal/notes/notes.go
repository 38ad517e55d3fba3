// Package notes has the names of the notes that this module writes into logs: the Note
// of a memory.Record of kind note. docs/sessions.md describes their data. The notes of
// tools have names of their own.
package notes

// Notes of requests whose response is not part of the conversation, for the bill. Their
// data is the response as it came, or {} if nothing came; see Lost.
const (
	Interrupted  = "interrupted"  // a response that was cut off
	Aside        = "aside"        // a whole response, to a request beside the conversation
	Unsummarized = "unsummarized" // a summary could not be had
	Lost         = "lost"         // attempts without a response, which may have been billed; data: their number

	// Warm is the note of a request that did nothing but keep the newest prompt in the
	// cache. Its time is when the request was sent.
	Warm = "warm"
)

// Notes of runs and answers.
const (
	// Trace has the context of the span of the run that begins there.
	Trace = "trace"
	// Check is what Options.Check of package agent said of the newest answer: the member
	// "error" of its data, if there was any.
	Check = "check"
	// Spilled is a tool's result that was too long for the conversation, which the model
	// can read by parts.
	Spilled = "spilled"
)

// Notes of the call of a tool. Their data begins with the key of the call of the model's
// that they belong to, and that of the call itself, which may be one that a tool has made.
const (
	Call     = "call.note"     // what a tool noted
	Question = "call.question" // what a tool asked
	Answer   = "call.answer"   // the answer to that
	Started  = "call.started"  // an inner call is about to run
	Result   = "call.result"   // its result
	Blob     = "call.blob"     // bytes that were kept, where the store has no blobs
)

// Notes of sessions.
const (
	// Begun is the first record of a session that was made before there is a run.
	Begun = "begun"
	// Imported is what was an approval request or a decision in an imported file. Its
	// data is the record.
	Imported = "imported"
	// Began is the note of a sub-agent that begins to work in the background, and Ended
	// that of one that has ended: the member "child" of their data is the id of its
	// session.
	Began = "agent.began"
	Ended = "agent.ended"
)
