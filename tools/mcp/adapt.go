package mcp

import (
	"context"
	"fmt"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// adapt puts this package's reading of messages into a transport.
func (c *Client) adapt(t sdk.Transport) sdk.Transport {
	x := newExchanges(c.log)
	switch t := t.(type) {
	case *sdk.CommandTransport:
		return &process{cmd: t.Command, patience: t.TerminateDuration, exchanges: x, most: c.options.messageBytes()}
	case *sdk.StreamableClientTransport:
		return overHTTP(t, x, c.options, c.hide.sent)
	}
	return &adapted{Transport: t, exchanges: x}
}

// adapted is any other transport, whose messages are repaired when they are read.
type adapted struct {
	sdk.Transport
	*exchanges
}

// Connect implements [sdk.Transport].
func (a *adapted) Connect(ctx context.Context) (sdk.Connection, error) {
	conn, err := a.Transport.Connect(ctx)
	if err != nil {
		return nil, err
	}
	// The SDK looks for unexported methods of this one, which a wrapper would hide.
	if fmt.Sprintf("%T", conn) == "*mcp.streamableClientConn" {
		return conn, nil
	}
	return &adaptedConn{conn, a.exchanges}, nil
}

type adaptedConn struct {
	sdk.Connection
	*exchanges
}

// Read implements [sdk.Connection].
func (c *adaptedConn) Read(ctx context.Context) (jsonrpc.Message, error) {
	for {
		m, err := c.Connection.Read(ctx)
		if err != nil {
			return m, err
		}
		if _, ok := m.(*jsonrpc.Response); !ok {
			return m, nil
		}
		raw, err := jsonrpc.EncodeMessage(m)
		if err != nil {
			return m, nil
		}
		if raw = c.received(raw); raw != nil {
			return jsonrpc.DecodeMessage(raw)
		}
	}
}

// Write implements [sdk.Connection].
func (c *adaptedConn) Write(ctx context.Context, m jsonrpc.Message) error {
	if raw, err := jsonrpc.EncodeMessage(m); err == nil {
		c.sends(ctx, raw).sent.Store(true)
	}
	return c.Connection.Write(ctx, m)
}
