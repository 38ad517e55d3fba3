package oauth

import "fmt"

// A LoginError reports that a user must authorize, but Options.Authorize is nil.
type LoginError struct{ Server, Tenant string }

// Error returns a message that names the server.
func (e *LoginError) Error() string {
	return fmt.Sprintf("oauth: %s wants an authorization, and there is nobody here to give it; authorize where Options.Authorize is set, with the same Tokens and Tenant", e.Server)
}

// A DeniedError reports that the user or the issuer denied the authorization.
type DeniedError struct {
	Server      string
	Code        string // such as "access_denied"; RFC 6749 §4.1.2.1
	Description string // of the issuer; may be empty
}

// Error returns a message with the issuer's code and description.
func (e *DeniedError) Error() string {
	text := fmt.Sprintf("oauth: the authorization for %s was denied (%s)", e.Server, e.Code)
	if e.Description != "" {
		text += ": " + e.Description
	}
	return text
}

// An AuthorizationError reports that an authorization failed: the issuer was not found,
// doesn't know this program, or contradicts itself.
type AuthorizationError struct {
	Server string
	Err    error
}

// Error returns a message that says what failed.
func (e *AuthorizationError) Error() string {
	return fmt.Sprintf("oauth: the authorization for %s failed: %v", e.Server, e.Err)
}

// Unwrap returns Err.
func (e *AuthorizationError) Unwrap() error { return e.Err }
