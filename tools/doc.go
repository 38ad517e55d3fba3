// Package tools makes Go functions into tools that a model can call, and holds
// the server tools of the Messages API.
package tools
