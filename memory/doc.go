// Package memory keeps conversations. A [Log] is one: records that are appended
// and never changed, from which the next request follows. A [Store] keeps logs
// under an id, as sessions.
package memory
