package memory

import (
	"errors"
	"fmt"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/media"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/wire"
)

// CheckInput reports what the service would surely refuse about a message as an
// input. [Log.Append] and [Enqueue] take none of which it does: in the log it would
// be a part of every later request. Blocks of unknown types pass. Pictures and PDFs
// are read: an error about one matches one of package media.
func CheckInput(m transport.Message) error {
	switch {
	case m.Role != transport.RoleUser && m.Role != transport.RoleSystem:
		return fmt.Errorf("an input has the role user or system, not %q", m.Role)
	}
	return checkContent(m)
}

func checkContent(m transport.Message) error {
	switch {
	case len(m.Content) == 0 && len(m.OutputConfig) == 0:
		return errors.New("an input needs content: the service refuses an empty message")
	}
	for i, b := range m.Content {
		switch typ := b.Type(); {
		case b.IsZero():
			return fmt.Errorf("content.%d: the zero Block stands for no block; leave it out", i)
		case wire.IsBlank(b):
			return fmt.Errorf("content.%d: the text is empty or only white space, which the service refuses", i)
		case typ == transport.TypeToolResult:
			return fmt.Errorf("content.%d: a tool_result is no input; append it as a record of kind %q", i, KindResult)
		case wire.IsModels(typ):
			return fmt.Errorf("content.%d: a block of type %s is the model's; it can't be in an input", i, typ)
		case typ == transport.TypeImage || typ == transport.TypeDocument:
			if err := media.CheckBlock(b.Raw(), media.Limits{Pages: media.MaxPages}); err != nil {
				return fmt.Errorf("content.%d: %w", i, err)
			}
		}
	}
	return nil
}

// check looks for what may not be appended to a log, although one that has it, from
// an older version of this library, can be loaded.
func (r *Record) check() error {
	switch {
	case r.Kind == KindInput && r.Message.Role == transport.RoleAssistant:
		return checkContent(r.Message) // where it may stand the conversation knows
	case r.Kind == KindInput:
		return CheckInput(r.Message)
	case r.Kind == KindDecision && r.Decision != nil && len(r.Decision.Input) > 0:
		if in := rawjson.Trim(r.Decision.Input); !rawjson.Valid(in) || in[0] != '{' {
			return fmt.Errorf("tool call %q: the new arguments are not a JSON object: %s", r.Decision.CallID, brief(in))
		}
	}
	return nil
}
