package worker

import (
	"context"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// maxCounted bounds how many sessions that are due the metrics count.
const maxCounted = 1000

// metrics tell how the worker does:
//
//   - whorl.worker.runs, a counter, by whorl.worker.state;
//   - whorl.worker.running, sessions that this process runs now;
//   - whorl.worker.due, sessions that wait for a process, up to 1,000;
//   - whorl.worker.oldest, for how many seconds the longest of them has.
type metrics struct {
	runs         metric.Int64Counter
	registration metric.Registration
}

func newMetrics(w *Worker) (*metrics, error) {
	provider := w.o.MeterProvider
	if provider == nil {
		provider = otel.GetMeterProvider()
	}
	meter := provider.Meter("github.com/whorl-go/whorl/agent/worker")
	m := new(metrics)
	var err error
	if m.runs, err = meter.Int64Counter("whorl.worker.runs", metric.WithDescription("Runs of sessions, by what became of them."), metric.WithUnit("{run}")); err != nil {
		return nil, err
	}
	running, err := meter.Int64ObservableGauge("whorl.worker.running", metric.WithDescription("Sessions that this process runs now."), metric.WithUnit("{session}"))
	if err != nil {
		return nil, err
	}
	due, err := meter.Int64ObservableGauge("whorl.worker.due", metric.WithDescription("Sessions that wait for a process, up to 1,000."), metric.WithUnit("{session}"))
	if err != nil {
		return nil, err
	}
	oldest, err := meter.Float64ObservableGauge("whorl.worker.oldest", metric.WithDescription("For how long the session that has waited longest has waited."), metric.WithUnit("s"))
	if err != nil {
		return nil, err
	}
	m.registration, err = meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		w.mu.Lock()
		n := len(w.running)
		w.mu.Unlock()
		o.ObserveInt64(running, int64(n))
		q := w.o.Query
		q.Limit = maxCounted
		count, age := int64(0), time.Duration(0)
		for info, err := range w.waker.Due(ctx, q) {
			if err != nil {
				return err
			}
			if count++; !info.Due.IsZero() {
				age = max(age, w.now().Sub(info.Due))
			}
		}
		o.ObserveInt64(due, count)
		o.ObserveFloat64(oldest, age.Seconds())
		return nil
	}, running, due, oldest)
	return m, err
}

func (m *metrics) ended(o Outcome) {
	m.runs.Add(context.Background(), 1, metric.WithAttributes(attribute.String("whorl.worker.state", string(o.State))))
}

func (m *metrics) stop() { _ = m.registration.Unregister() }
