// Package fetch lets a model read a page of the web: as Markdown without menus
// and advertising, or as the PDF or picture that it is.
//
// # Threat model
//
// The URL comes from the model, and so from whatever the model has read; the
// page comes from anyone.
//
// The URL must not reach what the public can't: addresses are checked when a
// connection is made, after names are resolved and for every redirect again, so
// that neither a name that changes its address nor an odd way to write one gets
// to this machine, to the networks that its interfaces stand in, or to a cloud's
// metadata. A public address that a router outside leads back in is not known
// here. Only http and https, on their standard ports unless [Options.Ports] says
// otherwise, without user names, cookies or a proxy. Hosts are compared as IDNA
// maps them. That a URL itself can carry data out, in its path or query, can't be
// seen from here: [Options.Hosts] narrows where fetches may go.
//
// The page must not take the program down: time, redirects, headers and the
// decompressed body are limited, nesting and the spans of tables as well, and the
// looks that are taken at the nodes of a page are counted.
//
// And the page must not give orders. Content that is not displayed is left out, as
// far as the page itself says so: by an attribute, an element's own style, the
// rules of its style elements, or a class name that hides text for screen readers.
// Style sheets in files of their own, and text in the colour of what is behind it,
// are not looked at. The rest stands between marks as from outside, the URL and the
// title too, with the marks kept out of it; errors are in this package's own words.
// That makes a prompt injection less likely, not impossible: do not give an agent
// that reads the web tools whose misuse you can't bear.
//
// # What is left out
//
// Menus, related links and the like are left out where both their name or kind
// and what is in them speak for it: prose stays. A result tells how many letters
// were left out, [Page.LeftOut] and [Page.Hidden] too.
//
// PDFs and pictures are looked at before they are returned (package media): one
// that the service would refuse would be refused in each later request as well.
package fetch
