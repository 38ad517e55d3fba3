// Package clouds reaches Claude where companies run it. FromEnv picks the platform
// that the environment names; the packages below it have a constructor each:
//
//	bedrock       Amazon Bedrock: InvokeModel, and the Messages endpoint
//	awsplatform   Claude Platform on AWS
//	vertex        Google's Vertex AI
//	googlecloud   Google Cloud's gateway
//	foundry       Microsoft Foundry
//	identity      the Claude API by workload identity federation, and by profiles
//	platform      the client that they share, and its errors
//
// Each gives a [transport.Client] with the cloud's own credentials, and refuses what its
// platform is known not to take before it is sent, saying what to use instead. They
// are a module of their own, so that programs without them get none of the clouds'
// libraries; a program that imports one package gets the libraries of that cloud.
package clouds
