// Package fetch lets a model read a page of the web: as Markdown without menus
// and advertising, or as the PDF or picture that it is.
//
// # Threat model
//
// The URL comes from the model, and so from whatever the model has read; the
// page comes from anyone.
//
// The URL must not reach what the public can't: addresses are checked when a
// connection is made, after names are resolved and for every redirect anew, so
// that neither a name that changes its address nor an odd way to write one gets
// to this machine, its network, or a cloud's metadata. Only http and https, on
// their standard ports unless [Options.Ports] says otherwise, without user
// names, cookies or a proxy. That a URL itself can carry data out, in its path
// or query, can't be seen from here: [Options.Hosts] narrows where fetches may
// go.
//
// The page must not take the program down: time, redirects, headers and the
// decompressed body are limited, nesting and the spans of tables as well.
//
// And the page must not give orders: what is hidden from a human reader is
// left out, and the text is marked as from outside, with the marks kept out of
// the text. That makes a prompt injection less likely, not impossible: do not
// give an agent that reads the web tools whose misuse you can't bear.
package fetch
