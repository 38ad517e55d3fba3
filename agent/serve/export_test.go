package serve

// Halt tells a session's run to end, and doesn't wait for that.
func (h *Handler) Halt(id string) { h.halt(id) }
