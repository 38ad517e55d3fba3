// Package secret keeps keys and tokens out of a program's output.
//
// A [Value] holds a key or a token. fmt, log, log/slog and the encoders of the standard
// library write [Redacted] in its place, at any depth and in unexported fields too.
// Code that follows pointers by reflection finds no text to print:
//
//	opts := anthropic.Options{APIKey: secret.New(key)}
//	log.Printf("%+v", opts) // APIKey:[redacted]
//
// A [Redactor] removes known secrets from other text, such as an error of a gateway
// that repeats the headers of the request.
package secret
