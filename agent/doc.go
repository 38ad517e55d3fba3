// Package agent runs conversations with tools on the Messages API.
//
// An [Agent] is made of [Options]: a client, a model, a system prompt, tools. A
// [Run] is one execution of its loop, which is a plain for over [Next], a pure
// function of the log: call the model, run these tools, wait for approval, done.
package agent
