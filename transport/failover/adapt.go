package failover

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/omit"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// request is the request as the endpoint takes it, as far as that is known before it
// is asked. It copies what it changes.
func (a *adapted) request(req *transport.Request) (*transport.Request, error) {
	r := *req
	e := &a.c.o.Endpoints[a.at]
	if e.Model != nil {
		if id := e.Model(req.Model); id != "" {
			r.Model = id
		}
	}
	features := transport.FeaturesOf(e.Client)
	a.thread(&r, features)
	if r.Diagnostics != nil && (!features.Diagnostics || !a.owns(r.Diagnostics.PreviousMessageID)) {
		r.Diagnostics = nil
		a.left("diagnostics")
	}
	if !features.LongCache {
		a.shortMarks(&r)
	}
	var o omit.Omission
	if id := containerID(r.Container); id != "" && !a.owns(id) {
		o.Containers = append(o.Containers, id)
		a.left("the container " + id)
	}
	if a.foreign() {
		o.Blocks = files(r.Messages)
		if len(o.Blocks) > 0 {
			a.left("files")
		}
	}
	refused := a.c.known.refused(a.at, r.Messages)
	if len(refused) > 0 {
		a.left("thinking")
	}
	o.Blocks = append(o.Blocks, refused...)
	return a.omit(&r, o)
}

// thread takes a thread of another endpoint out of a request. The whole conversation
// is sent then, into a thread of this endpoint where there are any.
func (a *adapted) thread(r *transport.Request, features transport.Features) {
	if r.Thread == nil {
		return
	}
	switch id := r.Thread.PreviousMessageID; {
	case !features.Threads:
		r.Thread = nil
		a.left("thread")
	case id != "" && (!a.owns(id) || a.c.known.alone(id)):
		r.Thread = new(transport.Thread)
		a.left("thread")
	}
}

func (a *adapted) left(what string) {
	if !slices.Contains(a.leftOut, what) {
		a.leftOut = append(a.leftOut, what)
	}
}

// foreign reports whether the endpoint has another account than the first.
func (a *adapted) foreign() bool { return a.at != 0 && !a.c.o.Endpoints[a.at].SameAccount }

// owns reports whether the endpoint knows an id: one that came from it or from another
// endpoint of its account, or from the first before this process began. Of two accounts
// that are not the first's nobody says whether they are the same.
func (a *adapted) owns(id string) bool {
	if id == "" {
		return true
	}
	owner, ok := a.c.known.owner(id)
	if !ok {
		return !a.foreign()
	}
	return owner == a.at || !a.foreign() && (owner == 0 || a.c.o.Endpoints[owner].SameAccount)
}

// shortMarks gives cache marks for an hour the usual lifetime.
func (a *adapted) shortMarks(r *transport.Request) {
	isLong := func(b transport.Breakpoint) bool { return b.TTL == transport.TTL1h }
	if slices.ContainsFunc(r.Breakpoints, isLong) {
		r.Breakpoints = slices.Clone(r.Breakpoints)
		for i := range r.Breakpoints {
			if isLong(r.Breakpoints[i]) {
				r.Breakpoints[i].TTL = ""
			}
		}
		a.left("cache marks for an hour")
	}
	if r.CacheControl != nil && r.CacheControl.TTL == transport.TTL1h {
		r.CacheControl = &transport.CacheControl{}
		a.left("cache marks for an hour")
	}
}

// omit leaves something out of a request, and something that was before.
func (a *adapted) omit(r *transport.Request, o omit.Omission) (*transport.Request, error) {
	if o.IsZero() {
		return r, nil
	}
	if len(o.Blocks) > 0 && o.Text == "" {
		o.Text = omit.DefaultText
	}
	return o.Request(r)
}

// optional are parameters that a request means the same without, and how to leave
// them out.
var optional = map[string]func(*transport.Request){
	"thread":        func(r *transport.Request) { r.Thread = nil },
	"diagnostics":   func(r *transport.Request) { r.Diagnostics = nil },
	"cache_control": func(r *transport.Request) { r.CacheControl = nil },
	"speed":         func(r *transport.Request) { r.Speed = "" },
	"service_tier":  func(r *transport.Request) { r.ServiceTier = "" },
	"fallbacks":     func(r *transport.Request) { r.Fallbacks = nil },
}

// without is the request without what the endpoint refused it for, or nil if that
// can't be left out. Where only the first endpoint has answered so far, what it refuses
// is for the caller to know.
func (a *adapted) without(r *transport.Request, err error) *transport.Request {
	var wrong *transport.RequestError
	if errors.As(err, &wrong) {
		leave := optional[wrong.Field]
		if a.at == 0 || leave == nil {
			return nil
		}
		less := *r
		leave(&less)
		a.left(wrong.Field)
		return &less
	}
	if a.at == 0 && !a.c.known.others() {
		return nil
	}
	found := omit.Find(err, r)
	if found == nil || found.Guessed {
		return nil
	}
	less, err := found.Omission.Request(r)
	if err != nil {
		return nil
	}
	a.c.known.refuse(a.at, r.Messages, found.Omission)
	a.left(found.What)
	return less
}

// containerID is the id of a container that a request names.
func containerID(raw json.RawMessage) string {
	raw = rawjson.Trim(raw)
	switch {
	case len(raw) == 0:
		return ""
	case raw[0] == '"':
		return rawjson.Unquote(raw)
	}
	return rawjson.GetString(raw, "id")
}

// files are the places of blocks that name a file at the service.
func files(messages []transport.Message) []omit.Place {
	var places []omit.Place
	for i := range messages {
		for j, b := range messages[i].Content {
			switch b.Type() {
			case transport.TypeImage, transport.TypeDocument:
				if ofFile(b.Raw()) {
					places = append(places, omit.Place{Message: i, Block: j})
				}
			case "container_upload":
				places = append(places, omit.Place{Message: i, Block: j})
			case transport.TypeToolResult:
				places = append(places, filesInResult(b, i, j)...)
			}
		}
	}
	return places
}

func filesInResult(b transport.Block, i, j int) []omit.Place {
	if !bytes.Contains(b.Raw(), []byte(`"file_id"`)) {
		return nil
	}
	content := rawjson.Get(b.Raw(), "content")
	if len(content) == 0 || content[0] != '[' {
		return nil
	}
	var places []omit.Place
	k := 0
	for inner := range rawjson.Elements(content) {
		if t := rawjson.GetString(inner, "type"); (t == "image" || t == "document") && ofFile(inner) {
			places = append(places, omit.Place{Message: i, Block: j, Inner: k + 1})
		}
		k++
	}
	return places
}

func ofFile(block []byte) bool {
	return rawjson.GetString(rawjson.Get(block, "source"), "type") == "file"
}
