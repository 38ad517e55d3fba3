package agent

import (
	"reflect"
	"testing"
)

// Invariant 9: limits are on by default, each that there is or will be.
func TestLimitsAreOnByDefault(t *testing.T) {
	l := reflect.ValueOf(Limits{}.withDefaults())
	for i := range l.NumField() {
		if l.Field(i).Int() <= 0 {
			t.Errorf("Limits.%s has no default", l.Type().Field(i).Name)
		}
	}
	off := Limits{Steps: -1, ToolTime: -1}.withDefaults()
	if off.Steps != -1 || off.ToolTime != -1 {
		t.Errorf("a limit that was turned off is on: %+v", off)
	}
}
