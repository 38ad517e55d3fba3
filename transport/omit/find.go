package omit

import (
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/media"
	"github.com/whorl-go/whorl/transport/models"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/view"
)

// An Error reports a request that the service refused, or would refuse, because of
// content that can be left out.
type Error struct {
	// Err is the refusal.
	Err error
	// Omission is what can be left out.
	Omission Omission
	// What describes the omission in words, such as "the container container_01".
	What string
	// Guessed is true if the refusal doesn't name the cause, so that the cause may be
	// something else.
	Guessed bool
}

func (e *Error) Error() string {
	s := "; to go on without " + e.What
	if e.Guessed {
		s = "; perhaps for " + e.What + ": to go on without"
	}
	return e.Err.Error() + s + ", append the Omission of this error to the log"
}

// Unwrap returns the refusal.
func (e *Error) Unwrap() error { return e.Err }

// Find returns what a request that was refused with err can leave out. It returns nil
// if it finds nothing, or if err is not a refusal of the service. own corrects and
// extends the table of models.
func Find(err error, r *transport.Request, own ...models.Model) *Error {
	var before *Error
	if errors.As(err, &before) {
		return before
	}
	var refused *transport.Error
	if err == nil || !errors.As(err, &refused) {
		return nil
	}
	f := finder{request: r, own: own, refused: refused, words: strings.ToLower(refused.Message)}
	f.place, f.rest, f.placed = f.placeIn(refused.Message)
	for _, look := range []func() bool{f.coded, f.container, f.server, f.file, f.thinking, f.sums, f.medium, f.silent} {
		if !look() {
			continue
		}
		if f.bind(); f.found.IsZero() {
			continue
		}
		if f.found.Text = DefaultText; len(f.found.Blocks) == 0 && len(f.found.MCPServers) == 0 {
			f.found.Text = ""
		}
		if _, err := f.found.Request(r); err != nil {
			return nil
		}
		return &Error{Err: err, Omission: f.found, What: f.what, Guessed: f.guessed}
	}
	return nil
}

// A finder looks for what a refusal is about.
type finder struct {
	request *transport.Request
	own     []models.Model
	refused *transport.Error
	words   string // of the refusal, in lower case

	place  Place // that the refusal names, if placed
	rest   string
	placed bool

	found   Omission
	what    string
	guessed bool
}

var pathWords = regexp.MustCompile(`messages\.(\d+)\.content\.(\d+)(?:(?:\.tool_result)?\.content\.(\d+))?([\w.]*)`)

// placeIn is the first place that an error's words name, and what follows of its path.
func (f *finder) placeIn(words string) (p Place, rest string, ok bool) {
	m := pathWords.FindStringSubmatch(words)
	if m == nil {
		return p, "", false
	}
	p.Message, _ = strconv.Atoi(m[1])
	p.Block, _ = strconv.Atoi(m[2])
	if m[3] != "" {
		p.Inner, _ = strconv.Atoi(m[3])
		p.Inner++
	}
	return f.inRequest(p), m[4], true
}

// inRequest is where a place of a refusal stands in the request. On a thread it isn't
// known whether the service counts from the first message that it was sent or from the
// first of the conversation: it is the reading that leads to something that can be
// left out, and the first if both do.
func (f *finder) inRequest(p Place) Place {
	t := f.request.Thread
	if t == nil || t.PreviousMessageID == "" || t.Held <= 0 || p.Message < 0 || p.Message >= len(f.request.Messages) {
		return p
	}
	sent := p
	sent.Message += t.Held
	for _, q := range []Place{sent, p} {
		b, ok := f.at(q)
		if typ := rawjson.GetString(b, "type"); ok && (isMedium(typ) || isThinking(transport.BlockType(typ))) {
			return q
		}
	}
	return p
}

