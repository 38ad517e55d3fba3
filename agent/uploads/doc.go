// Package uploads sends pictures and documents to the service once, as files, in
// the place of their base64 in every request.
//
//	client = transport.Wrap(client, uploads.New(client, nil).Middleware)
//
// The log keeps the bytes: only what is sent differs. A conversation should be sent
// in one of the two ways from its beginning, as the prompt cache goes by what was
// sent. docs/blobs.md has more.
package uploads
