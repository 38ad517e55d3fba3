package inspect_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// A browser is a headless Chromium that is driven over a pipe by its DevTools
// protocol: no driver, no library.
type browser struct {
	t       testing.TB
	cmd     *exec.Cmd
	in      *os.File
	session string // of the page

	mu      sync.Mutex
	next    int
	replies map[int]chan reply
	errors  []string // exceptions and console errors of the page
	done    chan struct{}
}

type reply struct {
	Result json.RawMessage
	Error  *struct{ Message string }
}

// newBrowser starts Chromium, or skips the test where there is none.
func newBrowser(t testing.TB) *browser {
	t.Helper()
	if os.Getenv("WHORL_BROWSER") == "" {
		t.Skip("WHORL_BROWSER is not set: the page is not tried in a browser")
	}
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		t.Skip("no Chromium here: install Debian's package chromium to test the page in a browser")
	}
	childIn, in, err1 := os.Pipe()
	out, childOut, err2 := os.Pipe()
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, in: in, replies: make(map[int]chan reply), done: make(chan struct{})}
	b.cmd = exec.Command(path, "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-quic",
		"--disable-background-networking", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars", "--user-data-dir="+t.TempDir(), "about:blank")
	b.cmd.ExtraFiles = []*os.File{childIn, childOut}
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	childIn.Close()
	childOut.Close()
	go b.read(out)
	t.Cleanup(func() {
		b.send("", "Browser.close", nil)
		stopped := make(chan struct{})
		go func() { b.cmd.Wait(); close(stopped) }()
		select {
		case <-stopped:
		case <-time.After(5 * time.Second):
			b.cmd.Process.Kill()
			<-stopped
		}
		in.Close()
		out.Close()
		<-b.done
	})
	var target struct{ TargetID string }
	b.call("", "Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	b.call("", "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log"} {
		b.do(domain+".enable", nil)
	}
	return b
}

func (b *browser) read(out *os.File) {
	defer close(b.done)
	r := bufio.NewReaderSize(out, 1<<20)
	for {
		msg, err := r.ReadBytes(0)
		if err != nil {
			b.mu.Lock()
			for id, c := range b.replies {
				c <- reply{Error: &struct{ Message string }{"the browser is gone"}}
				delete(b.replies, id)
			}
			b.mu.Unlock()
			return
		}
		var m struct {
			ID     int
			Method string
			Params json.RawMessage
			reply
		}
		if json.Unmarshal(msg[:len(msg)-1], &m) != nil {
			continue
		}
		b.mu.Lock()
		if c := b.replies[m.ID]; c != nil {
			delete(b.replies, m.ID)
			c <- m.reply
		}
		if m.Method == "Runtime.exceptionThrown" || m.Method == "Log.entryAdded" {
			b.errors = append(b.errors, string(m.Params))
		}
		b.mu.Unlock()
	}
}

func (b *browser) send(session, method string, params any) chan reply {
	c := make(chan reply, 1)
	b.mu.Lock()
	b.next++
	msg := map[string]any{"id": b.next, "method": method}
	b.replies[b.next] = c
	b.mu.Unlock()
	if session != "" {
		msg["sessionId"] = session
	}
	if params != nil {
		msg["params"] = params
	}
	raw, err := json.Marshal(msg)
	if err == nil {
		_, err = b.in.Write(append(raw, 0))
	}
	if err != nil {
		c <- reply{Error: &struct{ Message string }{err.Error()}}
	}
	return c
}

func (b *browser) call(session, method string, params, result any) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	select {
	case r := <-b.send(session, method, params):
		if r.Error != nil {
			b.t.Fatalf("%s: %s", method, r.Error.Message)
		}
		if result != nil {
			if err := json.Unmarshal(r.Result, result); err != nil {
				b.t.Fatalf("%s: %v", method, err)
			}
		}
	case <-ctx.Done():
		b.t.Fatalf("%s: no answer from the browser", method)
	}
}

func (b *browser) do(method string, params any) {
	b.t.Helper()
	b.call(b.session, method, params, nil)
}

