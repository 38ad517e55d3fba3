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

// Redacted is what is written in the place of a secret.
const Redacted = "[redacted]"

// A Value is a key, a token or a password. It is written as [Redacted], and told by
// Reveal only. The zero Value is no secret, and is written as an empty text.
//
// The text is behind a function, which no printer and no encoder can look into: fmt
// shows the inside of a struct's unexported fields without asking their methods.
type Value struct{ reveal func() string }

// New is the secret s. The empty string is the zero Value.
func New(s string) Value {
	if s == "" {
		return Value{}
	}
	return Value{func() string { return s }}
}

// FromEnv is the secret that an environment variable holds; the zero Value if it is
// not set.
func FromEnv(name string) Value { return New(os.Getenv(name)) }

// Reveal is the secret itself, for where it is sent. It is empty for the zero Value.
func (v Value) Reveal() string {
	if v.reveal == nil {
		return ""
	}
	return v.reveal()
}

// IsZero reports whether there is no secret.
func (v Value) IsZero() bool { return v.reveal == nil }

// Equal reports whether both are the same secret, in a time that doesn't depend on
// where they differ.
func (v Value) Equal(w Value) bool {
	a, b := sha256.Sum256([]byte(v.Reveal())), sha256.Sum256([]byte(w.Reveal()))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// String is [Redacted], or empty for the zero Value.
func (v Value) String() string {
	if v.IsZero() {
		return ""
	}
	return Redacted
}

// GoString is what String is.
func (v Value) GoString() string { return v.String() }

// Format writes what String is, whatever the verb.
func (v Value) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, v.String()) }

// LogValue is what String is.
func (v Value) LogValue() slog.Value { return slog.StringValue(v.String()) }

// MarshalText writes what String is; encoding/json, xml and others use it.
func (v Value) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// MarshalBinary writes what String is; encoding/gob uses it.
func (v Value) MarshalBinary() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads a secret from a configuration. The output of MarshalText is
// an error: the secret isn't in it.
func (v *Value) UnmarshalText(text []byte) error {
	if string(text) == Redacted {
		return errors.New("secret: the text is " + Redacted + ", which stands for a secret and holds none: give the secret itself")
	}
	*v = New(string(text))
	return nil
}

// UnmarshalBinary reads what UnmarshalText does.
func (v *Value) UnmarshalBinary(data []byte) error { return v.UnmarshalText(data) }
