package worker

import "time"

// SetMachine sets the clock of a worker's machine.
func (w *Worker) SetMachine(now func() time.Time) { w.clock.machine = now }
