// Package failover sends requests to another endpoint when the first is overloaded,
// fails, has no credit or can't be reached. It returns to the first endpoint later.
//
//	client, err := failover.New(failover.Options{Endpoints: []failover.Endpoint{
//		{Name: "anthropic", Client: direct},
//		{Name: "vertex", Client: vertex, Prices: vertex.Models()},
//	}})
//	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5", Models: client.Models()})
//
// The conversation is the same at each endpoint, and the log is not changed. What an
// endpoint can't take (a thread, a container or a file id of another endpoint, thinking
// that it refuses, a cache mark of one hour) is left out of the request to it, by the
// rules of package omit. An event of type [EventSwitched], the span of the request,
// [Options.Observe] and Response.Meta.Endpoint report the switch. A bill has the prices
// of the endpoint that answered.
package failover
