// Package service connects the examples to a Messages API: the real one if the
// environment has a key for it, else a simulated one inside the program.
package service

import (
	"errors"
	"os"

	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// Variables are the environment variables that any of them being set chooses
// the real service.
var Variables = []string{"ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL", "COMETAPI_KEY"}

// A Connection is a client of a service.
type Connection struct {
	Client  *anthropic.Client
	Offline bool // the service is simulated

	close func()
}

// Close ends the simulated service, if it is one.
func (c *Connection) Close() { c.close() }

// Connect reaches the service that the environment names, or starts a simulator
// with that model; with nil the model says again what it is asked.
func Connect(model simulator.Model) (*Connection, error) {
	for _, name := range Variables {
		if os.Getenv(name) != "" {
			client, err := anthropic.FromEnv()
			return &Connection{Client: client, close: func() {}}, err
		}
	}
	local, err := simulator.Start(simulator.Options{Model: model})
	if err != nil {
		return nil, err
	}
	client, err := anthropic.New(anthropic.Options{BaseURL: local.URL(), APIKey: secret.New("offline"), Features: anthropic.AllFeatures()})
	if err != nil {
		return nil, errors.Join(err, local.Close())
	}
	return &Connection{Client: client, Offline: true, close: func() { client.CloseIdleConnections(); local.Close() }}, nil
}
