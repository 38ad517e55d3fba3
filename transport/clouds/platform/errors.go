package platform

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/whorl-go/whorl/transport"
)

// An UnsupportedError reports a request that was not sent because the platform doesn't
// support a feature of it. It matches [transport.ErrInvalidRequest], and [errors.As]
// finds its [*transport.RequestError].
type UnsupportedError struct {
	Platform string                  // such as "Amazon Bedrock"
	Request  *transport.RequestError // where, why, and what to use instead
}

func (e *UnsupportedError) Error() string { return e.Platform + ": " + e.Request.Error() }

// Unwrap returns Request.
func (e *UnsupportedError) Unwrap() error { return e.Request }

// Permanent returns true: the same request would fail again.
func (e *UnsupportedError) Permanent() bool { return true }

// A SettingError reports a required setting that is missing, or one that is invalid: a
// region, a project, an address.
type SettingError struct {
	Platform string
	Setting  string // what is missing or wrong, such as "region"
	Why      string
	Remedy   string // which options and variables set it
}

func (e *SettingError) Error() string {
	return fmt.Sprintf("%s: %s: %s; %s", e.Platform, e.Setting, e.Why, e.Remedy)
}

// A Place is a place where credentials were searched for, and what was found there.
type Place struct{ Where, Found string }

// A CredentialsError reports that a request couldn't be signed or a client couldn't be
// made, because there are no credentials or those found give no access. It matches
// [transport.ErrAuthentication].
type CredentialsError struct {
	Platform string
	Looked   []Place // in the order in which they were searched
	Err      error   // the error of the cloud's library; may be nil
}

func (e *CredentialsError) Error() string {
	var b strings.Builder
	b.WriteString(e.Platform + ": no usable credentials")
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	for i, p := range e.Looked {
		if i == 0 {
			b.WriteString("; looked at: ")
		} else {
			b.WriteString(", ")
		}
		b.WriteString(p.Where + " (" + p.Found + ")")
	}
	return b.String()
}

// Unwrap returns Err.
func (e *CredentialsError) Unwrap() error { return e.Err }

// Is makes errors.Is(err, transport.ErrAuthentication) true.
func (e *CredentialsError) Is(target error) bool { return target == transport.ErrAuthentication }

// Permanent reports whether the same request would fail again. It is false for failures
// of the network or of the service that issues credentials.
func (e *CredentialsError) Permanent() bool {
	var atURL *url.Error
	var op *net.OpError
	var slow interface{ Timeout() bool }
	var status interface{ HTTPStatusCode() int }
	switch {
	case e.Err == nil:
		return true
	case errors.As(e.Err, &status) && status.HTTPStatusCode() >= 500:
		return false
	}
	return !errors.As(e.Err, &atURL) && !errors.As(e.Err, &op) && !(errors.As(e.Err, &slow) && slow.Timeout())
}
