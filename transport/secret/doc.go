// Package secret keeps keys and tokens out of whatever a program writes.
//
// A [Value] holds one. fmt, log, log/slog and the encoders of the standard library
// write [Redacted] in its place, at any depth and in unexported fields too; what
// follows pointers by reflection finds no text to show:
//
//	opts := anthropic.Options{APIKey: secret.New(key)}
//	log.Printf("%+v", opts) // APIKey:[redacted]
//
// A [Redactor] takes known secrets out of texts that somebody else wrote, such as an
// error of a gateway that repeats the headers that it was sent.
package secret
