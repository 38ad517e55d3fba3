// Package fetch lets a model read web pages, PDFs and pictures. An HTML page becomes
// Markdown without menus and advertising; PDFs and pictures are returned as they are.
//
// # Threat model
//
// The URL comes from the model, and so from whatever the model has read. Anyone may
// have written the page.
//
// The URL must not reach what the public can't. Addresses are checked when a connection
// is made, after names are resolved, and again for every redirect. So neither a name
// that changes its address nor an unusual spelling of an address reaches this machine,
// the networks of its interfaces, or a cloud's metadata service. The package can't know
// of a public address that an outside router leads back in. It uses only http and
// https, on their standard ports unless [Options.Ports] says otherwise, without user
// names, cookies or a proxy. Hosts are compared as IDNA maps them. A URL can carry data
// out in its path or query; [Options.Hosts] restricts where fetches may go.
//
// The page must not take the program down: time, redirects, headers, the decompressed
// body, nesting, the spans of tables and the number of visits to the nodes of a page
// are limited.
//
// The page must not give instructions. Content that the page itself declares as not
// displayed is left out: by an attribute, an element's style, the rules of its style
// elements, or a class name that hides text except for screen readers. Separate style
// sheets, and text in the colour of its background, are not considered. The rest,
// including the URL and the title, is enclosed in marks that label it as external; the
// marks are removed from the text itself. Errors are in this package's own words. That
// makes prompt injection less likely, not impossible: do not give an agent that reads
// the web tools whose misuse you can't accept.
//
// # What is left out
//
// Menus, related links and similar parts are left out if both their name or element and
// their content indicate it; prose is kept. A result reports how many letters were left
// out, as do [Page.LeftOut] and [Page.Hidden].
//
// PDFs and pictures are checked before they are returned (package media): the service
// would refuse a bad one in each later request too.
package fetch
