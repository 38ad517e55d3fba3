package oauth

import "fmt"

// A LoginError says that a user has to authorize, and that there is nobody to do it
// (Options.Authorize is nil).
type LoginError struct{ Server, Tenant string }

// Error names the server.
func (e *LoginError) Error() string {
	return fmt.Sprintf("oauth: %s wants an authorization, and there is nobody here to give it; authorize where Options.Authorize is set, with the same Tokens and Tenant", e.Server)
}

// A DeniedError says that the user, or the issuer, has denied the authorization.
type DeniedError struct {
	Server      string
	Code        string // such as "access_denied"; RFC 6749 §4.1.2.1
	Description string // of the issuer; may be empty
}

// Error has the issuer's code and words.
func (e *DeniedError) Error() string {
	text := fmt.Sprintf("oauth: the authorization for %s was denied (%s)", e.Server, e.Code)
	if e.Description != "" {
		text += ": " + e.Description
	}
	return text
}

// An AuthorizationError says that an authorization couldn't be carried out: the
// issuer is not to be found, doesn't know this program, or contradicts itself.
type AuthorizationError struct {
	Server string
	Err    error
}

// Error tells what failed.
func (e *AuthorizationError) Error() string {
	return fmt.Sprintf("oauth: the authorization for %s failed: %v", e.Server, e.Err)
}

// Unwrap returns Err.
func (e *AuthorizationError) Unwrap() error { return e.Err }
