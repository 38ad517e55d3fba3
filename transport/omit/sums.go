package omit

import (
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

// sums finds what is too much in all: pages, pictures, large pictures beside many,
// bytes. The newest is kept.
func (f *finder) sums() bool {
	var list []medium
	for p, b := range f.all() {
		m := medium{place: p}
		_ = m.Add(b) // what can't be read counts as far as it was
		if m.Bytes == 0 {
			m.Bytes = len(b)
		}
		list = append(list, m)
	}
	context := 0
	if m, ok := models.Lookup(f.request.Model, f.own...); ok {
		context = m.Limits.ContextTokens
	}
	limits := media.LimitsFor(context)
	most := media.MaxPagesSmall
	if limits.Pages > 0 {
		most = limits.Pages
	}
	switch pages := mostPages.FindStringSubmatch(f.words); {
	case pages != nil:
		most, _ = strconv.Atoi(pages[1])
		f.found.Blocks = oldest(list, most, func(m medium) int { return m.Pages })
		f.what = "%d PDFs"
	case f.says("image dimensions") && f.says("many-image"):
		large := slices.DeleteFunc(slices.Clone(list), func(m medium) bool { return m.LongSide <= media.MaxManySide })
		f.found.Blocks = oldest(list, media.ManyPictures, func(m medium) int { return m.Pictures })
		if n := len(f.found.Blocks); n == 0 || len(large) < n {
			f.found.Blocks = oldest(large, 0, func(medium) int { return 1 })
		}
		f.what = "%d pictures"
	case mostPictures.MatchString(f.words):
		if n := maximumIs.FindStringSubmatch(f.words); n != nil {
			most, _ = strconv.Atoi(n[1])
		}
		f.found.Blocks = oldest(list, most, func(m medium) int { return m.Pictures })
		f.what = "%d pictures"
	case f.refused.Status == 413 || f.refused.Type == transport.ErrRequestTooLarge:
		f.bytes(list)
		f.what = "%d pictures and documents"
	default:
		return false
	}
	f.what = fmt.Sprintf(f.what, len(f.found.Blocks))
	return len(f.found.Blocks) > 0
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
