package serve

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/internal/stopping"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// A Problem is what a client sees of an error: a problem document (RFC 9457).
type Problem struct {
	// Type identifies the kind of problem for programs, such as "busy".
	Type string `json:"type"`
	// Title says what is wrong, Detail what to do.
	Title  string `json:"title"`
	Detail string `json:"detail,omitempty"`
	Status int    `json:"status"`
}

// Error returns the Title.
func (p *Problem) Error() string { return p.Title }

func problem(status int, typ, title, detail string) *Problem {
	return &Problem{Type: typ, Title: title, Detail: detail, Status: status}
}

var (
	notThere     = problem(http.StatusNotFound, "no_session", "There is no such session.", "")
	noRequest    = problem(http.StatusNotFound, "no_such_request", "There is no such request.", "docs/serve.md lists the requests, without the prefix that http.StripPrefix has to take off.")
	unauthorized = problem(http.StatusUnauthorized, "unauthorized", "The request names no user.", "Sign in.")
)

// problemOf is how an error is told.
func (h *Handler) problemOf(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	if h.o.Problem != nil {
		if own := h.o.Problem(err); own.Type != "" {
			if own.Status == 0 {
				own.Status = http.StatusInternalServerError
			}
			return &own
		}
	}
	var lease *memory.LeaseError
	var budget *agent.BudgetError
	var limit *agent.LimitError
	var stop *agent.StopError
	var decision *agent.DecisionError
	var tooLarge *http.MaxBytesError
	var service *transport.Error
	var elsewhere *stopping.ElsewhereError
	switch {
	case errors.As(err, &elsewhere) && elsewhere.Err != nil:
		return problem(http.StatusConflict, "elsewhere", "Another process runs the session, and can't be asked to stop.", "Wait for the end of the run.")
	case errors.As(err, &elsewhere):
		return problem(http.StatusConflict, "elsewhere", "Another process runs the session, and has not stopped yet.", "Try again. If it doesn't stop then either, wait for the end of the run.")
	case errors.As(err, &tooLarge):
		return problem(http.StatusRequestEntityTooLarge, "too_large", "The body is too large.", "Send a smaller one.")
	case errors.Is(err, memory.ErrNoSession):
		return notThere
	case errors.Is(err, memory.ErrReplaced):
		return problem(http.StatusGone, "replaced", "The session was deleted, and another one has its id.", "Read it from the beginning.")
	case errors.As(err, &lease), errors.Is(err, memory.ErrLeased):
		return problem(http.StatusConflict, "busy", "The session is running.", "Wait for the end of the run, or stop it.")
	case errors.As(err, &decision):
		return problem(http.StatusConflict, "decided", "The call no longer waits, or has changed.", "Read what the session waits for, and decide on that.")
	case errors.Is(err, memory.ErrConflict):
		return problem(http.StatusConflict, "conflict", "The session has changed in the meantime.", "Read the new events, and try again.")
	case errors.As(err, &budget):
		return problem(http.StatusPaymentRequired, "budget", "The budget is used up.", "")
	case errors.As(err, &limit):
		return problem(http.StatusUnprocessableEntity, "limit", "A limit of the run is reached: "+limit.Limit+".", "A new message begins a new run.")
	case errors.As(err, &stop):
		return problem(http.StatusUnprocessableEntity, "stopped_early", "The model could not finish.", stop.Why)
	case errors.Is(err, errStopped):
		return problem(http.StatusOK, "stopped", "The run was stopped.", "")
	case errors.Is(err, errClosed):
		return problem(http.StatusServiceUnavailable, "closing", "The server is shutting down. The session continues with its next message.", "Try again.")
	case errors.As(err, &service) && (service.Type == transport.ErrRateLimit || service.Type == transport.ErrOverloaded):
		return problem(http.StatusServiceUnavailable, "overloaded", "The model's service is overloaded.", "Try again in a while.")
	case errors.As(err, &service) && service.Type == transport.ErrInvalidRequest:
		return problem(http.StatusUnprocessableEntity, "refused", "The model's service refuses the request.", "If it does so because of what was sent last, fork the session before that message.")
	}
	return problem(http.StatusInternalServerError, "failed", "Something went wrong.", "")
}

// fail answers with a problem.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := h.problemOf(err)
	if p.Status >= 500 {
		h.o.Logger.WarnContext(r.Context(), "a request failed", "method", r.Method, "path", r.URL.Path, "error", err.Error())
	}
	body, _ := json.Marshal(p)
	if p.Status == http.StatusUnauthorized && w.Header().Get("WWW-Authenticate") == "" {
		w.Header().Set("WWW-Authenticate", h.o.Challenge) // RFC 9110 § 15.5.2 wants one
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(body, '\n'))
}

// isWait reports whether a run has ended to wait, which is no problem.
func isWait(err error) bool { return errors.Is(err, agent.ErrAwaitingApproval) }
