package simulator

import "github.com/whorl-go/whorl/transport/rawjson"

// checkTop checks the shape of the request but for its messages.
func (s *Server) checkTop(r *request, members []member) *Refusal {
	for _, name := range [...]string{"model", "messages", "max_tokens"} {
		if _, ok := r.fields[name]; !ok && !(name == "max_tokens" && r.counting) {
			return refuse("%s: Field required", name)
		}
	}
	return nil
}

// checkMessage checks the shape of message i.
func (s *Server) checkMessage(r *request, i int, raw []byte) *Refusal {
	if rawjson.Get(raw, "role") == nil {
		return refuse("messages.%d.role: Field required", i)
	}
	return nil
}
