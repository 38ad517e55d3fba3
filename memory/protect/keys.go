package protect

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"fmt"
)

// A Keyring wraps the keys of sessions with keys that are kept elsewhere. [Keys] is a
// Keyring in memory; another implementation may call a key management service.
type Keyring interface {
	// Wrap encrypts a session's key. It returns the name of the key that it used.
	Wrap(ctx context.Context, key []byte) (name string, wrapped []byte, err error)
	// Unwrap decrypts what Wrap returned. It fails with [ErrKey] if there is no key of
	// that name.
	Unwrap(ctx context.Context, name string, wrapped []byte) ([]byte, error)
}

// Keys is a [Keyring] of AES keys in memory.
type Keys struct {
	Current string            // the name of the key to wrap with
	Keys    map[string][]byte // 16, 24 or 32 bytes each
}

// Wrap implements [Keyring].
func (k Keys) Wrap(_ context.Context, key []byte) (string, []byte, error) {
	aead, err := k.aead(k.Current)
	if err != nil {
		return "", nil, err
	}
	nonce := make([]byte, aead.NonceSize())
	rand.Read(nonce) // never fails
	return k.Current, aead.Seal(nonce, nonce, key, []byte(k.Current)), nil
}

// Unwrap implements [Keyring].
func (k Keys) Unwrap(_ context.Context, name string, wrapped []byte) ([]byte, error) {
	aead, err := k.aead(name)
	if err != nil {
		return nil, err
	}
	n := aead.NonceSize()
	if len(wrapped) < n {
		return nil, fmt.Errorf("%w: the session's key is truncated", ErrKey)
	}
	key, err := aead.Open(nil, wrapped[:n], wrapped[n:], []byte(name))
	if err != nil {
		return nil, fmt.Errorf("%w: the key %q is not the one that the session's key was wrapped with", ErrKey, name)
	}
	return key, nil
}

func (k Keys) aead(name string) (cipher.AEAD, error) {
	key, ok := k.Keys[name]
	if !ok {
		return nil, fmt.Errorf("%w: the keyring has no key %q", ErrKey, name)
	}
	aead, err := newAEAD(key)
	if err != nil {
		return nil, fmt.Errorf("key %q: %w", name, err)
	}
	return aead, nil
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
