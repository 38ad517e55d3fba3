package tools

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// Content is what a tool can return for the model to see as one block: [Image],
// [Document] and [SearchResult] are such.
type Content interface {
	Block() (transport.Block, error)
}

// unencodable reports whether no value of type t can become a result.
func unencodable(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer:
		return true
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return t.Name() == "" && unencodable(t.Elem())
	}
	return false
}

// resultOf makes a Result of what a function returned.
func resultOf(value any) (Result, error) {
	switch v := value.(type) {
	case nil:
		return Result{}, nil
	case Result:
		return v, nil
	case string:
		return Text(v), nil
	case struct{}:
		return Result{}, nil
	case error:
		return Result{}, v
	case transport.Block:
		return Result{Content: []transport.Block{v}}, nil
	case []transport.Block:
		return Result{Content: v}, nil
	case json.RawMessage:
		return Text(string(v)), nil
	case []byte:
		return Text(string(v)), nil
	}
	rv := reflect.ValueOf(value)
	if rv.Kind() == reflect.Pointer && rv.IsNil() {
		return Result{}, nil
	}
	switch v := value.(type) {
	case *Result:
		return *v, nil
	case Content:
		b, err := v.Block()
		if err != nil {
			return Result{}, err
		}
		return Result{Content: []transport.Block{b}}, nil
	}
	if rv.Kind() == reflect.Slice && rv.Type().Elem().Implements(reflect.TypeFor[Content]()) {
		return contentList(rv)
	}
	switch {
	case rv.Kind() == reflect.String && !encodesItself(rv.Type()):
		return Text(rv.String()), nil
	case rv.Kind() == reflect.Slice && rv.IsNil() && !encodesItself(rv.Type()):
		return Text("[]"), nil
	case rv.Kind() == reflect.Map && rv.IsNil() && !encodesItself(rv.Type()):
		return Text("{}"), nil
	}
	raw, err := rawjson.Marshal(value)
	if err != nil {
		return Result{}, fmt.Errorf("the tool ran, but its result can't be encoded: %w", err)
	}
	return Text(string(raw)), nil
}

func encodesItself(t reflect.Type) bool { return t.Implements(reflect.TypeFor[json.Marshaler]()) }

func contentList(list reflect.Value) (Result, error) {
	var r Result
	for i := range list.Len() {
		c, _ := list.Index(i).Interface().(Content)
		if c == nil {
			continue
		}
		b, err := c.Block()
		if err != nil {
			return Result{}, fmt.Errorf("content %d: %w", i, err)
		}
		r.Content = append(r.Content, b)
	}
	return r, nil
}

// sendable makes of a result one that the service takes: no blank text, and in
// an error nothing but text (reference §3.5). What an error can't hold is
// replaced by a word of it.
func sendable(r Result) Result {
	fine := true
	for _, b := range r.Content {
		fine = fine && !blank(b) && (!r.IsError || b.Type() == transport.TypeText)
	}
	if fine {
		return r
	}
	kept := make([]transport.Block, 0, len(r.Content))
	for _, b := range r.Content {
		switch {
		case blank(b):
		case r.IsError && b.Type() != transport.TypeText:
			kept = append(kept, transport.Text("["+b.Type()+" left out: an error result holds text only]"))
		default:
			kept = append(kept, b)
		}
	}
	r.Content = kept
	return r
}

func blank(b transport.Block) bool {
	return b.IsZero() || b.Type() == transport.TypeText && !b.Markable()
}
