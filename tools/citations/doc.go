// Package citations reads the citations of an answer: which sources it names,
// whether what it quotes is really in them, and the answer as Markdown with
// footnotes.
//
// The service makes citations from documents, search results and its own web
// tools, and says for most where in the source the cited words stand. This
// package looks there, in what the conversation holds of the source. It does not
// judge whether the words support the answer.
package citations
