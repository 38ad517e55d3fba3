package tools

import (
	"encoding"
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

// unencodable finds what keeps every value of type t from becoming a result: it
// returns the type that has no JSON form and its place in t, or nil. seen are
// the types that have been looked at.
func unencodable(t reflect.Type, path string, seen map[reflect.Type]bool) (reflect.Type, string) {
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer:
		if encodesItself(t) {
			return nil, ""
		}
		return t, path
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map, reflect.Struct:
	default:
		return nil, ""
	}
	if seen[t] || encodesItself(t) || t.Implements(contentType) {
		return nil, ""
	}
	seen[t] = true
	if t.Kind() != reflect.Struct {
		return unencodable(t.Elem(), path, seen)
	}
	for _, f := range visibleFields(t) {
		if f.optional {
			continue
		}
		if found, at := unencodable(f.Type, path+"."+f.Name, seen); found != nil {
			return found, at
		}
	}
	return nil, ""
}

var (
	contentType       = reflect.TypeFor[Content]()
	marshalerType     = reflect.TypeFor[json.Marshaler]()
	textMarshalerType = reflect.TypeFor[encoding.TextMarshaler]()
)

// encodesItself reports whether t, or a pointer to it, says how it is written.
func encodesItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(marshalerType) || p.Implements(textMarshalerType) || t.Implements(marshalerType) || t.Implements(textMarshalerType)
}

// resultOf makes a Result of what a function returned. A panic in a method of
// the value is an error.
func resultOf(value any) (r Result, err error) {
	if r, ok := plainResult(value); ok {
		return r, nil
	}
	err = guard(fmt.Sprintf("the tool ran, but its result can't be encoded: a method of %T", value), func() (err error) {
		r, err = makeResult(value)
		return err
	})
	if err != nil {
		return Result{}, err
	}
	return r, nil
}

// plainResult is resultOf for values that have no methods of the caller's.
func plainResult(value any) (r Result, ok bool) {
	switch v := value.(type) {
	case nil, struct{}:
		return Result{}, true
	case Result:
		return v, true
	case string:
		return Text(v), true
	case transport.Block:
		return Result{Content: []transport.Block{v}}, true
	case []transport.Block:
		return Result{Content: v}, true
	case json.RawMessage:
		return Text(string(v)), true
	case []byte:
		return Text(string(v)), true
	}
	return Result{}, false
}

func makeResult(value any) (Result, error) {
	rv := reflect.ValueOf(value)
	if rv.Kind() == reflect.Pointer && rv.IsNil() {
		return Result{}, nil
	}
	switch v := value.(type) {
	case *Result:
		return *v, nil
	case error:
		return Result{}, v
	case Content:
		b, err := v.Block()
		if err != nil {
			return Result{}, err
		}
		return Result{Content: []transport.Block{b}}, nil
	}
	if rv.Kind() == reflect.Slice && rv.Type().Elem().Implements(contentType) {
		return contentList(rv)
	}
	switch {
	case encodesItself(rv.Type()):
	case rv.Kind() == reflect.String:
		return Text(rv.String()), nil
	case rv.Kind() == reflect.Slice && rv.IsNil():
		return Text("[]"), nil
	case rv.Kind() == reflect.Map && rv.IsNil():
		return Text("{}"), nil
	}
	raw, err := rawjson.Marshal(value)
	if err != nil {
		return Result{}, fmt.Errorf("the tool ran, but its result can't be encoded: %w", err)
	}
	return Text(string(raw)), nil
}

func contentList(list reflect.Value) (Result, error) {
	var r Result
	for i := range list.Len() {
		v := list.Index(i)
		if v.Kind() == reflect.Interface {
			v = v.Elem()
		}
		if !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
			continue
		}
		b, err := v.Interface().(Content).Block()
		if err != nil {
			return Result{}, fmt.Errorf("content %d: %w", i, err)
		}
		r.Content = append(r.Content, b)
	}
	return r, nil
}
