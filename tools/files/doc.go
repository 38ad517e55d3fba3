// Package files lets a model read, list, search and edit the files of one
// folder: [Tools] are small tools of our own, [TextEditor] is Anthropic's text
// editor tool, which the models were trained on.
//
// # Threat model
//
// The model may have been talked into anything by what it read, these files
// included. It reaches the folder and nothing else: [os.Root] keeps paths and
// links inside, also against a link that is put in place while a call runs.
// Only regular files are opened, so that a pipe doesn't hang a call. What is
// read and what is returned is bounded in bytes, and a search in files, bytes
// and time, with regular expressions that run in linear time. Edits replace a
// file in one step. Files whose names begin with a dot, .git among them, are
// neither shown nor changed unless [Options.Hidden] is set; secrets belong
// outside of the folder all the same. A tool that writes can ask for approval
// first, with [Options.NeedsApproval].
package files
