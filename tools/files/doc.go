// Package files lets a model read, list, search and edit the files of one
// folder: [Tools] are small tools of our own, [TextEditor] is Anthropic's text
// editor tool, which the models were trained on.
//
// The model sees every text in UTF-8 with \n at the ends of lines. Files with
// \r\n, with a byte order mark, in UTF-16 or in Windows-1252 (which includes
// Latin-1) stay what they are when they are edited or rewritten; a file in
// any other encoding is not a text file.
//
// # Threat model
//
// The model may have been talked into anything by what it read, these files
// included. It reaches the folder and nothing else: [os.Root] keeps paths and links
// inside, also against a link that is put in place while a call runs. Only regular
// files are opened, so that a pipe doesn't hang a call. Reads and results are
// bounded in bytes. A search is bounded in files and bytes, and its regular
// expression in the length of its program, before it is compiled, and in steps; it
// ends with the call's context also within a line. The result reports a bound that
// was met. Edits replace a file in one step. Files whose names begin with a dot,
// .git among them, are neither shown nor changed unless [Options.Hidden] is set;
// secrets belong outside of the folder all the same. A tool that writes can ask for
// approval first, with [Options.NeedsApproval].
package files