// eval runs JavaScript in the page and decodes what it comes to.
func eval[T any](b *browser, js string) T {
	b.t.Helper()
	var r struct {
		Result           struct{ Value T }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	b.call(b.session, "Runtime.evaluate", map[string]any{"expression": js, "awaitPromise": true, "returnByValue": true}, &r)
	if e := r.ExceptionDetails; e != nil {
		b.t.Fatalf("%s\n%s %s", js, e.Text, e.Exception.Description)
	}
	return r.Result.Value
}

// until waits for a JavaScript expression to be true.
func (b *browser) until(what, js string) {
	b.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if eval[bool](b, "(() => { try { return Boolean("+js+") } catch { return false } })()") {
			return
		}
		if time.Now().After(end) {
			b.shoot("failed")
			b.t.Fatalf("waited in vain for: %s\n%s\nerrors of the page: %v", what, js, b.problems())
		}
	}
}

func (b *browser) problems() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.errors...)
}

// forget drops the problems so far.
func (b *browser) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.errors = nil
}

func (b *browser) open(url string) {
	b.t.Helper()
	b.do("Page.navigate", map[string]any{"url": url})
}

// look sets the size of the window and the colours.
func (b *browser) look(width, height int, dark bool) {
	b.t.Helper()
	b.do("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500})
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	b.do("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}})
}

// shoot saves a screenshot in the folder that WHORL_SCREENSHOTS names, if it does.
func (b *browser) shoot(name string) {
	b.t.Helper()
	dir := os.Getenv("WHORL_SCREENSHOTS")
	if dir == "" {
		return
	}
	time.Sleep(150 * time.Millisecond) // scrolling and folding have come to rest
	var shot struct{ Data string }
	b.call(b.session, "Page.captureScreenshot", map[string]any{"format": "png"}, &shot)
	raw, err := base64.StdEncoding.DecodeString(shot.Data)
	if err == nil {
		err = errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, name+".png"), raw, 0o644))
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// shootAll saves screenshots at the width of a desktop and of a phone, light and
// dark, and goes back to a desktop.
func (b *browser) shootAll(name string) {
	b.t.Helper()
	if os.Getenv("WHORL_SCREENSHOTS") == "" {
		return
	}
	for _, dark := range []bool{true, false} {
		scheme := map[bool]string{false: "light", true: "dark"}[dark]
		b.look(390, 844, dark)
		b.shoot(fmt.Sprintf("%s-390-%s", name, scheme))
		b.look(1280, 860, dark)
		b.shoot(fmt.Sprintf("%s-1280-%s", name, scheme))
	}
}

// key presses a key.
func (b *browser) key(key string) {
	b.t.Helper()
	for _, typ := range []string{"keyDown", "keyUp"} {
		p := map[string]any{"type": typ, "key": key}
		if len(key) == 1 && typ == "keyDown" {
			p["text"] = key
		}
		if key == "Enter" {
			p["windowsVirtualKeyCode"] = 13
			if typ == "keyDown" {
				p["text"] = "\r"
			}
		}
		if key == "Escape" {
			p["windowsVirtualKeyCode"] = 27
		}
		b.do("Input.dispatchKeyEvent", p)
	}
}

// click clicks in the middle of the first element that a selector finds.
func (b *browser) click(selector string) {
	b.t.Helper()
	where := fmt.Sprintf(`(() => {
		const e = document.querySelector(%q);
		if (!e) return null;
		e.scrollIntoView({block: "nearest"});
		const r = e.getBoundingClientRect(), x = r.left + r.width / 2, y = r.top + r.height / 2;
		return e.contains(document.elementFromPoint(x, y)) ? [x, y] : null;
	})()`, selector)
	var at []float64
	for end := time.Now().Add(10 * time.Second); ; {
		before := at
		if at = eval[[]float64](b, where); at != nil && slices.Equal(at, before) {
			break // the page has come to rest
		}
		if time.Now().After(end) {
			b.shoot("failed")
			b.t.Fatalf("there is no %s to click", selector)
		}
		time.Sleep(60 * time.Millisecond)
	}
	for _, typ := range []string{"mousePressed", "mouseReleased"} {
		b.do("Input.dispatchMouseEvent", map[string]any{"type": typ, "x": at[0], "y": at[1], "button": "left", "clickCount": 1})
	}
}
