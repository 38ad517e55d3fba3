// Package evals tests agents: what they answer, which tools they call on the way, and
// what it costs, compared with what was committed.
//
//	func TestSupport(t *testing.T) {
//		evals.Run(t, evals.Suite{Agent: options(), Cassettes: "testdata/cassettes", Baseline: "testdata/evals/support.json"},
//			evals.Case{Name: "refund", Input: agent.Input{Prompt: "I want my money back."}, Checks: []evals.Check{
//				evals.Calls(evals.InOrder, evals.Call{Name: "find_order"}, evals.Call{Name: "refund"}),
//				evals.Contains("refund"),
//			}},
//		)
//	}
//
// Each case is a subtest. The model's part is one of two:
//
//   - the service, with Suite.Live: with the client that the agent has;
//   - a cassette, with Suite.Cassettes: offline, on what the service said.
//
// A case may begin in a recorded session of a store, forked where the model was asked
// for the k-th time: [Recorded] makes cases of last week's sessions. A call that the
// session made is answered from the session. Any other call that may change something
// is refused unless a stub is given: an evaluation never sends mail.
//
// A model doesn't answer the same each time, so a case can be run several times
// (Suite.Repeat). The report has means and intervals, and the comparison with a
// baseline uses them: a change that chance explains fails no test.
package evals
