// Package policy decides by rules which tool calls run. A rule is an expression of the
// language of expr-lang/expr, which has no side effects and always terminates:
//
//	tool == "shell" && args.command startsWith "git " ? "allow" : "ask"
//
// It may use
//
//	tool, toolset   the names that the model called
//	args            the arguments: a map, with integers as integers
//	read_only       whether the tool says that it changes nothing
//	outside         whether it says that it may bring something to others
//	taint           what the conversation has read so far: taint.untrusted, texts
//	                that strangers may have written; taint.private, what not
//	                everybody may know
//	step            model calls of the run so far
//	cost_usd        what they cost, as far as that is known
//	tokens          what they used, in and out
//	session         the session's id
//	meta            the run's and the session's metadata, a map of strings
//
// The labels of taint come from the tools' traits and from the results of server tools.
// They are never removed; see package memory/taint. One rule makes sure that nothing
// goes out unseen once a page has been read:
//
//	outside && taint.untrusted ? "ask" : ""
//
// Rules are compiled and type-checked when the policy is made. A decision carries the
// name of its rule, and a denial reports it to the model.
//
// A policy guards against a model's mistakes. An attacker can get around rules over the
// text of a shell command: use a sandbox, not a pattern, to prevent what must not
// happen.
package policy
