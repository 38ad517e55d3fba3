// Package search makes a search tool of any search engine: one of the web, of a
// company's documents, of a database. The engine is a [Provider]; the package
// gives the model its hits in a form that it can read and cite.
//
// # Threat model
//
// What an engine finds comes from anyone, and the model reads it. Each hit is
// cut, their number is bounded, and the whole is marked as from outside, with
// the marks kept out of the text. The query goes to the engine as the model
// wrote it, and can carry what the model knows to whoever runs the engine.
package search
