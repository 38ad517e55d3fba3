// Package withskills brings the skills of [skills.Set] into runs: [Input] puts
// their list into the conversation, where it stays as it was, and [Gate] honours
// the allowed-tools of a skill that the conversation has loaded.
//
//	set, err := skills.Open("skills", skills.Options{})
//	a, err := agent.New(agent.Options{
//		Client: client, Model: model,
//		Tools: []tools.Tool{set.Tool(), sh.Tool()},
//		Gate:  withskills.Gate(set, policy.Gate(), nil),
//	})
//	in, err := withskills.Input(ctx, set, agent.Input{Prompt: "Fill in this form."})
//	res, err := a.Run(ctx, in)
package withskills
