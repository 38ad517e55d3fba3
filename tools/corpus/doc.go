// Package corpus lets a model search a folder of text files: source code,
// documentation, notes. [Tool] is the tool; [Open] gives a Go program the same.
//
// A search ranks passages by how well they hold the words that are looked for
// (BM25), with identifiers counted whole and by their parts. The index is built
// in memory at the first search, from whatever is there; nothing is written.
//
// # Threat model
//
// The words come from the model. They choose among passages and nothing else. The
// folder is an [os.Root]: neither ".." nor a symbolic link leads out of it. The
// index is bounded in files and bytes; what is beyond can still be listed and read.
// The text that is found may have been written by anybody, so it is data for the
// model, never instructions.
package corpus
