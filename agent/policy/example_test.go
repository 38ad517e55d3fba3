package policy_test

import (
	"context"
	"fmt"
	"log"

	"github.com/whorl-go/whorl/agent/policy"
)

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
