package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/whorl-go/whorl/memory/budget"
	"github.com/whorl-go/whorl/memory/internal/amount"
)

// The table budgets has a row for each budget and period, with sums; the table
// charges one for each reservation, which stays for a while after it was charged,
// so that to charge it again does nothing.

// keepCharges is how long a charge is remembered.
const keepCharges = 24 * time.Hour

// Reserve implements [budget.Ledger].
func (ss Sessions) Reserve(ctx context.Context, b budget.Budget, id string, usd float64) error {
	d := ss.db
	want, err := amount.Nano(usd)
	most, err2 := amount.Nano(b.USD)
	if err = errors.Join(err, err2); err == nil {
		err = b.Check()
	}
	if err == nil && id == "" {
		err = errors.New("a reservation needs an id")
	}
	if err != nil {
		return fmt.Errorf("budget %q: %w", b.Name, err)
	}
	err = d.retry(ctx, func() error {
		return d.Tx(ctx, func(tx Tx) error { return d.reserve(ctx, tx, b, id, want, most) })
	})
	return d.budgetError(b, usd, err)
}

func (d *DB) budgetError(b budget.Budget, usd float64, err error) error {
	if over := (*budget.OverError)(nil); errors.As(err, &over) {
		over.Wanted = usd
		return over
	}
	if err != nil {
		return fmt.Errorf("budget %q: %w", b.Name, d.Meaning(err))
	}
	return nil
}

func (d *DB) reserve(ctx context.Context, tx Tx, b budget.Budget, id string, want, most int64) error {
	now, err := d.now(ctx, tx)
	if err != nil {
		return err
	}
	period, err := b.Period.Key(now)
	if err != nil {
		return err
	}
	if err := d.exec(ctx, tx, "DELETE FROM ~charges WHERE settled > 0 AND settled < ?", now.Add(-keepCharges).UnixNano()); err != nil {
		return err
	}
	if err := d.exec(ctx, tx, "INSERT INTO ~budgets (name, period, spent, reserved) VALUES (?, ?, 0, 0) ON CONFLICT (name, period) DO NOTHING", b.Name, period); err != nil {
		return err
	}
	res, err := tx.ExecContext(ctx, d.Q("INSERT INTO ~charges (id, name, period, usd, made, settled) VALUES (?, ?, ?, ?, ?, 0) ON CONFLICT (id) DO NOTHING"), id, b.Name, period, want, now.UnixNano())
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err // it is there already
	}
	res, err = tx.ExecContext(ctx, d.Q("UPDATE ~budgets SET reserved = reserved + ? WHERE name = ? AND period = ? AND spent + reserved + ? <= ?"), want, b.Name, period, want, most)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n > 0 {
		return err
	}
	over := &budget.OverError{Budget: b}
	if over.Spending, err = d.spending(ctx, tx, b, period); err != nil {
		return err
	}
	over.Open = slices.DeleteFunc(over.Open, func(open string) bool { return open == id }) // it goes with the transaction
	return over
}

// Charge implements [budget.Ledger].
func (ss Sessions) Charge(ctx context.Context, id string, usd float64) error {
	spent, err := amount.Nano(usd)
	if err == nil {
		err = ss.db.retry(ctx, func() error {
			return ss.db.Tx(ctx, func(tx Tx) error { return ss.db.settle(ctx, tx, id, spent) })
		})
	}
	if err != nil {
		return fmt.Errorf("reservation %q: %w", id, ss.db.Meaning(err))
	}
	return nil
}

func (d *DB) settle(ctx context.Context, tx Tx, id string, spent int64) error {
	now, err := d.now(ctx, tx)
	if err != nil {
		return err
	}
	var name, period string
	var reserved, settled int64
	row := tx.QueryRowContext(ctx, d.Q("SELECT name, period, usd, settled FROM ~charges WHERE id = ?"+d.ForUpdate), id)
	if err := row.Scan(&name, &period, &reserved, &settled); errors.Is(err, sql.ErrNoRows) {
		return budget.ErrNoReservation
	} else if err != nil || settled > 0 {
		return err
	}
	if err := d.exec(ctx, tx, "UPDATE ~budgets SET spent = spent + ?, reserved = reserved - ? WHERE name = ? AND period = ?", spent, reserved, name, period); err != nil {
		return err
	}
	return d.exec(ctx, tx, "UPDATE ~charges SET settled = ? WHERE id = ?", now.UnixNano(), id)
}

// Release implements [budget.Ledger].
func (ss Sessions) Release(ctx context.Context, id string) error {
	d := ss.db
	err := d.once(ctx, func(tx Tx) error {
		var name, period string
		var reserved int64
		row := tx.QueryRowContext(ctx, d.Q("DELETE FROM ~charges WHERE id = ? AND settled = 0 RETURNING name, period, usd"), id)
		if err := row.Scan(&name, &period, &reserved); errors.Is(err, sql.ErrNoRows) {
			return budget.ErrNoReservation
		} else if err != nil {
			return err
		}
		return d.exec(ctx, tx, "UPDATE ~budgets SET reserved = reserved - ? WHERE name = ? AND period = ?", reserved, name, period)
	})
	if err != nil {
		return fmt.Errorf("reservation %q: %w", id, d.Meaning(err))
	}
	return nil
}

// Spending implements [budget.Ledger].
func (ss Sessions) Spending(ctx context.Context, b budget.Budget) (s budget.Spending, err error) {
	d := ss.db
	if err := b.Check(); err != nil {
		return s, err
	}
	err = d.retry(ctx, func() error {
		return d.Tx(ctx, func(tx Tx) error {
			now, err := d.now(ctx, tx)
			if err != nil {
				return err
			}
			period, err := b.Period.Key(now)
			if err != nil {
				return err
			}
			s, err = d.spending(ctx, tx, b, period)
			return err
		})
	})
	return s, d.budgetError(b, 0, err)
}

func (d *DB) spending(ctx context.Context, tx Tx, b budget.Budget, period string) (budget.Spending, error) {
	s := budget.Spending{USD: b.USD}
	var spent, reserved int64
	row := tx.QueryRowContext(ctx, d.Q("SELECT spent, reserved FROM ~budgets WHERE name = ? AND period = ?"), b.Name, period)
	if err := row.Scan(&spent, &reserved); errors.Is(err, sql.ErrNoRows) {
		return s, nil
	} else if err != nil {
		return s, err
	}
	s.Spent, s.Reserved = amount.USD(spent), amount.USD(reserved)
	rows, err := tx.QueryContext(ctx, d.Q("SELECT id, made FROM ~charges WHERE name = ? AND period = ? AND settled = 0 ORDER BY made, id"), b.Name, period)
	if err != nil {
		return s, err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var made int64
		if err := rows.Scan(&id, &made); err != nil {
			return s, err
		}
		if len(s.Open) == 0 {
			s.OldestOpen = time.Unix(0, made)
		}
		s.Open = append(s.Open, id)
	}
	return s, rows.Err()
}