// coded finds the pictures that a refusal names by its code and paths, whatever its
// words are: those with too many pixels on a side (wire §1.12).
func (f *finder) coded() bool {
	if f.refused.Code != "image_dimensions_too_large" {
		return false
	}
	body := rawjson.Get(f.refused.Raw, "error")
	for e := range rawjson.Elements(rawjson.Get(rawjson.Get(body, "details"), "paths")) {
		p, _, ok := f.placeIn(rawjson.Unquote(e))
		if !ok {
			continue
		}
		if b, ok := f.at(p); ok && isMedium(rawjson.GetString(b, "type")) && !slices.Contains(f.found.Blocks, p) {
			f.found.Blocks = append(f.found.Blocks, p)
		}
	}
	if len(f.found.Blocks) == 0 {
		return false // the words may tell
	}
	slices.SortFunc(f.found.Blocks, Place.compare)
	f.what = several(len(f.found.Blocks), "picture", "pictures") + " from " + f.found.Blocks[0].String()
	return true
}

func (f *finder) says(words ...string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(f.words, w) })
}

// container finds the container that the request names.
func (f *finder) container() bool {
	id := containerID(f.request.Container)
	if id == "" || f.refused.Status >= 500 || !strings.Contains(f.words, "container") && !strings.Contains(f.refused.Message, id) {
		return false
	}
	if f.says("container_upload", "should be a valid") {
		return false
	}
	f.found.Containers, f.what = []string{id}, "the container "+id
	return true
}

// silent takes a failure without words of a request with a container for one that is
// about the container (wire §4.3).
func (f *finder) silent() bool {
	id := containerID(f.request.Container)
	if id == "" || f.refused.Status != http.StatusInternalServerError || f.refused.InStream {
		return false
	}
	f.found.Containers, f.what, f.guessed = []string{id}, "the container "+id, true
	return true
}

// server finds the MCP server that the refusal speaks of.
func (f *finder) server() bool {
	if !f.says("mcp") || f.refused.Status >= 500 && !f.says("server") {
		return false
	}
	var all []string
	i := 0
	for e := range rawjson.Elements(f.request.MCPServers) {
		name := rawjson.GetString(e, "name")
		if named(f.refused.Message, name) || strings.Contains(f.words, "mcp_servers."+strconv.Itoa(i)+".") ||
			len(rawjson.GetString(e, "url")) > 8 && strings.Contains(f.refused.Message, rawjson.GetString(e, "url")) {
			f.found.MCPServers = append(f.found.MCPServers, name)
		}
		all = append(all, name)
		i++
	}
	if f.found.MCPServers == nil {
		f.found.MCPServers, f.guessed = all, len(all) > 1
	}
	f.what = "the MCP server " + strings.Join(f.found.MCPServers, ", ")
	return len(all) > 0
}

// named reports whether a text has a name as a word of its own.
func named(text, name string) bool {
	for from := 0; name != ""; {
		at := strings.Index(text[from:], name)
		if at < 0 {
			return false
		}
		at += from
		if !isWord(text, at-1) && !isWord(text, at+len(name)) {
			return true
		}
		from = at + 1
	}
	return false
}

func isWord(s string, i int) bool {
	return i >= 0 && i < len(s) && (s[i] == '_' || s[i] == '-' || '0' <= s[i] && s[i] <= '9' || 'a' <= s[i]|0x20 && s[i]|0x20 <= 'z')
}

// file finds the blocks with a file that the service has no more.
func (f *finder) file() bool {
	var all, these []Place
	names := map[string]bool{}
	for p, b := range f.all() {
		id := fileID(b)
		if id == "" {
			continue
		}
		all = append(all, p)
		if named(f.refused.Message, id) || f.placed && p == f.place {
			these, names[id] = append(these, p), true
		}
	}
	gone := f.refused.Is(transport.ErrNotFound) || strings.HasPrefix(f.refused.Code, "file_") || f.says("file not found", "file_id", "expired", "does not exist")
	switch {
	case len(these) > 0 && gone:
		f.found.Blocks = these
	case len(all) > 0 && f.says("file") && gone:
		f.found.Blocks, f.guessed = all, len(all) > 1
	default:
		return false
	}
	f.what = several(len(f.found.Blocks), "block with a file", "blocks with files")
	if len(names) == 1 {
		for id := range names {
			f.what = "the file " + id
		}
	}
	return true
}

