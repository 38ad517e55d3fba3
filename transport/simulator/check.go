package simulator

// check parses and validates a body. What it returns is ready to be answered.
func (s *Server) check(body []byte, r *request) (p prefix, positions prompt, _ *Refusal) {
	if why := s.readRequest(body, r); why != nil {
		return p, positions, why
	}
	r.decode()
	if !s.isComet() {
		if why := s.joinThread(r); why != nil {
			return p, positions, why
		}
	}
	m, ok := lookUpModel(r.modelName, s.opts.RetiredModels)
	if !ok && s.isComet() {
		return p, positions, cometModel(r.modelName)
	}
	if !ok {
		return p, positions, notFound("model: %s", r.modelName)
	}
	r.model = m
	if s.isComet() {
		m.Limits.MinCacheTokens = 1024
		if why := r.checkComet(); why != nil {
			return p, positions, why
		}
	}
	if why := r.checkModel(s.now()); why != nil {
		return p, positions, why
	}
	r.takePast()
	if why := r.checkConversation(); why != nil {
		return p, positions, why
	}
	for _, check := range []func() *Refusal{r.checkVersion, r.checkBilling, r.checkBlocks, r.checkToolChanges, r.checkCombinations, func() *Refusal { return s.checkFiles(r) }} {
		if why := check(); why != nil {
			return p, positions, why
		}
	}
	if why := s.checkCompaction(r); why != nil {
		return p, positions, why
	}
	var why *Refusal
	if p, r.changes, why = s.checkThinking(r); why != nil {
		return p, positions, why
	}
	if why := r.checkMarks(s.opts.Threads.CountEarlierMarks); why != nil {
		return p, positions, why
	}
	if why := r.checkMedia(); why != nil {
		return p, positions, why
	}
	if why := r.checkSchemas(); why != nil {
		return p, positions, why
	}
	if why := r.editContext(); why != nil {
		return p, positions, why
	}
	positions = r.positions()
	if tokens := positions.tokens(); tokens > 0 {
		if tokens > m.Limits.ContextTokens {
			return p, positions, refuse("prompt is too long: %d tokens > %d maximum", tokens, m.Limits.ContextTokens)
		}
		if m.retired && tokens+r.maxTokens > m.Limits.ContextTokens {
			return p, positions, refuse("input length and `max_tokens` exceed context limit: %d + %d > %d, decrease input length or `max_tokens` and try again",
				tokens, r.maxTokens, m.Limits.ContextTokens)
		}
	}
	return p, positions, nil
}
