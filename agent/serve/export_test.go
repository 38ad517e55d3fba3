package serve

// Halt tells a session's run to end, and doesn't wait for that.
func (h *Handler) Halt(id string) { h.halt(id) }

// Holders is how many requests hold a session, or wait for it.
func (h *Handler) Holders(id string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if o := h.held[id]; o != nil {
		return o.n
	}
	return 0
}

// set makes r the session's run, nil that it has none, as the handler itself does: it looks
// at its runs meanwhile.
func (h *Handler) set(id string, r *running) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.running[id] = r; r == nil {
		delete(h.running, id)
	}
}
