// Package cassette records exchanges with the Messages API to a plain file, and
// replays them without a network, so that a test of an agent runs offline on
// what the service really said.
//
//	func TestAgent(t *testing.T) {
//		client := cassette.Open(t, "testdata/weather.json").Client()
//		// Build the agent on client, run it, look at the result.
//	}
//
// The first time, and whenever what is sent changes, the test is run once with a
// key and WHORL_CASSETTE=record. The file holds no keys, and ids of the service
// are replaced; read it before you commit it all the same, as it holds what was
// said.
//
// Replay is strict: a request that was not recorded fails, and the error names
// the first place where it differs from the one that was.
package cassette
