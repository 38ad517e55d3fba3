// Package transfer moves sessions between stores: [Copy] copies them directly, [Export]
// and [Import] use JSON Lines. A session is transferred with its whole tree, including
// times, metadata, inbox and blobs.
//
// An import that is not trusted brings text, but no permissions; see [Options].
package transfer
