// Package visible makes text that strangers wrote safe to show on a terminal, and
// shows what can't be seen in it.
//
// What a model says, what tools return, the names of arguments and the errors of
// servers may hold control sequences, which a terminal obeys (they set the
// clipboard and the title, clear the screen, and overwrite what was read), marks
// that turn the text around, and characters that are invisible. All of them are
// shown as code points, such as <U+001B>; bytes that are no UTF-8 as <0x9B>.
//
//	out := visible.NewWriter(os.Stdout)
//	for ev, err := range run.Events(ctx) {
//		if err == nil {
//			fmt.Fprint(out, ev.Text())
//		}
//	}
package visible
