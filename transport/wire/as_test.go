package wire_test

import (
	"testing"

	"github.com/whorl-go/whorl/transport/wire"
)

// greeter is a seam, and namer an optional ability of it.
type (
	greeter  interface{ Greet() string }
	namer    interface{ Name() string }
	together interface {
		greeter
		namer
	}
)

type bare struct{}

func (bare) Greet() string { return "hello" }

type named string

func (named) Greet() string  { return "hello" }
func (n named) Name() string { return string(n) }

type pointed struct{ name string }

func (p *pointed) Greet() string { return "hello" }
func (p *pointed) Name() string  { return p.name }

type unwraps struct{ inner greeter }

func (unwraps) Greet() string     { return "hi" }
func (u unwraps) Unwrap() greeter { return u.inner }

// unwrapsMore returns another interface than the seam's.
type unwrapsMore struct{ inner together }

func (unwrapsMore) Greet() string      { return "hi" }
func (u unwrapsMore) Unwrap() together { return u.inner }

// unwrapsType returns a concrete type.
type unwrapsType struct{ inner *pointed }

func (unwrapsType) Greet() string      { return "hi" }
func (u unwrapsType) Unwrap() *pointed { return u.inner }

type embeds struct{ greeter }

type embedsPointer struct {
	_ int
	*embeds
}

type Exported = greeter

type embedsExported struct{ Exported }

// hides embeds one that has a name, and says itself that there is nothing behind it.
type hides struct{ greeter }

func (hides) Unwrap() greeter { return nil }

type panics struct{ greeter }

func (panics) Unwrap() greeter { panic("no") }

type endless struct{ bare }

func (e endless) Unwrap() greeter { return e }

type oddUnwrap struct{ greeter }

func (oddUnwrap) Unwrap() (greeter, error) { return nil, nil }

type unwrapsOther struct{ bare }

func (unwrapsOther) Unwrap() error { return nil }

type twoEmbedded struct {
	error
	greeter
}

func TestAs(t *testing.T) {
	var nilPointer *pointed
	cyclic := &embeds{}
	cyclic.greeter = cyclic
	for name, c := range map[string]struct {
		in   greeter
		want string // empty if no name is found
	}{
		"itself":                     {named("x"), "x"},
		"pointer":                    {&pointed{"x"}, "x"},
		"without":                    {bare{}, ""},
		"Unwrap":                     {unwraps{named("x")}, "x"},
		"Unwrap twice":               {unwraps{unwraps{named("x")}}, "x"},
		"Unwrap, another interface":  {unwrapsMore{named("x")}, "x"},
		"Unwrap, a concrete type":    {unwrapsType{&pointed{"x"}}, "x"},
		"Unwrap of nil":              {unwraps{}, ""},
		"Unwrap of a nil pointer":    {unwraps{nilPointer}, ""},
		"Unwrap of a nil type":       {unwrapsType{}, ""},
		"Unwrap of another kind":     {unwrapsOther{}, ""},
		"embedded":                   {embeds{named("x")}, "x"},
		"embedded, by pointer":       {&embeds{named("x")}, "x"},
		"embedded, exported":         {embedsExported{named("x")}, "x"},
		"embedded twice":             {embeds{&embeds{named("x")}}, "x"},
		"embedded struct":            {embedsPointer{embeds: &embeds{named("x")}}, "x"},
		"embedded, after another":    {twoEmbedded{greeter: named("x")}, "x"},
		"embedded, anonymous":        {struct{ greeter }{named("x")}, "x"},
		"embedded nil":               {embeds{}, ""},
		"embedded nil pointer":       {embeds{nilPointer}, ""},
		"embedded behind Unwrap":     {unwraps{embeds{unwraps{named("x")}}}, "x"},
		"Unwrap decides":             {hides{named("x")}, ""},
		"Unwrap with two results":    {oddUnwrap{named("x")}, "x"},
		"a panic":                    {panics{named("x")}, ""},
		"without end":                {endless{}, ""},
		"without end, by embedding":  {cyclic, ""},
		"nil":                        {nil, ""},
		"a nil pointer with methods": {nilPointer, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := wire.As[namer](c.in)
			if ok != (c.want != "") {
				t.Fatalf("found %v, want %v", ok, !ok)
			}
			if ok && got.Name() != c.want {
				t.Errorf("found %q, want %q", got.Name(), c.want)
			}
		})
	}
}

func TestAsAllocatesNothing(t *testing.T) {
	for name, g := range map[string]greeter{"itself": named("x"), "Unwrap": &unwraps{named("x")}} {
		if n := testing.AllocsPerRun(100, func() { wire.As[namer](g) }); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
