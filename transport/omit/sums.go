package omit

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/media"
	"github.com/whorl-go/whorl/transport/models"
)

var (
	mostPages    = regexp.MustCompile(`maximum of (\d+) pdf pages`)
	mostPictures = regexp.MustCompile(`too many images`)
	maximumIs    = regexp.MustCompile(`maximum (?:is|of) (\d+)`)
)

// A medium is a picture or a document with what counts of it.
type medium struct {
	place Place
	media.Total
}

// Over returns what a request must leave out if it has more pictures and documents than
// the service accepts: the oldest of them. It returns nil if the request is within the
// limits. own corrects and extends the table of models. For an unknown model the
// highest limits apply.
func Over(r *transport.Request, own ...models.Model) *Error {
	f := finder{request: r, own: own}
	var total media.Total
	list := f.media()
	for _, m := range list {
		total = total.Plus(m.Total)
	}
	over := total.Check(f.context())
	if over == nil {
		return nil
	}
	most := f.most()
	pages := oldest(list, most, func(m medium) int { return m.Pages })
	pictures := oldest(list, most, func(m medium) int { return m.Pictures })
	bytes := oldest(list, media.MaxRequestBytes, func(m medium) int { return m.Bytes })
	gone := slices.Concat(pages, pictures, bytes)
	for _, m := range list {
		if m.LongSide > media.MaxPictureSide {
			gone = append(gone, m.place)
		}
	}
	list = slices.DeleteFunc(list, func(m medium) bool { return slices.Contains(gone, m.place) })
	total = media.Total{}
	for _, m := range list {
		total = total.Plus(m.Total)
	}
	if total.Pictures > media.ManyPictures && total.LongSide > media.MaxManySide {
		gone = append(gone, tooWide(list)...)
	}
	if len(gone) == 0 {
		return nil
	}
	slices.SortFunc(gone, Place.compare)
	gone = slices.Compact(gone)
	f.found.Blocks, f.found.Text = gone, DefaultText
	f.bind()
	err := &overError{transport.RequestError{Field: "messages", Reason: over.Error(), Model: r.Model}, over}
	return &Error{Err: err, Omission: f.found, What: several(len(gone), "picture or document", "pictures and documents")}
}

// An overError is a request that wasn't sent, and which sum is too high.
type overError struct {
	transport.RequestError
	sum error
}

func (e *overError) Unwrap() []error { return []error{&e.RequestError, e.sum} }

// media are the pictures and documents of the request.
func (f *finder) media() []medium {
	var list []medium
	for p, b := range f.all() {
		m := medium{place: p}
		m.Count(b)
		if m.Bytes == 0 {
			m.Bytes = len(b)
		}
		list = append(list, m)
	}
	return list
}

// context is the window of the model; of one that isn't known, a large one.
func (f *finder) context() int {
	m, _ := models.Lookup(f.request.Model, f.own...)
	return cmp.Or(m.Limits.ContextTokens, 1_000_000)
}

// most is how many pages and pictures the model takes.
func (f *finder) most() int {
	return media.LimitsFor(f.context()).Pages
}

// tooWide are the pictures to leave out where there are many and some are large: the
// large ones, or the oldest, whichever are fewer.
func tooWide(list []medium) []Place {
	large := slices.DeleteFunc(slices.Clone(list), func(m medium) bool { return m.LongSide <= media.MaxManySide })
	few := oldest(list, media.ManyPictures, func(m medium) int { return m.Pictures })
	if len(few) == 0 || len(large) < len(few) {
		return oldest(large, 0, func(medium) int { return 1 })
	}
	return few
}

// sums finds what is too much in all: pages, pictures, large pictures beside many,
// bytes. The newest is kept.
func (f *finder) sums() bool {
	list, most := f.media(), f.most()
	switch pages := mostPages.FindStringSubmatch(f.words); {
	case pages != nil:
		most, _ = strconv.Atoi(pages[1])
		f.found.Blocks = oldest(list, most, func(m medium) int { return m.Pages })
		f.what = several(len(f.found.Blocks), "PDF", "PDFs")
	case f.says("image dimensions") && f.says("many-image"):
		f.found.Blocks = tooWide(list)
		f.what = several(len(f.found.Blocks), "picture", "pictures")
	case mostPictures.MatchString(f.words):
		if n := maximumIs.FindStringSubmatch(f.words); n != nil {
			most, _ = strconv.Atoi(n[1])
		}
		f.found.Blocks = oldest(list, most, func(m medium) int { return m.Pictures })
		f.what = several(len(f.found.Blocks), "picture", "pictures")
	case f.refused.Status == 413 || f.refused.Type == transport.ErrRequestTooLarge:
		f.bytes(list)
		f.what = several(len(f.found.Blocks), "picture or document", "pictures and documents")
	default:
		return false
	}
	return len(f.found.Blocks) > 0
}

// several is how many there are of something, in words.
func several(n int, one, more string) string {
	if n == 1 {
		return "a " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

// oldest are the media to leave out so that those that stay, the newest, sum up to
// no more than most. One that is too much by itself goes, and those before it may
// stay.
func oldest(list []medium, most int, of func(medium) int) (places []Place) {
	sum := 0
	for i := len(list) - 1; i >= 0; i-- {
		n := of(list[i])
		if n > 0 && sum+n > most {
			places = append(places, list[i].place)
			continue
		}
		sum += n
	}
	slices.SortFunc(places, Place.compare)
	return places
}

// bytes leaves out of a request that is too large what brings it below the
// service's limit; below half of what it has, if somebody else's limit is lower.
func (f *finder) bytes(list []medium) {
	size := 0
	for _, m := range f.request.Messages {
		size += len(m.AppendJSON(nil))
	}
	for _, b := range f.request.System {
		size += len(b.Raw())
	}
	for _, t := range f.request.Tools {
		size += len(t.Raw())
	}
	most := media.MaxRequestBytes - 1<<16 // what else a request holds
	if f.guessed = size <= most; f.guessed {
		most = size / 2
	}
	shown := 0
	for _, m := range list {
		shown += m.Bytes
	}
	f.found.Blocks = oldest(list, max(0, most-(size-shown)), func(m medium) int { return m.Bytes })
}
