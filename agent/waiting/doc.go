// Package waiting lists what a session and the sessions of its sub-agents wait for, and
// records decisions and answers, from any process: a page, a webhook, a command.
//
// The logs hold all of the state. No process has to run in the meantime, and the
// sessions may have been copied to another machine. After an item is decided or
// answered, run the outermost session again: its run resumes the sub-agents.
package waiting
