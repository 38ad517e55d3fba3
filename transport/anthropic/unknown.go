package anthropic

import (
	"strings"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
)

// refused makes an error of the service fit to be shown: without the client's keys,
// and with the model's id that was meant where the service doesn't know the one
// that it names (wire row 11).
func (c *Client) refused(e *transport.Error) error {
	c.hideSecrets(e)
	id, named := strings.CutPrefix(e.Message, "model: ")
	if !named || !e.Is(transport.ErrNotFound) {
		return e
	}
	if n := models.Nearest(id, c.models...); n != "" && n != id {
		return &unknownModelError{e, n}
	}
	return e
}

// An unknownModelError is a refusal of a model's id, with the one that was meant.
type unknownModelError struct {
	err   *transport.Error
	meant string
}

func (e *unknownModelError) Error() string {
	return e.err.Error() + "; did you mean the model " + e.meant + "?"
}

func (e *unknownModelError) Unwrap() error { return e.err }
