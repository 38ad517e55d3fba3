// Package blob stores pictures, PDFs and other large payloads of records once, separately
// from the records. [New] wraps a store.
//
//	store, err := blob.New(inside, nil)
//
// A payload is a long string of base64 in a record's JSON. The store holds the bytes that
// it encodes, under their SHA-256, once for all sessions, forks and children that use
// them, and deletes them with the last of these. Loaded records are the appended ones,
// byte for byte. See docs/blobs.md.
package blob
