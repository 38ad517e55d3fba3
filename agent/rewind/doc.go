// Package rewind puts a folder back to what it was at a record of a conversation,
// or to what it is in a fork.
//
// The tools of package tools/files, with Options.Follow set, keep what they
// overwrite beside the conversation. After a fork at record 40
//
//	fork, err := memory.ForkSession(ctx, store, "s", 40, "s-2", nil)
//	_, err = rewind.Folder(ctx, root, rewind.Options{Folder: "repo", From: log, To: fork})
//
// the folder is what it was at that record. Files that somebody else has changed
// are told, and are not overwritten unless the options say so. What other tools
// wrote, such as a shell, is not followed: [Plan.NotFollowed] has their calls.
package rewind
