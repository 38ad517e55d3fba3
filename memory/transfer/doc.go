// Package transfer brings sessions from one store to another: [Copy] directly,
// [Export] and [Import] through JSON Lines. Trees of sessions go as a whole, and
// nothing of them is lost: times, metadata, inbox, blobs.
//
// An import brings words, not permissions, unless it is trusted; see [Options].
package transfer
