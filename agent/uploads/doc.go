// Package uploads sends pictures and documents to the service once, as files, instead of
// as base64 in every request.
//
//	client = transport.Wrap(client, uploads.New(client, nil).Middleware)
//
// The log keeps the bytes; only the requests differ. Send a conversation in one of the
// two ways from its beginning, because the prompt cache compares what was sent. See
// docs/blobs.md.
package uploads
