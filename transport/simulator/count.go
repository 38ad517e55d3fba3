package simulator

import "net/http"

// serveCount answers count_tokens.
func (s *Server) serveCount(w http.ResponseWriter, req *http.Request, account uint64, ex *Exchange) *Refusal {
	r := &request{account: account, counting: true}
	body, why := s.readBody(w, req, r)
	if why != nil {
		return why
	}
	_, positions, why := s.check(body, r)
	ex.Model, ex.Messages = r.modelName, len(r.messages)
	if why != nil {
		return why
	}
	tokens := positions.tokens()
	type edited struct {
		OriginalInputTokens int `json:"original_input_tokens"`
	}
	var original *edited
	if r.applied != nil {
		original = &edited{tokens}
		for _, e := range r.applied {
			original.OriginalInputTokens += e.ClearedInputTokens
		}
	}
	writeJSON(w, struct {
		InputTokens       int     `json:"input_tokens"`
		ContextManagement *edited `json:"context_management,omitempty"`
	}{tokens, original})
	return nil
}
