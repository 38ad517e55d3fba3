package memory

import (
	"time"

	"github.com/whorl-go/whorl/transport"
)

// An entry is a record as a log keeps it in memory. A Record has a field for
// whatever one of any kind holds, 300 bytes in all, of which those that make up
// a long conversation need few.
type entry struct {
	time time.Time
	what any // response, result or started; for a record of another kind a *Record
}

type (
	response struct {
		response *transport.Response
		data     []byte
	}
	result struct {
		block transport.Block
		final bool
	}
	started []string
)

// pack keeps of a record what its kind is documented to hold.
func pack(r *Record) entry {
	switch r.Kind {
	case KindResponse:
		return entry{r.Time, response{r.Response, r.Data}}
	case KindResult:
		return entry{r.Time, result{r.Block, r.Final}}
	case KindStarted:
		return entry{r.Time, started(r.Calls)}
	}
	kept := *r
	return entry{r.Time, &kept}
}

func (e entry) record() Record {
	switch w := e.what.(type) {
	case response:
		return Record{Kind: KindResponse, Time: e.time, Response: w.response, Data: w.data}
	case result:
		return Record{Kind: KindResult, Time: e.time, Block: w.block, Final: w.final}
	case started:
		return Record{Kind: KindStarted, Time: e.time, Calls: w}
	}
	return *e.what.(*Record)
}
