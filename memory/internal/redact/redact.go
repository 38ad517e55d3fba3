// Package redact checks that records are as a redaction hook leaves them. It is
// what the wrappers of stores have in common.
package redact

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/whorl-go/whorl/memory"
)

// ErrUnredacted is the error of package protect.
var ErrUnredacted = errors.New("the redaction hook would still change it")

// Check fails if r would still be changed.
func Check(redactor memory.Redactor, r memory.Record) error {
	before, err := r.AppendJSON(nil)
	if err != nil {
		return err
	}
	changed, err := memory.ParseRecord(bytes.Clone(before)) // the hook may write into what it is given
	if err != nil {
		return err
	}
	if r.Kind == memory.KindSealed {
		changed.Queued = r.Queued
	}
	if err := redactor.Redact(&changed); err != nil {
		return fmt.Errorf("redact: %w", err)
	}
	after, err := changed.AppendJSON(nil)
	if err != nil {
		return err
	}
	if !bytes.Equal(before, after) {
		return ErrUnredacted
	}
	return nil
}
