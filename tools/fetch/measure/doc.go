// Package measure compares what tools/fetch keeps of real pages with what two
// other libraries keep: html-to-markdown, which drops nothing but scripts, and
// go-readability, which looks for the article. It is a module of its own so that
// the library doesn't depend on those it is compared with.
//
// Its tests skip without the pages, which are other people's and stay out of the
// repository:
//
//	READABILITY_PAGES=…/readability/test/test-pages TRAFILATURA_TESTS=…/trafilatura/tests go test -v ./...
package measure
