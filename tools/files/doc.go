// Package files lets a model read, list, search and edit the files of one folder.
// [Tools] returns a set of small tools; [TextEditor] is Anthropic's text editor tool,
// which the models were trained on.
//
// The model sees every text in UTF-8 with \n at the ends of lines. Files with \r\n,
// with a byte order mark, in UTF-16 or in Windows-1252 (which includes Latin-1) keep
// their form when they are edited or rewritten. A file in any other encoding is not a
// text file.
//
// # Threat model
//
// The text that the model has read, including these files, may have misled it. The
// model reaches only the folder: [os.Root] keeps paths and links inside, even if a link
// is created while a call runs. Only regular files are opened, so a pipe can't block a
// call. Reads and results are bounded in bytes. A search is bounded in files and bytes;
// its regular expression is bounded in the size of its program, before it is compiled,
// and in steps. A search ends when the call's context ends, even within a line. The
// result reports a bound that was reached. An edit replaces a file in one step. Files
// whose names begin with a dot, including .git, are neither shown nor changed unless
// [Options.Hidden] is set; keep secrets outside the folder all the same. With
// [Options.NeedsApproval] every write needs approval.
package files
