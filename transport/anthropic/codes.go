package anthropic

// Codes of errors that a program can act on, for [transport.Error.Code]; docs/wire.md
// §1.12 and §15.4 list all codes. The service may change its messages, but not its
// codes.
const (
	CodeThreadNotFound      = "thread_not_found"            // send the whole conversation
	CodeThreadContinued     = "thread_already_continued"    // the same
	CodeThreadInFlight      = "thread_continue_in_flight"   // wait for the other request, or send the whole conversation
	CodeThreadMismatch      = "thread_fingerprint_mismatch" // a parameter that a thread fixes has changed
	CodeThreadUnsupported   = "thread_unsupported_request"  // send it without a thread
	CodeImageTooLarge       = "image_dimensions_too_large"  // package omit finds the pictures by the error's paths
	CodeRampLimit           = "ramp_limit_exceeded"         // usage grows too fast: wait for RetryAfter
	CodeSpendLimit          = "enforced_spend_limit_reached"
	CodeContractSpendLimit  = "contract_spend_limit_reached" // waiting doesn't help against this or the one before
	CodeUserProfileRequired = "user_profile_required"
	CodeHumanReviewDisabled = "workspace_human_review_disabled" // the workspace doesn't allow batches
)
