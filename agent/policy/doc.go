// Package policy decides by rules which tool calls run. A rule is an expression
// of the language of expr-lang/expr, which has no side effects and ends:
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
//	meta            the agent's Metadata, a map of strings
//
// The labels of taint are those of the tools' traits and of server tools' results,
// and stay for good; see package memory/taint. So that nothing goes out unseen once
// a page was read is one rule:
//
//	outside && taint.untrusted ? "ask" : ""
//
// Rules are compiled and type-checked when the policy is made. Their decisions
// carry the name of the rule; a denial reports it to the model.
//
// A policy guards against a model's mistakes. Rules over the text of a shell
// command can be got around by somebody who means to: what must not happen is
// prevented by a sandbox, not by a pattern.
package policy
