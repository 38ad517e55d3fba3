package simulator

import "github.com/whorl-go/whorl/transport/rawjson"

// checkBilling applies the rules on billing_policy, which says who pays for the
// request (wire §2.10). count_tokens costs nothing, and ignores it. The words
// are guesses (wire G93).
func (r *request) checkBilling() *Refusal {
	if r.counting || rawjson.GetString(r.fields["billing_policy"], "bill_to") != "user_profile" {
		return nil
	}
	if r.batch {
		return refuse("billing_policy.bill_to: 'user_profile' is not supported in a batch")
	}
	if r.userProfile == "" {
		return coded("user_profile_required", "billing_policy.bill_to: 'user_profile' requires the anthropic-user-profile-id header")
	}
	return nil
}
