// Package platform holds what the packages of the clouds share: a
// [transport.Client] that knows what its platform takes, the errors that say what to
// use instead, and the ids by which the platforms call the models.
//
// Programs use the packages beside it: bedrock, awsplatform, vertex, googlecloud,
// foundry, identity, and clouds.FromEnv, which picks one of them. A host of another
// kind can be described by [Config]:
//
//	client, err := platform.New(platform.Config{
//		Rules:     platform.Rules{Name: "Our gateway", Paths: []string{platform.Messages}, MaxBody: 20 << 20},
//		BaseURL:   "https://claude.example.com",
//		Authorize: func(r *http.Request) error { r.Header.Set("Authorization", "Bearer "+token()); return nil },
//	})
//
// docs/clouds.md has the table of what works where.
package platform
