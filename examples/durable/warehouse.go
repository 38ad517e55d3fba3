package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A warehouse ships parcels, and notes what it has shipped: a line per parcel.
type warehouse struct {
	list string // a file
	pace time.Duration
}

type parcel struct {
	Parcel string `json:"parcel" jsonschema_description:"The parcel's number"`
}

func (w warehouse) ship(ctx context.Context, p parcel) (string, error) {
	time.Sleep(w.pace / 2) // it takes a while until it is out of the door …
	f, err := os.OpenFile(w.list, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return "", err
	}
	_, err = fmt.Fprintln(f, p.Parcel)
	if err := errors.Join(err, f.Close()); err != nil {
		return "", err
	}
	time.Sleep(w.pace / 2) // … and until the receipt is there
	return "shipped " + p.Parcel, nil
}

func (w warehouse) shipped(ctx context.Context, _ struct{}) (string, error) {
	data, err := os.ReadFile(w.list)
	if errors.Is(err, fs.ErrNotExist) {
		return "list: none", nil
	}
	return "list: " + strings.Join(strings.Fields(string(data)), ", "), err
}

// insured asks before the insured parcel is shipped.
func insured(_ context.Context, q agent.ToolRequest) agent.Decision {
	var p parcel
	if q.Call.Name != "ship" || json.Unmarshal(q.Call.Input, &p) != nil || p.Parcel != "D2" {
		return agent.Decision{}
	}
	return agent.Decision{Permission: agent.Ask, Reason: "the parcel is insured"}
}

// resultText is the text of a tool_result block.
func resultText(b transport.Block) string {
	var m transport.Message
	content := append(append([]byte(`{"role":"user","content":`), rawjson.Get(b.Raw(), "content")...), '}')
	if err := m.UnmarshalJSON(content); err != nil {
		return ""
	}
	return m.Text()
}