// thinking finds the thinking that the service doesn't take: from the place that
// it names to the end, as later thinking was made with what is left out in view.
func (f *finder) thinking() bool {
	modified := f.says("blocks in the latest assistant message cannot be modified")
	if !f.refused.Is(transport.ErrThinkingMismatch) && !modified {
		return false
	}
	from := Place{}
	if f.placed && !modified {
		from = f.place
	}
	f.found.Blocks = f.thinkingFrom(from)
	f.what = several(len(f.found.Blocks), "block of thinking", "blocks of thinking")
	return len(f.found.Blocks) > 0
}

func (f *finder) thinkingFrom(from Place) (places []Place) {
	for i, m := range f.request.Messages {
		for j, b := range m.Content {
			p := Place{Message: i, Block: j}
			if isThinking(b.Type()) && p.compare(from) >= 0 {
				places = append(places, p)
			}
		}
	}
	return places
}

func isThinking(t transport.BlockType) bool {
	return t == transport.TypeThinking || t == transport.TypeRedactedThinking
}

// medium finds a picture or a document that is refused by itself.
func (f *finder) medium() bool {
	if f.placed {
		b, ok := f.at(f.place)
		if !ok || !isMedium(rawjson.GetString(b, "type")) || !f.speaksOfSource() {
			return false
		}
		f.found.Blocks, f.what = []Place{f.place}, "the "+strings.ReplaceAll(rawjson.GetString(b, "type"), "_", " ")+" at "+f.place.String()
		return true
	}
	kinds := f.kinds()
	if kinds == nil {
		return false
	}
	var broken, newest, older []Place
	last := 0 // the newest message of the model
	for i, m := range f.request.Messages {
		if m.Role == transport.RoleAssistant {
			last = i
		}
	}
	byURL := f.says("download", "url")
	for p, b := range f.all() {
		switch {
		case !slices.Contains(kinds, rawjson.GetString(b, "type")) || byURL && rawjson.GetString(rawjson.Get(b, "source"), "type") != "url":
			continue
		case new(media.Total).Add(b) != nil:
			broken = append(broken, p)
		case p.Message >= last:
			newest = append(newest, p)
		default:
			older = append(older, p)
		}
	}
	for _, list := range [][]Place{broken, newest, older} {
		if len(list) > 0 {
			f.found.Blocks, f.guessed = list, len(list) > 1
			f.what = several(len(list), "picture or document", "pictures and documents") + " from " + list[0].String()
			return true
		}
	}
	return false
}

// speaksOfSource reports whether the words about a block are about what it shows,
// and not about a mark or a member beside it.
func (f *finder) speaksOfSource() bool {
	for _, beside := range []string{"cache_control", "citations", "title", "context", "transformations", ".type"} {
		if strings.Contains(f.rest, beside) {
			return false
		}
	}
	return true
}

// kinds are the types of the blocks that a refusal without a place is about.
func (f *finder) kinds() []string {
	switch {
	case f.says("download the file", "url sources are not supported", "unable to download", "error while downloading"):
		return []string{"image", "document"}
	case f.refused.Code == "image_dimensions_too_large", f.says("process image", "image exceeds", "image dimensions", "image media type", "provided media type"):
		return []string{"image"}
	case f.says("pdf specified", "process pdf", "process the pdf", "password protected"):
		return []string{"document"}
	}
	return nil
}

func isMedium(typ string) bool {
	switch transport.BlockType(typ) {
	case transport.TypeImage, transport.TypeDocument, view.TypeContainerUpload:
		return true
	}
	return false
}

// bind leaves out the thinking behind what is left out, where the model binds it to
// all that came before (wire §9.4).
func (f *finder) bind() {
	m, _ := models.Lookup(f.request.Model, f.own...)
	if t := f.request.Thinking; m.Thinking.Bound != models.Supported && (t == nil || t.BlockBinding == nil) {
		return
	}
	var from Place
	switch {
	case len(f.found.MCPServers) > 0: // the tools come before all messages
	case len(f.found.Blocks) > 0:
		from = slices.MinFunc(f.found.Blocks, Place.compare)
	default:
		return
	}
	f.found.Blocks = append(f.found.Blocks, f.thinkingFrom(from)...)
	slices.SortFunc(f.found.Blocks, Place.compare)
	f.found.Blocks = slices.Compact(f.found.Blocks)
}
