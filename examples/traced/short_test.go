package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// All that it takes to have an agent's runs in a backend.
func Example() {
	received := ""
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		received += r.URL.Path + string(body)
	}))
	defer collector.Close()
	os.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	defer os.Unsetenv("OTEL_EXPORTER_OTLP_ENDPOINT")
	sim, err := simulator.Start(simulator.Options{Model: simulator.Script(simulator.Say("An umbrella."))})
	if err != nil {
		log.Fatal(err)
	}
	defer sim.Close()
	var client transport.Client
	if client, err = anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any")}); err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	// region short
	exporter, err := otlptracehttp.New(ctx) // OTEL_EXPORTER_OTLP_ENDPOINT says where to
	if err != nil {
		log.Fatal(err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter))
	a, err := agent.New(agent.Options{
		Client: client, Model: "claude-opus-5-5", Name: "packer",
		Telemetry: agent.Telemetry{TracerProvider: provider},
	})
	if err != nil {
		log.Fatal(err)
	}
	res, err := a.Run(ctx, agent.Input{Prompt: "What shall I pack?"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(res.Text)
	if err := provider.Shutdown(ctx); err != nil { // sends what is left
		log.Fatal(err)
	}
	// endregion
	fmt.Println(strings.Contains(received, "/v1/traces"), strings.Contains(received, "invoke_agent packer"), strings.Contains(received, "chat claude-opus-5-5"))

	// Output:
	// An umbrella.
	// true true true
}
