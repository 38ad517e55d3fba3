// Package realtypes registers types of well-known Go modules as arguments of
// tools, and holds their schemas against encoding/json. It is a module of its own
// because it needs those modules.
package realtypes
