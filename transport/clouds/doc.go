// Package clouds connects to Claude on the platforms of cloud providers. [FromEnv]
// chooses the platform that the environment names. Each package below it has a
// constructor:
//
//	bedrock       Amazon Bedrock: InvokeModel, and the Messages endpoint
//	awsplatform   Claude Platform on AWS
//	vertex        Google's Vertex AI
//	googlecloud   Google Cloud's gateway
//	foundry       Microsoft Foundry
//	identity      the Claude API by workload identity federation, and by profiles
//	platform      the client that they share, and its errors
//
// Each returns a [transport.Client] with the cloud's own credentials. The client refuses
// requests with features that its platform is known not to support before it sends them,
// and the error says what to use instead. The packages are a module of their own, so that
// other programs don't depend on the clouds' libraries. A program that imports one
// package depends on the libraries of that cloud only.
package clouds
