// Package cassette records exchanges with the Messages API to a plain file, and replays
// them without a network, so that a test of an agent runs offline on real responses of
// the service.
//
//	func TestAgent(t *testing.T) {
//		client := cassette.Open(t, "testdata/weather.json").Client()
//		// Build the agent on client, run it, look at the result.
//	}
//
// Run the test once with a key and WHORL_CASSETTE=record, and again whenever the
// requests change. The file contains no keys, and the service's ids are replaced. Read
// it before you commit it all the same, as it contains the conversation.
//
// Replay is strict: a request that was not recorded fails, and the error names the
// first place where it differs from the recorded one.
package cassette
