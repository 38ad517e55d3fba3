package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/url"
	"syscall"

	"code.dny.dev/ssrf"
)

var (
	errRedirects = errors.New("too many redirects")
	// errPrivate is one for names that don't exist and for those that exist but
	// only inside, so that it tells nothing of what is inside.
	errPrivate = errors.New("the host has no public address, or none that can be looked up")
)

// A reason tells the model why a fetch failed in words of our own. What the
// server or the system wrote stands in the wrapped error only: a server's words
// are not to be trusted, and the system's name what is inside the network.
type reason struct {
	words string
	err   error
}

func (r *reason) Error() string { return r.words }
func (r *reason) Unwrap() error { return r.err }

// reasonOf puts the failure of a request into words.
func reasonOf(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	var refused *refusal
	if errors.As(err, &refused) {
		return refused
	}
	var (
		name   *net.DNSError
		host   x509.HostnameError
		date   x509.CertificateInvalidError
		who    x509.UnknownAuthorityError
		verify *tls.CertificateVerificationError
		record tls.RecordHeaderError
	)
	say := func(words string) error { return &reason{words, err} }
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, ssrf.ErrProhibitedPort):
		return say("the port is not allowed")
	case errors.Is(err, ssrf.ErrProhibitedIP), errors.Is(err, ssrf.ErrProhibitedNetwork), errors.Is(err, errPrivate), errors.As(err, &name):
		return &reason{errPrivate.Error(), errPrivate} // the cause would tell
	case errors.Is(err, syscall.ECONNREFUSED):
		return say("the connection was refused")
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return say("the server closed the connection")
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return say("the host can't be reached from here")
	case errors.As(err, &host):
		return say("the server's certificate is for another host")
	case errors.As(err, &who):
		return say("the server's certificate is by an unknown authority")
	case errors.As(err, &date), errors.As(err, &verify):
		return say("the server's certificate is not valid")
	case errors.As(err, &record):
		return say("the server doesn't speak TLS on this port")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return say("the server closed the connection before it answered")
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return say("the server took too long to answer")
	}
	return say("the server's answer can't be read")
}

// A refusal is our own, in words of our own, where the HTTP client would wrap it.
type refusal struct{ error }

func (r *refusal) Unwrap() error { return r.error }
