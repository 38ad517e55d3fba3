// Package comingfrom holds one small task, done with Whorl and with the libraries
// that people come from, two of them in other languages; docs/coming-from.md shows
// them side by side. Each is a program of its own:
//
//	go run ./examples/comingfrom/whorl GUIDE FILE QUESTION
//
// GUIDE is a file with the system prompt, FILE keeps the conversation. The task:
// a tool that may fail, a model that thinks, a long system prompt that is to be
// read from the cache, and a second question that a second process asks.
//
// The test runs all of them against the simulator and looks at what they sent. It
// compiles the other libraries, which takes minutes, and installs those of other
// languages with npm and pip, so it wants to be asked:
//
//	WHORL_PEERS=1 go test ./examples/comingfrom -v
//
// WHORL_PEERS=fantasy,aisdk runs those. What npm or pip can't install is left out, and the log says why. With WHORL_UPDATE=1 as well it writes what it saw to testdata/wire.txt.
package comingfrom
