package flags_test

import (
	"bytes"
	"errors"
	"flag"
	"slices"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/examples/internal/flags"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		args, words []string
		dir, err    string
		json        bool
	}{
		{[]string{"-dir", "docs", "-json", "Is it -x?"}, []string{"Is it -x?"}, "docs", "", true},
		{[]string{"Is", "-dir", "docs", "it?", "-json"}, []string{"Is", "it?"}, "docs", "", true},
		{[]string{"-json", "Is", "-dir=docs", "--", "-x", "--"}, []string{"Is", "-x", "--"}, "docs", "", true},
		{nil, nil, "", "", false},
		{[]string{"Is it?", "-jsn"}, nil, "", "not defined: -jsn; did you mean -json?", false},
		{[]string{"-zebra"}, nil, "", "not defined: -zebra; -h lists", false},
		{[]string{"-json=perhaps"}, nil, "", "invalid boolean value", false},
		{[]string{"Is it?", "-dir"}, nil, "", "flag needs an argument: -dir", false},
	} {
		f := flag.NewFlagSet("ask", flag.ContinueOnError)
		var out bytes.Buffer
		f.SetOutput(&out)
		dir, json := f.String("dir", "", "a `folder`"), f.Bool("json", false, "print JSON")
		words, err := flags.Parse(f, c.args)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) || out.Len() > 0 {
				t.Errorf("%q: %v, want %s; %q was printed", c.args, err, c.err, out.String())
			}
			continue
		}
		if err != nil || !slices.Equal(words, c.words) || *dir != c.dir || *json != c.json {
			t.Errorf("%q: %q, -dir %s, -json %v, %v", c.args, words, *dir, *json, err)
		}
	}
	f := flag.NewFlagSet("ask", flag.ContinueOnError)
	var out bytes.Buffer
	f.SetOutput(&out)
	f.Bool("json", false, "print JSON")
	if _, err := flags.Parse(f, []string{"Is it?", "-h"}); !errors.Is(err, flag.ErrHelp) || !strings.Contains(out.String(), "print JSON") {
		t.Errorf("-h: %v, %q", err, out.String())
	}
}
