// Package waiting lists what a session and all sessions below it wait for, and takes
// the decisions and answers, from any process: a page, a webhook, a command.
//
// The state of what waits is in the logs and nowhere else. No process has to run in
// the meantime, and the sessions may have been copied to another machine. After an
// item is dealt with, run the outermost session again: its run lets the sub-agents
// go on by itself.
package waiting
