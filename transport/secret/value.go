package secret

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
)

// Redacted is written in place of a secret.
const Redacted = "[redacted]"

// A Value is a key, a token or a password. It is printed as [Redacted]; only
// [Value.Reveal] returns it. The zero Value is no secret and is printed as the empty
// string.
//
// The text is behind a function, which no printer and no encoder can look into: fmt
// prints the unexported fields of a struct without calling their methods.
type Value struct{ reveal func() string }

// New returns s as a secret. It returns the zero Value for the empty string.
func New(s string) Value {
	if s == "" {
		return Value{}
	}
	return Value{func() string { return s }}
}

// FromEnv returns the value of an environment variable as a secret. It returns the zero
// Value if the variable is not set.
func FromEnv(name string) Value { return New(os.Getenv(name)) }

// Reveal returns the secret itself. It returns the empty string for the zero Value.
func (v Value) Reveal() string {
	if v.reveal == nil {
		return ""
	}
	return v.reveal()
}

// IsZero reports whether there is no secret.
func (v Value) IsZero() bool { return v.reveal == nil }

// Equal reports whether v and w are the same secret, in a time that doesn't depend on
// where they differ.
func (v Value) Equal(w Value) bool {
	a, b := sha256.Sum256([]byte(v.Reveal())), sha256.Sum256([]byte(w.Reveal()))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// String returns [Redacted], or the empty string for the zero Value.
func (v Value) String() string {
	if v.IsZero() {
		return ""
	}
	return Redacted
}

// GoString returns the result of String.
func (v Value) GoString() string { return v.String() }

// Format writes the result of String for every verb.
func (v Value) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, v.String()) }

// LogValue returns the result of String.
func (v Value) LogValue() slog.Value { return slog.StringValue(v.String()) }

// MarshalText returns the result of String; encoding/json, encoding/xml and others call
// it.
func (v Value) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// MarshalBinary returns the result of String; encoding/gob calls it.
func (v Value) MarshalBinary() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads a secret, for instance from a configuration file. It fails for
// the output of MarshalText, which doesn't contain the secret.
func (v *Value) UnmarshalText(text []byte) error {
	if string(text) == Redacted {
		return errors.New("secret: the text is " + Redacted + ", which replaces a secret and contains none: give the secret itself")
	}
	*v = New(string(text))
	return nil
}

// UnmarshalBinary is like UnmarshalText.
func (v *Value) UnmarshalBinary(data []byte) error { return v.UnmarshalText(data) }
