package recipes_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/sqlite"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// offline is a client of a simulator whose model answers with the replies.
func offline(replies ...simulator.Reply) (client *anthropic.Client, end func()) {
	sim, err := simulator.Start(simulator.Options{Model: simulator.Dialogue(replies...)})
	if err != nil {
		log.Fatal(err)
	}
	client, err = anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any"), Features: anthropic.AllFeatures()})
	if err != nil {
		log.Fatal(err)
	}
	return client, func() { sim.Close() }
}

// folder makes a folder with a picture and a PDF in it.
func folder() string {
	dir, err := os.MkdirTemp("", "recipes")
	if err != nil {
		log.Fatal(err)
	}
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 40, 30))); err != nil {
		log.Fatal(err)
	}
	pdf := "%PDF-1.4\n1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n2 0 obj\n<</Type/Pages/Count 1/Kids[3 0 R]>>\nendobj\n3 0 obj\n<</Type/Page>>\nendobj\ntrailer\n<</Size 4/Root 1 0 R>>\nstartxref\n0\n%%EOF\n"
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "photo.png"), picture.Bytes(), 0o600), os.WriteFile(filepath.Join(dir, "report.pdf"), []byte(pdf), 0o600)); err != nil {
		log.Fatal(err)
	}
	return dir
}

// A user's picture and PDF are blocks of a user's message, in front of the question.
func Example_pictureAndPDF() {
	client, end := offline(simulator.Say("A grey picture, and a report of one page."))
	defer end()
	dir := folder()
	defer os.RemoveAll(dir)
	ctx := context.Background()

	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5"})
	if err != nil {
		log.Fatal(err)
	}
	// region media
	photo, err := os.ReadFile(filepath.Join(dir, "photo.png"))
	if err != nil {
		log.Fatal(err)
	}
	report, err := os.ReadFile(filepath.Join(dir, "report.pdf"))
	if err != nil {
		log.Fatal(err)
	}
	picture, err := transport.Image{Data: photo}.Block() // the type is read from the bytes
	if err != nil {
		log.Fatal(err) // no picture, or one that is too large: the error says which
	}
	pdf, err := transport.Document{Data: report, Title: "Report"}.Block()
	if err != nil {
		log.Fatal(err)
	}
	res, err := a.Run(ctx, agent.Input{Messages: []transport.Message{{
		Role:    transport.RoleUser,
		Content: []transport.Block{picture, pdf, transport.Text("What do these show?")},
	}}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(res.Text)
	// endregion

	// Output: A grey picture, and a report of one page.
}

// A typed answer is a Go value.
func Example_typedAnswer() {
	client, end := offline(simulator.Say(`{"city":"Lisbon","celsius":18}`))
	defer end()
	ctx := context.Background()
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5"})
	if err != nil {
		log.Fatal(err)
	}
	// region typed
	type weather struct {
		City    string `json:"city"`
		Celsius int    `json:"celsius"`
	}
	w, res, err := agent.Generate[weather](ctx, a, agent.Input{Prompt: "It is 18 degrees in Lisbon."})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(w.City, w.Celsius, res.Steps)
	// endregion

	// Output: Lisbon 18 1
}

// The same call begins a session and goes on with it, so a program that was killed is
// run again.
func Example_resume() {
	client, end := offline(simulator.Say(`{"number":"R-7","paid":true}`))
	defer end()
	dir, err := os.MkdirTemp("", "recipes")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5"})
	if err != nil {
		log.Fatal(err)
	}
	// region resume
	type invoice struct {
		Number string `json:"number"`
		Paid   bool   `json:"paid"`
	}
	store, err := sqlite.Open(filepath.Join(dir, "sessions.db"), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	in := agent.Input{Store: store, Session: "invoice-7"}
	if _, err := store.Info(ctx, in.Session); errors.Is(err, memory.ErrNoSession) {
		in.Prompt = "Is invoice R-7 paid?" // only if it was not begun; a prompt would be another question
	} else if err != nil {
		log.Fatal(err)
	}
	inv, _, err := agent.Generate[invoice](ctx, a, in)
	var busy *memory.LeaseError
	if errors.As(err, &busy) { // the process that was killed could not give it back
		time.Sleep(time.Until(busy.Until))
		inv, _, err = agent.Generate[invoice](ctx, a, in)
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(inv.Number, inv.Paid)
	// endregion

	// Output: R-7 true
}

// A second question goes on where the first one ended, in this process or another.
func Example_conversation() {
	client, end := offline(simulator.Say("Noted."), simulator.Say("Tea."))
	defer end()
	ctx := context.Background()
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5"})
	if err != nil {
		log.Fatal(err)
	}
	// region conversation
	store := new(memory.RAM) // sqlite.Open and postgres.Open give stores that survive
	for _, prompt := range []string{"I like tea.", "What do I like?"} {
		res, err := a.Run(ctx, agent.Input{Store: store, Session: "ann-1", Prompt: prompt})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(res.Text)
	}
	// endregion

	// Output:
	// Noted.
	// Tea.
}

// A tool that somebody approves: the run ends while it waits, and goes on with the
// decision, in this process or another.
func Example_approval() {
	client, end := offline(simulator.Do(simulator.Call("send", map[string]any{"to": "bob"})), simulator.Say("It is sent."))
	defer end()
	ctx := context.Background()
	type mail struct {
		To string `json:"to"`
	}
	// region approval
	send := tools.FuncWith("send", "Sends the mail.", func(ctx context.Context, m mail) (string, error) {
		return "sent to " + m.To, nil
	}, tools.Options{Traits: tools.Traits{NeedsApproval: true}})
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5", Tools: []tools.Tool{send}})
	if err != nil {
		log.Fatal(err)
	}
	res, err := a.Run(ctx, agent.Input{Prompt: "Send it."})
	var waits *agent.ApprovalError
	for errors.As(err, &waits) {
		for _, call := range agent.Pending(res.Log) {
			fmt.Printf("may %s run with %s?\n", call.Name, call.Input)
			if err := call.Approve(ctx, res.Log); err != nil { // or Deny, with a reason
				log.Fatal(err)
			}
		}
		res, err = a.Run(ctx, agent.Input{Log: res.Log})
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(res.Text)
	// endregion

	// Output:
	// may send run with {"to":"bob"}?
	// It is sent.
}

// Bounds on one run.
func Example_bounds() {
	client, end := offline(simulator.Say("Done."))
	defer end()
	ctx := context.Background()
	// region bounds
	a, err := agent.New(agent.Options{
		Client: client, Model: "claude-opus-5-5",
		Limits: agent.Limits{Steps: 20, Time: 5 * time.Minute},
		Budget: &agent.Budget{USD: 0.50},
	})
	if err != nil {
		log.Fatal(err)
	}
	res, err := a.Run(ctx, agent.Input{Prompt: "Be done."})
	var over *agent.BudgetError
	var limit *agent.LimitError
	switch {
	case errors.As(err, &over), errors.As(err, &limit):
		fmt.Println("stopped:", err) // res.Text is what there is, and res.Log can be run on
	case err != nil:
		log.Fatal(err)
	}
	fmt.Println(res.Text)
	// endregion

	// Output: Done.
}
