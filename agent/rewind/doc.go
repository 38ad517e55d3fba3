// Package rewind restores a folder to its state at a record of a conversation, or to its
// state in a fork.
//
// The tools of package tools/files, with Options.Follow set, store what they overwrite
// with the conversation. After a fork at record 40
//
//	fork, err := memory.ForkSession(ctx, store, "s", 40, "s-2", nil)
//	_, err = rewind.Folder(ctx, root, rewind.Options{Folder: "repo", From: log, To: fork})
//
// the folder is in its state at that record. Files that somebody else has changed are
// reported as conflicts, and are not overwritten unless the options say so. Files that
// other tools wrote, such as a shell, are not followed: [Plan.NotFollowed] lists their
// calls.
package rewind
