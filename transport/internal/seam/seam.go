// Package seam finds optional abilities behind the wrappers that programs put
// around a value.
package seam

import (
	"reflect"
	"unsafe"
)

// maxDepth is the most wrappers that As looks behind.
const maxDepth = 64

// As finds a T in v or behind the wrappers around it. See package wire.
func As[T, S any](v S) (found T, ok bool) {
	defer func() {
		if recover() != nil { // of an Unwrap
			var none T
			found, ok = none, false
		}
	}()
	return find[T](v, maxDepth)
}

func find[T, S any](v S, depth int) (T, bool) {
	for ; depth > 0; depth-- {
		if isNil(v) {
			break
		}
		if t, ok := any(v).(T); ok {
			return t, true
		}
		next, wraps := unwrap(v)
		if !wraps {
			return findEmbedded[T, S](reflect.ValueOf(v), depth-1)
		}
		v = next
	}
	var none T
	return none, false
}

// isNil reports whether v is nil, or a nil pointer, map or func in an interface.
func isNil(v any) bool {
	if v == nil {
		return true
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Func, reflect.Slice, reflect.Chan:
		return r.IsNil()
	}
	return false
}

// unwrap calls the Unwrap method of v. wraps is false if v has none that returns
// one value and takes nothing. next is nil if what it returns is no S.
func unwrap[S any](v S) (next S, wraps bool) {
	if u, ok := any(v).(interface{ Unwrap() S }); ok {
		return u.Unwrap(), true
	}
	m := reflect.ValueOf(v).MethodByName("Unwrap")
	if !m.IsValid() || m.Type().NumIn() != 0 || m.Type().NumOut() != 1 {
		return next, false
	}
	next, _ = m.Call(nil)[0].Interface().(S)
	return next, true
}

// findEmbedded looks behind the embedded interfaces of a struct, or of the struct
// that a pointer points to. Embedded structs are part of the struct.
func findEmbedded[T, S any](v reflect.Value, depth int) (none T, ok bool) {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if depth <= 0 || v.Kind() != reflect.Struct {
		return none, false
	}
	for i := range v.NumField() {
		if !v.Type().Field(i).Anonymous {
			continue
		}
		field := v.Field(i)
		if field.Kind() != reflect.Interface {
			if field.Kind() == reflect.Pointer && field.IsNil() {
				continue
			}
			if t, ok := findEmbedded[T, S](field, depth-1); ok {
				return t, true
			}
			continue
		}
		if inner, ok := valueOf(v, i).(S); ok {
			if t, ok := find[T](inner, depth-1); ok {
				return t, true
			}
		}
	}
	return none, false
}

// valueOf reads field i of a struct, also where the embedded interface's type
// is not exported.
func valueOf(v reflect.Value, i int) any {
	if v.Field(i).CanInterface() {
		return v.Field(i).Interface()
	}
	if !v.CanAddr() {
		addressable := reflect.New(v.Type()).Elem()
		addressable.Set(v)
		v = addressable
	}
	field := v.Field(i)
	return reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem().Interface()
}
