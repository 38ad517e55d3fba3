// Package visible makes untrusted text safe to show on a terminal, and makes its
// invisible characters visible.
//
// The text of a model, the results of tools, the names of arguments and the errors of
// servers may contain control sequences, marks that reverse the direction of text, and
// invisible characters. A terminal obeys control sequences: they set the clipboard and
// the title, clear the screen, and overwrite text. The functions of this package show
// all of these as code points, such as <U+001B>, and bytes that are not UTF-8 as
// <0x9B>.
//
//	out := visible.NewWriter(os.Stdout)
//	for ev, err := range run.Events(ctx) {
//		if err == nil {
//			fmt.Fprint(out, ev.Text())
//		}
//	}
package visible
