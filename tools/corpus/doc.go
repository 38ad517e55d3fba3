// Package corpus lets a model search a folder of text files: source code,
// documentation, notes. [Tool] is for models, [Open] for Go programs.
//
// A search ranks passages by how well they match its words (BM25). Identifiers are
// indexed whole and by their parts, and scripts without blanks by pairs of characters.
// The index is built in memory at the first search; nothing is written to disk, unless
// [Corpus.CacheIn] says where.
//
// # Threat model
//
// The words come from the model. They select passages and have no other effect. The
// folder is an [os.Root]: neither ".." nor a symbolic link leads out of it. The index
// is bounded in files and bytes; files beyond the bounds are not found and not listed.
// Anybody may have written the text that is found, so it is data for the model, never
// instructions.
package corpus
