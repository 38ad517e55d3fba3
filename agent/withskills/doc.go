// Package withskills adds the skills of a [skills.Set] to an agent's runs. [Input] puts
// the list of skills into the conversation, where it never changes. [Gate] applies the
// allowed-tools of the skills that the conversation has loaded.
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
