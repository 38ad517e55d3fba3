package tools

import (
	"errors"
	"fmt"
	"reflect"
)

// guard calls a method of a type that a tool's author wrote, such as MarshalJSON,
// and makes an error of its panic. what names the method and the type.
func guard(what string, call func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%s panicked: %v", what, v)
		}
	}()
	return call()
}

// guardMethod is guard for a method of t, whose name is made only where it is needed.
func guardMethod(t reflect.Type, call func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("a method of %v panicked: %v", t, v)
		}
	}()
	return call()
}

// safeError returns an error whose methods can be called: err itself, or if one
// of err's panics, as that of a nil pointer in an error may, another one that
// says so. It is as fatal as err.
func safeError(err error) error {
	text := ""
	broken := guard("Error", func() error { text = err.Error(); return nil })
	if broken == nil {
		broken = guard("Is, As or Unwrap", func() error {
			var f fatalError
			errors.As(err, &f)
			errors.Is(err, ErrWaiting)
			return nil
		})
		if broken == nil {
			return err
		}
	} else if v := reflect.ValueOf(err); v.Kind() == reflect.Pointer && v.IsNil() {
		text = fmt.Sprintf("the tool returned a nil %T as its error; return a plain nil where nothing went wrong", err)
	} else {
		text = fmt.Sprintf("the tool failed, and its error of type %T can't be read: %v", err, broken)
	}
	safe := errors.New(text)
	if IsFatal(err) {
		return Fatal(safe)
	}
	return safe
}
