package memory

import (
	"context"
	"fmt"
	"time"

	"github.com/whorl-go/whorl/memory/budget"
	"github.com/whorl-go/whorl/memory/internal/amount"
)

// A ramLedger keeps the accounts of a [RAM], in billionths of a dollar.
type ramLedger struct {
	accounts map[[2]string]*ramAccount // by name and period
	open     map[string]ramReservation
	charged  map[string]bool // ids that need not be charged again
	order    []string        // of charged, the oldest first
}

// maxCharged is how many charges are remembered.
const maxCharged = 4096

type ramAccount struct {
	spent, reserved int64
	open            []string
}

type ramReservation struct {
	account *ramAccount
	usd     int64
	at      time.Time
}

func (l *ramLedger) account(b budget.Budget) (*ramAccount, error) {
	if err := b.Check(); err != nil {
		return nil, err
	}
	key, err := b.Period.Key(time.Now())
	if err != nil {
		return nil, err
	}
	if l.accounts == nil {
		l.accounts, l.open, l.charged = map[[2]string]*ramAccount{}, map[string]ramReservation{}, map[string]bool{}
	}
	a := l.accounts[[2]string{b.Name, key}]
	if a == nil {
		a = &ramAccount{}
		l.accounts[[2]string{b.Name, key}] = a
	}
	return a, nil
}

func (l *ramLedger) spending(b budget.Budget, a *ramAccount) budget.Spending {
	s := budget.Spending{USD: b.USD, Spent: amount.USD(a.spent), Reserved: amount.USD(a.reserved)}
	s.Open = append(s.Open, a.open...)
	if len(s.Open) > 0 {
		s.OldestOpen = l.open[s.Open[0]].at
	}
	return s
}

// Reserve implements [budget.Ledger].
func (s *RAM) Reserve(ctx context.Context, b budget.Budget, id string, usd float64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	want, err := amount.Nano(usd)
	if err != nil {
		return fmt.Errorf("budget %q: %w", b.Name, err)
	}
	most, err := amount.Nano(b.USD)
	if err != nil {
		return fmt.Errorf("budget %q: %w", b.Name, err)
	}
	a, err := s.ledger.account(b)
	if err != nil {
		return err
	}
	if id == "" {
		return fmt.Errorf("budget %q: a reservation needs an id", b.Name)
	}
	if _, ok := s.ledger.open[id]; ok || s.ledger.charged[id] {
		return nil
	}
	if a.spent+a.reserved+want > most {
		return &budget.OverError{Budget: b, Wanted: usd, Spending: s.ledger.spending(b, a)}
	}
	a.reserved += want
	a.open = append(a.open, id)
	s.ledger.open[id] = ramReservation{a, want, time.Now()}
	return nil
}

// Charge implements [budget.Ledger].
func (s *RAM) Charge(ctx context.Context, id string, usd float64) error {
	spent, err := amount.Nano(usd)
	if err != nil {
		return fmt.Errorf("reservation %q: %w", id, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ledger.charged[id] {
		return nil
	}
	if err := s.ledger.end(id, spent); err != nil {
		return err
	}
	s.ledger.remember(id)
	return nil
}

// Release implements [budget.Ledger].
func (s *RAM) Release(ctx context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ledger.end(id, 0)
}

func (l *ramLedger) end(id string, spent int64) error {
	r, ok := l.open[id]
	if !ok {
		return fmt.Errorf("reservation %q: %w", id, budget.ErrNoReservation)
	}
	delete(l.open, id)
	r.account.spent += spent
	r.account.reserved -= r.usd
	for i, open := range r.account.open {
		if open == id {
			r.account.open = append(r.account.open[:i:i], r.account.open[i+1:]...)
			break
		}
	}
	return nil
}

func (l *ramLedger) remember(id string) {
	l.charged[id] = true
	if l.order = append(l.order, id); len(l.order) > maxCharged {
		delete(l.charged, l.order[0])
		l.order = l.order[1:]
	}
}

// Spending implements [budget.Ledger].
func (s *RAM) Spending(ctx context.Context, b budget.Budget) (budget.Spending, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.ledger.account(b)
	if err != nil {
		return budget.Spending{}, err
	}
	return s.ledger.spending(b, a), nil
}
