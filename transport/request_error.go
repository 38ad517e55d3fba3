package transport

// A RequestError reports a request that was not sent: the service would refuse it,
// or it can't be written. It uses something that the model doesn't have, or two
// things that exclude each other, or its breakpoints stand where none may. It
// matches [ErrInvalidRequest].
type RequestError struct {
	Field  string // where, or what is used, as it stands in the request: "tools.3", `tool_choice "any"`
	Reason string // what is wrong with it
	Remedy string // what to do; may be empty
	Model  string // the model that was asked for
}

func (e *RequestError) Error() string {
	s := "request: " + e.Field + ": " + e.Reason
	if e.Remedy != "" {
		s += "; " + e.Remedy
	}
	return s
}

// Is makes errors.Is(err, ErrInvalidRequest) true.
func (e *RequestError) Is(target error) bool { return target == ErrInvalidRequest }

// refused is every refusal before sending: of the body, of breakpoints, of what a
// model doesn't take. It is nil if there is none.
func (r *Request) refused(e *RequestError) error {
	if e == nil {
		return nil
	}
	e.Model = r.Model
	return e
}

func wrong(field, reason, remedy string) *RequestError {
	return &RequestError{Field: field, Reason: reason, Remedy: remedy}
}
