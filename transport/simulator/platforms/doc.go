// Package platforms simulates the endpoints of cloud platforms, in front of a server of
// the Messages API such as a [simulator.Server]: their addresses, signatures and tokens,
// framing, and refusals. A test can use it to test a client of Amazon Bedrock or Vertex
// AI without the cloud:
//
//	front, err := platforms.New(platforms.Options{Platform: platforms.Bedrock, Next: simulator.New(simulator.Options{}), SecretKey: "secret"})
//	srv := httptest.NewServer(front)
//
// The implementations follow the platforms' documentation (wire §14.1) and AWS's
// documentation of Signature Version 4 and of its event stream. They share no code with
// the clients of transport/clouds. Where the documentation says that a platform refuses a
// request but not with which message, the message is a guess.
package platforms
