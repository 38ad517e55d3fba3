// Package waiting lists what a session and all sessions below it wait for, and takes
// the decisions and answers, from any process: a page, a webhook, a command.
//
// What waits stands in the logs and nowhere else. Nothing has to run meanwhile, and
// the sessions may have been copied to another machine. Once an item is dealt with,
// run the outermost session on: its run lets the sub-agents go on by itself.
package waiting
