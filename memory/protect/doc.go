// Package protect wraps stores of sessions, to encrypt or to redact what they hold.
// [Encrypted] hides their content from whoever has the database, and [Redacted] keeps
// data out of them.
package protect

import (
	"errors"
	"maps"

	"github.com/whorl-go/whorl/memory/internal/redact"
)

// Errors to compare with by [errors.Is].
var (
	// ErrKey means that a record can't be decrypted: the keyring lacks the key, or the
	// record was changed or moved.
	ErrKey = errors.New("can't be decrypted")
	// ErrUnredacted means that a record was not stored because the hook of a
	// [Redacted] store would still change it. Append to the session's log, or call the
	// hook first.
	ErrUnredacted = redact.ErrUnredacted
)

// setMeta is a copy of meta with one value more, or less if it is "".
func setMeta(meta map[string]string, key, value string) map[string]string {
	if meta = maps.Clone(meta); meta == nil {
		meta = make(map[string]string)
	}
	meta[key] = value
	if value == "" {
		delete(meta, key)
	}
	return meta
}
