// Package citations reads and verifies the citations of an answer. It lists the
// sources, checks that they contain the quoted words, and writes the answer as Markdown
// with footnotes.
//
// The service creates citations from documents, search results and its own web tools,
// and for most of them reports where in the source the cited words are. This package
// looks there, in the part of the source that is in the conversation. It does not judge
// whether the words support the answer.
package citations
