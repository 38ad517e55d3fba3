// Package platforms puts the front of a cloud before a server of the Messages API,
// such as a simulator.Server: its addresses, its signatures and tokens, its framing, and
// what it refuses. A test can so try a client of Amazon Bedrock, Vertex AI and their like
// without the cloud:
//
//	front, err := platforms.New(platforms.Options{Platform: platforms.Bedrock, Next: simulator.New(simulator.Options{}), SecretKey: "secret"})
//	srv := httptest.NewServer(front)
//
// The fronts are written from the platforms' descriptions (wire §14.1) and from
// AWS's description of Signature Version 4 and of its event stream, and share nothing
// with the clients of transport/clouds. What a platform says where only its refusal is
// known is a guess.
package platforms
