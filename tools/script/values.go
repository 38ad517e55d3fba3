package script

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"strconv"

	"go.starlark.net/starlark"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A mediaValue is a block of a result that is no text. A program can pass it around
// and print it.
type mediaValue struct{ block transport.Block }

func (v mediaValue) String() string       { return "<" + string(v.block.Type()) + ">" }
func (v mediaValue) Type() string         { return "media" }
func (v mediaValue) Freeze()              {}
func (v mediaValue) Truth() starlark.Bool { return true }
func (v mediaValue) Hash() (uint32, error) {
	return 0, errors.New("unhashable type: media")
}

// fromJSON is the value of a JSON text.
func fromJSON(data []byte) (starlark.Value, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	v, err := readValue(d)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("there is more after the JSON value")
	}
	return v, nil
}

func readValue(d *json.Decoder) (starlark.Value, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case nil:
		return starlark.None, nil
	case bool:
		return starlark.Bool(t), nil
	case string:
		return starlark.String(t), nil
	case json.Number:
		return readNumber(t.String())
	}
	if t == json.Delim('[') {
		var list []starlark.Value
		for d.More() {
			v, err := readValue(d)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := d.Token()
		return starlark.NewList(list), err
	}
	dict := new(starlark.Dict)
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		v, err := readValue(d)
		if err != nil {
			return nil, err
		}
		if err := dict.SetKey(starlark.String(key.(string)), v); err != nil {
			return nil, err
		}
	}
	_, err = d.Token()
	return dict, err
}

func readNumber(s string) (starlark.Value, error) {
	if len(s) < maxBits/4 {
		if i, ok := new(big.Int).SetString(s, 10); ok {
			return starlark.MakeBigInt(i), nil
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	return starlark.Float(f), err
}

// appendJSON writes a value as JSON. The value has been weighed.
func appendJSON(b []byte, v starlark.Value) ([]byte, error) {
	switch v := v.(type) {
	case starlark.NoneType:
		return append(b, "null"...), nil
	case starlark.Bool:
		return strconv.AppendBool(b, bool(v)), nil
	case starlark.Int:
		return append(b, v.String()...), nil
	case starlark.Float:
		if math.IsInf(float64(v), 0) || math.IsNaN(float64(v)) {
			return nil, fmt.Errorf("%v is not a number in JSON", v)
		}
		text, err := json.Marshal(float64(v)) // 42000000, not 4.2e+07, which is no int to Go
		return append(b, text...), err
	case starlark.String:
		return rawjson.AppendString(b, string(v)), nil
	case *starlark.Dict:
		b = append(b, '{')
		first := true
		for key, e := range v.Entries() {
			name, ok := key.(starlark.String)
			if !ok {
				return nil, fmt.Errorf("a key in JSON must be a string, not a %s such as %v", key.Type(), key)
			}
			if !first {
				b = append(b, ',')
			}
			first = false
			var err error
			if b, err = appendJSON(append(rawjson.AppendString(b, string(name)), ':'), e); err != nil {
				return nil, err
			}
		}
		return append(b, '}'), nil
	case *starlark.List, starlark.Tuple, *starlark.Set:
		b = append(b, '[')
		first := true
		for e := range starlark.Elements(v.(starlark.Iterable)) {
			if !first {
				b = append(b, ',')
			}
			first = false
			var err error
			if b, err = appendJSON(b, e); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	}
	return nil, fmt.Errorf("a %s can't be written as JSON", v.Type())
}
