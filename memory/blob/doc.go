// Package blob keeps pictures, PDFs and other big payloads of records once in a
// store, beside the records: New wraps a store for it.
//
//	store, err := blob.New(inside, nil)
//
// A payload is a long string of base64 in a record's JSON. It stands in the store as the
// bytes that it encodes, under their SHA-256, for all sessions, forks and children that
// have it, and is gone with the last of them. What is loaded is the records as they were
// appended, byte for byte. docs/blobs.md has more.
package blob
