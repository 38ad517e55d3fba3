package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// The test's own program is the child.
func TestMain(m *testing.M) {
	if role := os.Getenv(envRole); role != "" {
		if err := child(role); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestFigures(t *testing.T) {
	var out strings.Builder
	if err := measure(t.Context(), &out, options{stores: "sqlite,ram", processes: "1,2", sessions: 4, steps: 3, waiting: 50}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`sqlite +1 processes: 4 sessions of 3 steps in [0-9.]+ s: [1-9][0-9]* steps/s; [1-9][0-9.]* rows and [1-9][0-9]+ bytes of a step\n`,
		`sqlite +2 processes: 4 sessions`,
		`sqlite +50 sessions wait: [0-9.]+ MB live`,
		`ram +50 sessions wait: [0-9.]+ MB live`,
	} {
		if !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if err := measure(t.Context(), &out, options{stores: "stone"}); err == nil {
		t.Error("a store of stone")
	}
}
