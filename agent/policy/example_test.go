package policy_test

import (
	"context"
	"fmt"
	"log"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/policy"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/taint"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// Nothing goes out unseen once the conversation has read both what strangers wrote
// and what is private.
func Example_taint() {
	// region taint
	send := tools.FuncWith("send", "Sends a mail.", sendMail, tools.Options{Traits: tools.Traits{Outside: true}})
	readMail := tools.FuncWith("read_mail", "Reads the newest mail.", newestMail, tools.Options{Traits: tools.Traits{Untrusted: true, Private: true}})
	p, err := policy.New(policy.Options{Rules: []policy.Rule{
		{Name: "after reading", Expr: `outside && taint.untrusted && taint.private`, Then: policy.Ask, Reason: "it has read mail of strangers"},
	}})
	if err != nil {
		log.Fatal(err)
	}
	opts := agent.Options{Tools: []tools.Tool{send, readMail}, Gate: p.Gate()}
	// endregion
	conversation := memory.NewLog()
	for range 2 {
		d := opts.Gate(context.Background(), agent.ToolRequest{
			Call: transport.ToolCall{ID: "a", Name: "send", Input: []byte(`{}`)}, Traits: send.Traits(), Log: conversation,
		})
		fmt.Printf("%q by %q\n", d.Permission, d.Rule)
		// What the agent notes when the model calls read_mail.
		if err := conversation.Append(context.Background(), taint.Note(taint.Labels{Untrusted: true, Private: true}, "read_mail", "b")); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// "" by ""
	// "ask" by "after reading"
}

type mail struct {
	Text string `json:"text"`
}

func sendMail(context.Context, mail) (string, error)       { return "sent", nil }
func newestMail(context.Context, struct{}) (string, error) { return "From: eve", nil }

func Example() {
	// region policy
	p, err := policy.New(policy.Options{
		Rules: []policy.Rule{
			{Name: "no secrets", Expr: `any(values(args), string(#) contains ".env")`, Then: policy.Deny, Reason: "that file holds secrets"},
			{Name: "readers", Expr: `read_only`, Then: policy.Allow},
			{Name: "git", Expr: `tool == "shell" && args.command startsWith "git " ? "allow" : ""`},
		},
		Default: policy.Ask,
	})
	if err != nil {
		log.Fatal(err)
	}
	// endregion
	ask := p.Gate()
	for _, q := range []struct{ tool, args string }{
		{"read", `{"path":"main.go"}`},
		{"read", `{"path":"/srv/.env"}`},
		{"shell", `{"command":"git status"}`},
		{"shell", `{"command":"make"}`},
	} {
		v := ask(context.Background(), question(q.tool, q.args))
		fmt.Println(q.tool, q.args, v.Permission, "by", v.Rule)
	}
	// Output:
	// read {"path":"main.go"} allow by readers
	// read {"path":"/srv/.env"} deny by no secrets
	// shell {"command":"git status"} allow by git
	// shell {"command":"make"} ask by default
}
