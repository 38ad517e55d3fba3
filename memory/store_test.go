package memory_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/whorl-go/whorl/memory"
)

// A slow store takes its time until it is told to go on.
type slow struct {
	memory.Store
	begun, goOn chan bool
}

func (s *slow) Append(ctx context.Context, id string, at memory.Position, records ...memory.Record) error {
	s.begun <- true
	<-s.goOn
	return s.Store.Append(ctx, id, at, records...)
}

func TestReadersDontWaitForTheStore(t *testing.T) {
	store := &slow{new(memory.RAM), make(chan bool), make(chan bool)}
	log, err := memory.Create(store, "s", nil)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- log.Append(t.Context(), input("one")) }()
	<-store.begun
	if log.Len() != 0 || len(log.Messages()) != 0 || log.State().Input || log.Fork().Len() != 0 {
		t.Error("what is not durable yet is seen")
	}
	store.goOn <- true
	if err := <-done; err != nil || log.Len() != 1 || !log.State().Input {
		t.Errorf("%d records, %v", log.Len(), err)
	}
}

// Goroutines that append to one log, read and fork it don't hurt each other.
func TestConcurrentUse(t *testing.T) {
	store := new(memory.RAM)
	log, err := memory.Create(store, "s", nil)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				if err := log.Append(t.Context(), input("x")); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for range 50 {
				f := log.Fork()
				n := f.Len()
				if err := f.Append(t.Context(), input("y")); err != nil || f.Len() != n+1 || len(f.Messages()) != n+1 {
					t.Errorf("a fork of %d records has %d: %v", n, f.Len(), err)
				}
				for range log.Records(0) {
					continue
				}
				log.State()
			}
		})
	}
	wg.Wait()
	again, err := memory.Open(t.Context(), store, "s")
	if err != nil || again.Len() != 200 || log.Len() != 200 {
		t.Errorf("the store has %d records, the log %d: %v", again.Len(), log.Len(), err)
	}
}

// What others have appended is taken in if it is a note or a decision, and is
// a conflict if it is anything else.
func TestAppendCatchesUp(t *testing.T) {
	store := new(memory.RAM)
	one, err := memory.Create(store, "s", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := one.Append(t.Context(), input("hi")); err != nil {
		t.Fatal(err)
	}
	two, err := memory.Open(t.Context(), store, "s")
	if err != nil {
		t.Fatal(err)
	}
	if err := two.Append(t.Context(), memory.Record{Kind: memory.KindNote, Note: "seen"}); err != nil {
		t.Fatal(err)
	}
	if err := one.Append(t.Context(), response(t, "end_turn", text)); err != nil || one.Len() != 3 {
		t.Errorf("behind a note: %v, %d records", err, one.Len())
	}
	if err := two.Append(t.Context(), input("more")); !errors.Is(err, memory.ErrConflict) || two.Len() != 2 {
		t.Errorf("behind a response: %v, %d records", err, two.Len())
	}
}

// Only what can stand before other records is taken in by an append. A response that
// was asked for before an input came is none to that input.
func TestAppendDoesNotGoBehindOthersWork(t *testing.T) {
	begin := []memory.Record{input("hi"), response(t, "tool_use", callA, callB),
		{Kind: memory.KindApprovalRequest, ApprovalRequests: []memory.ApprovalRequest{{CallID: "b", Hash: "00"}}}}
	decision := memory.Record{Kind: memory.KindDecision, Decision: &memory.Decision{CallID: "b", Hash: "00", Approve: true}}
	remark := memory.Record{Kind: memory.KindNote, Note: "seen"}
	for _, tt := range []struct {
		others []memory.Record
		taken  bool
	}{
		{[]memory.Record{remark, decision}, true},
		{[]memory.Record{input("more")}, false},
		{[]memory.Record{{Kind: memory.KindStarted, Calls: []string{"a"}}}, false},
		{[]memory.Record{result("a", "1")}, false},
		{[]memory.Record{{Kind: memory.KindApprovalRequest, ApprovalRequests: []memory.ApprovalRequest{{CallID: "a", Hash: "01"}}}}, false},
		{[]memory.Record{{Kind: memory.KindRun, Limits: &memory.Limits{Steps: 1}}}, false},
		{[]memory.Record{remark, decision, input("more")}, false},
	} {
		store := new(memory.RAM)
		one, err := memory.Create(store, "s", nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := one.Append(t.Context(), begin...); err != nil {
			t.Fatal(err)
		}
		two, err := memory.Open(t.Context(), store, "s")
		if err != nil {
			t.Fatal(err)
		}
		if err := two.Append(t.Context(), tt.others...); err != nil {
			t.Fatal(err)
		}
		kind := tt.others[len(tt.others)-1].Kind
		err = one.Append(t.Context(), result("b", "2"))
		if tt.taken {
			if err != nil || one.Len() != len(begin)+len(tt.others)+1 {
				t.Errorf("behind a %s: %v, %d records", kind, err, one.Len())
			}
			continue
		}
		if !errors.Is(err, memory.ErrConflict) || one.Len() != len(begin) {
			t.Errorf("behind a %s: %v, %d records", kind, err, one.Len())
		}
		// A load that was given up half way has left nothing in the log.
		for _, c := range one.State().Open {
			if c.Decision != nil {
				t.Errorf("behind a %s the call %s has a decision that isn't in the log", kind, c.ID)
			}
		}
		if err := one.Refresh(t.Context()); err != nil || one.Len() != two.Len() || wire(one) != wire(two) {
			t.Errorf("refreshed behind a %s: %v, %d records, want %d", kind, err, one.Len(), two.Len())
		}
	}
}
