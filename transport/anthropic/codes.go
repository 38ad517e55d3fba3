package anthropic

// Codes of errors that a program can act on, in [transport.Error.Code]; docs/wire.md
// §1.12 and §15.4 have them all. The service's messages may change, its codes
// don't.
const (
	CodeThreadNotFound      = "thread_not_found"            // send the whole conversation
	CodeThreadContinued     = "thread_already_continued"    // the same
	CodeThreadInFlight      = "thread_continue_in_flight"   // wait for the other request, or send the whole
	CodeThreadMismatch      = "thread_fingerprint_mismatch" // a parameter that a thread fixes has changed
	CodeThreadUnsupported   = "thread_unsupported_request"  // send it without a thread
	CodeImageTooLarge       = "image_dimensions_too_large"  // package omit finds the pictures by its paths
	CodeRampLimit           = "ramp_limit_exceeded"         // growth too fast: wait as RetryAfter says
	CodeSpendLimit          = "enforced_spend_limit_reached"
	CodeContractSpendLimit  = "contract_spend_limit_reached" // like the one before, waiting doesn't help
	CodeUserProfileRequired = "user_profile_required"
	CodeHumanReviewDisabled = "workspace_human_review_disabled" // the workspace takes no batches
)
