// Package search turns any search engine into a tool: a search of the web, of a
// company's documents, or of a database. The engine is a [Provider]. The package
// presents its hits in a form that the model can read and cite.
//
// # Threat model
//
// Anyone may have written what an engine finds, and the model reads it. The number of
// hits and the length of each are bounded. The result is enclosed in marks that label
// it as external; the marks are removed from the text itself. The query goes to the
// engine as the model wrote it, so it can disclose what the model knows to whoever runs
// the engine.
package search
