package mcp

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/whorl-go/whorl/transport/secret"
)

// A sealer encrypts what a client keeps for the server between two rounds of a
// call, so that it can neither be read nor changed, nor used for another call.
type sealer struct{ aead cipher.AEAD }

const (
	minKeyBytes   = 16
	maxStateBytes = 1 << 20 // of what is sealed
	stateAge      = 30 * 24 * time.Hour
)

// newSealer makes a sealer with a key that replicas share; a zero one stands for a
// key of this process.
func newSealer(key secret.Value) (*sealer, error) {
	material := []byte(key.Reveal())
	if key.IsZero() {
		material = make([]byte, 32)
		if _, err := rand.Read(material); err != nil {
			return nil, err
		}
	}
	if len(material) < minKeyBytes {
		return nil, fmt.Errorf("mcp: ServerOptions.StateKey has %d bytes; give it at least %d random ones", len(material), minKeyBytes)
	}
	derived, err := hkdf.Key(sha256.New, material, nil, "whorl mcp request state", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &sealer{aead}, nil
}

// A state is what a call that waits has come to.
type state struct {
	Key     string                       `json:"key"` // of the call; tools.CallInfo.Key
	Since   time.Time                    `json:"since"`
	Notes   map[string][]json.RawMessage `json:"notes,omitempty"`
	Answers map[string]given             `json:"answers,omitempty"` // by the question's key
	Results map[string]innerResult       `json:"results,omitempty"` // of inner calls
}

// innerResult is the result of a call that a tool has made of another one.
type innerResult struct {
	Call    string            `json:"call"` // a hash of its name and arguments
	Content []json.RawMessage `json:"content,omitempty"`
	IsError bool              `json:"is_error,omitempty"`
}

// given is an answer that was taken.
type given struct {
	Value    json.RawMessage `json:"value,omitempty"`
	Declined bool            `json:"declined,omitempty"`
}

var errState = errors.New("the state of this request is not from this server, was changed, belongs to another request, or is too old; make the request again without it")

// seal seals s for the call that is described by bound.
func (z *sealer) seal(s state, bound string) (string, error) {
	raw, err := json.Marshal(s)
	if err != nil {
		return "", err
	}
	if len(raw) > maxStateBytes {
		return "", fmt.Errorf("what the call has noted has %d bytes, and the client keeps at most %d for it", len(raw), maxStateBytes)
	}
	return base64.RawURLEncoding.EncodeToString(z.aead.Seal(nil, nil, raw, []byte(bound))), nil
}

// open is the way back.
func (z *sealer) open(sealed, bound string) (s state, err error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(sealed)
	if err != nil {
		return s, errState
	}
	if raw, err = z.aead.Open(nil, nil, raw, []byte(bound)); err != nil {
		return s, errState
	}
	if err := json.Unmarshal(raw, &s); err != nil || time.Since(s.Since) > stateAge {
		return s, errState
	}
	return s, nil
}
