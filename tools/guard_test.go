package tools_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// verdict is an error whose methods need a value behind the pointer.
type verdict struct{ code int }

func (v *verdict) Error() string { return fmt.Sprint("code ", v.code) }

// sick is an error that panics where panics says.
type sick struct{ panics string }

func (s sick) may(method string) {
	if s.panics == method {
		panic("sick " + method)
	}
}

func (s sick) Error() string        { s.may("Error"); return "sick" }
func (s sick) Unwrap() error        { s.may("Unwrap"); return errors.New("inside") }
func (s sick) Is(target error) bool { s.may("Is"); return false }
func (s sick) As(target any) bool   { s.may("As"); return false }

// TestErrorsThatPanic: whatever error a tool returns, its call has one result and
// whoever reads the error is safe.
func TestErrorsThatPanic(t *testing.T) {
	fails := func(err error) *tools.FuncTool {
		return tools.Func("t", "", func(context.Context, Empty) (string, error) { return "fine", err })
	}
	var none *verdict
	tests := []struct {
		name, want string
		err        error
		fatal      bool
	}{
		{name: "typed nil", err: none, want: "nil *tools_test.verdict"},
		{name: "typed nil, fatal", err: tools.Fatal(none), want: "can't be read", fatal: true},
		{name: "typed nil, joined", err: errors.Join(none), want: "can't be read"},
		{name: "Error", err: sick{"Error"}, want: "sick Error"},
		{name: "Unwrap", err: sick{"Unwrap"}, want: "sick"},
		{name: "Is", err: sick{"Is"}, want: "sick"},
		{name: "As", err: sick{"As"}, want: "sick"},
		{name: "wrapped", err: fmt.Errorf("outside: %w", sick{"Unwrap"}), want: "outside: sick"},
		{name: "fatal around it", err: tools.Fatal(sick{"Unwrap"}), want: "sick", fatal: true},
		{name: "a healthy one stays", err: &verdict{3}, want: "code 3"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := fails(test.err).Call(t.Context(), nil)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("error is %q, want one with %q", err, test.want)
			}
			if tools.IsFatal(err) != test.fatal {
				t.Errorf("fatal is %v", !test.fatal)
			}
			errors.Is(err, context.Canceled) // must not panic
			raw := tools.Raw("t", "", nil, func(context.Context, json.RawMessage) (tools.Result, error) { return tools.Result{}, test.err })
			if _, err := raw.Call(t.Context(), nil); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("of Raw: error is %q, want one with %q", err, test.want)
			}
		})
	}
	if _, err := fails(&verdict{3}).Call(t.Context(), nil); !errors.As(err, new(*verdict)) {
		t.Error("a healthy error lost its type")
	}
}

type (
	valueJSON  struct{ p *int }
	valueText  struct{ p *int }
	valueBlock struct{ p *int }
	loop       struct{ Next *loop }
	badInput   struct{}
)

func (v valueJSON) MarshalJSON() ([]byte, error)     { return fmt.Appendf(nil, "%d", *v.p), nil }
func (v valueText) MarshalText() ([]byte, error)     { return fmt.Appendf(nil, "%d", *v.p), nil }
func (v valueBlock) Block() (transport.Block, error) { return transport.Text(fmt.Sprint(*v.p)), nil }
func (badInput) UnmarshalText([]byte) error          { panic("sick input") }

// TestResultsThatPanic: the call of a function that returned a value nobody can
// write has one result, too.
func TestResultsThatPanic(t *testing.T) {
	circle := &loop{}
	circle.Next = circle
	seven := 7
	tests := []struct {
		name string
		tool *tools.FuncTool
		want string // in the error; "" for none
		text string // of the result
	}{
		{"nil pointer that is an error", returning[*verdict](nil), "", ""},
		{"error type that is nil in an any", returning[any]((*verdict)(nil)), "", ""},
		{"error type that is nil in an error", returning[error]((*verdict)(nil)), "", ""},
		{"pointer that is an error", returning(&verdict{3}), "code 3", ""},
		{"MarshalJSON", returning(valueJSON{}), "a method of tools_test.valueJSON panicked", ""},
		{"MarshalJSON of a nil pointer", returning[*valueJSON](nil), "", ""},
		{"MarshalJSON inside", returning([]valueJSON{{&seven}, {}}), "panicked", ""},
		{"MarshalText", returning(valueText{}), "panicked", ""},
		{"MarshalText of a map's key", returning(map[valueText]int{{}: 1}), "panicked", ""},
		{"Block", returning(valueBlock{}), "panicked", ""},
		{"Block of a nil pointer", returning[*valueBlock](nil), "", ""},
		{"Blocks, one of a nil pointer", returning([]*valueBlock{nil, {&seven}}), "", "7"},
		{"Contents, one a nil pointer", returning([]tools.Content{(*valueBlock)(nil), valueBlock{&seven}}), "", "7"},
		{"circle", returning(circle), "can't be encoded", ""},
		{"channel in an any", returning[any](make(chan int)), "can't be encoded", ""},
		{"arguments", tools.Func("t", "", func(context.Context, struct {
			In badInput `json:"in,omitempty"`
		}) (string, error) {
			return "", nil
		}), "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, err := test.tool.Call(t.Context(), nil)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("error is %v, want one with %q", err, test.want)
			}
			if got := (transport.Message{Content: r.Content}).Text(); got != test.text {
				t.Errorf("text is %q, want %q", got, test.text)
			}
		})
	}
	bad := tests[len(tests)-1].tool
	var wrong *tools.ArgumentError
	if _, err := bad.Call(t.Context(), json.RawMessage(`{"in":"x"}`)); !errors.As(err, &wrong) || !strings.Contains(err.Error(), "sick input") {
		t.Errorf("a panic while the arguments are decoded: %v", err)
	}
}

func TestResultTypesThatNobodyCanWrite(t *testing.T) {
	type deep struct {
		Name string
		In   []struct{ C chan int }
	}
	type hidden struct {
		C chan int `json:"-"`
		D chan int `json:",omitzero"`
		e chan int
		N *loop
	}
	_, err := returning(deep{}).Definition()
	if err == nil || !strings.Contains(err.Error(), "result Out.In.C: chan int has no JSON form") {
		t.Errorf("error is %v", err)
	}
	if _, err := returning(hidden{e: nil}).Definition(); err != nil {
		t.Error(err)
	}
	if _, err := tools.FuncWith("t", "", none[Plain], tools.Options{InputExamples: []any{valueJSON{}}}).Definition(); err == nil || !strings.Contains(err.Error(), "panicked") {
		t.Errorf("an example that panics: %v", err)
	}
}
