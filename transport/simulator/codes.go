package simulator

import (
	"net/http"

	"github.com/whorl-go/whorl/transport"
)

// codedErrors are the refusals that the service gives for reasons which the
// simulator has no notion of, by error_code: a [Fault] asks for them. Statuses and
// types are documented, words are guesses (wire §1.12; wire G93).
var codedErrors = map[string]Refusal{
	"linked_organization_billing_unavailable": {Status: http.StatusPaymentRequired, Type: transport.ErrBilling,
		Message: "The organization linked to this user profile can't be billed."},
	"linked_organization_spend_limit_reached": {Status: http.StatusPaymentRequired, Type: transport.ErrBilling,
		Message: "The organization linked to this user profile has reached its spend limit."},
	"user_profile_billing_not_authorized": {Status: http.StatusForbidden, Type: transport.ErrPermission,
		Message: "Your organization is not authorized to bill user profiles."},
	"user_profile_not_billable": {Status: http.StatusForbidden, Type: transport.ErrPermission,
		Message: "This user profile can't be billed."},
	"ramp_limit_exceeded": {Status: http.StatusTooManyRequests, Type: transport.ErrRateLimit,
		Message: "Your usage is growing too fast. Please try again later."},
	"contract_spend_limit_reached": {Status: http.StatusTooManyRequests, Type: transport.ErrRateLimit,
		Message: "Your organization has reached the spend limit of its contract."},
	"enforced_spend_limit_reached": {Status: http.StatusTooManyRequests, Type: transport.ErrRateLimit,
		Message: "Your organization has reached its spend limit."},
	"workspace_human_review_disabled": {Status: http.StatusBadRequest, Type: transport.ErrInvalidRequest,
		Message: "Message Batches are not available in this workspace, in which human review is disabled."},
	"thread_unsupported_request": {Status: http.StatusBadRequest, Type: transport.ErrInvalidRequest,
		Message: "thread: message threads are not available to this organization", Details: map[string]any{"unsupported": []string{"hipaa"}}},
}

// coded is a refusal of type invalid_request_error with an error_code.
func coded(code, format string, args ...any) *Refusal {
	why := refuse(format, args...)
	why.Code = code
	return why
}
