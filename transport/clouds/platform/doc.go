// Package platform contains what the packages of the clouds share: a [transport.Client]
// that knows which features its platform supports, errors that say what to use instead,
// and the platforms' ids of the models.
//
// Most programs use the packages bedrock, awsplatform, vertex, googlecloud, foundry and
// identity, or clouds.FromEnv, which chooses one of them. A [Config] describes any other
// host:
//
//	client, err := platform.New(platform.Config{
//		Rules:     platform.Rules{Name: "Our gateway", Paths: []string{platform.Messages}, MaxBody: 20 << 20},
//		BaseURL:   "https://claude.example.com",
//		Authorize: func(r *http.Request) error { r.Header.Set("Authorization", "Bearer "+token()); return nil },
//	})
//
// docs/clouds.md has a table of the features of each platform.
package platform
