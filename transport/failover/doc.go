// Package failover asks another endpoint where the first is overloaded, broken, out of
// credit or can't be reached, and goes back to the first later:
//
//	client, err := failover.New(failover.Options{Endpoints: []failover.Endpoint{
//		{Name: "anthropic", Client: direct},
//		{Name: "vertex", Client: vertex, Prices: vertex.Models()},
//	}})
//	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5", Models: client.Models()})
//
// The conversation is the same at each: the log that is sent is not changed, and what
// an endpoint can't take of it (the thread or the container of another one, ids of
// files, thinking that it refuses, an hour's cache mark) is left out of the request to
// it, by the rules of package omit. An event of type [EventSwitched], the span of the
// request, [Options.Observe] and Response.Meta.Endpoint report it; the prices in a bill
// are those of the endpoint that answered.
package failover
