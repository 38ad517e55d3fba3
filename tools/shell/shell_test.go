//go:build unix

package shell_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/whorl-go/whorl/tools/shell"
	"github.com/whorl-go/whorl/transport/rawjson"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newShell(t testing.TB, o shell.Options) *shell.Shell {
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	s, err := shell.New(o)
	if err != nil && o.Confinement == shell.Sandboxed && !sandboxWorks() {
		t.Skip("bubblewrap isn't here, or doesn't work here: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sandboxWorks reports whether bubblewrap can make a sandbox here at all, the
// plainest that there is.
var sandboxWorks = sync.OnceValue(func() bool {
	return exec.Command("/usr/bin/bwrap", "--unshare-all", "--ro-bind", "/", "/", "/usr/bin/true").Run() == nil
})

// both runs a test in the sandbox, if there is one, and without.
func both(t *testing.T, test func(t *testing.T, o shell.Options)) {
	t.Run("sandboxed", func(t *testing.T) { test(t, shell.Options{}) })
	t.Run("unconfined", func(t *testing.T) { test(t, shell.Options{Confinement: shell.Unconfined}) })
}

func run(t testing.TB, s *shell.Shell, command string) string {
	input, _ := json.Marshal(map[string]string{"command": command})
	r, err := s.Tool().Call(t.Context(), input)
	if err != nil {
		return "!" + err.Error()
	}
	if len(r.Content) == 0 {
		return ""
	}
	return rawjson.GetString(r.Content[0].Raw(), "text")
}

var lineNumber = regexp.MustCompile(`line \d+`)

func TestSession(t *testing.T) {
	both(t, func(t *testing.T, o shell.Options) {
		dir, err := filepath.EvalSymlinks(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		o.Dir = dir
		s := newShell(t, o)
		steps := []struct{ command, want string }{
			{"echo out; echo err >&2", "out\nerr\n"},
			{"exit 3", "[exit status 3]"},
			{"printf x; exit 4", "x\n[exit status 4]"},
			{"true", "[no output]"},
			{"nosuchcommand", "whorl: line N: nosuchcommand: command not found\n[exit status 127]"},
			{"mkdir -p sub/deep && cd sub/deep && export A='b c' && greet() { echo \"hello $1\"; }", "[no output]"},
			{"echo \"$A\"; greet you; basename \"$PWD\"", "b c\nhello you\ndeep\n"},
			{"export A=changed; exit 7", "[exit status 7]"},
			{"echo $A", "changed\n"},
			{"rmdir \"$PWD\"", "[no output]"},
			{"cat", "[the folder gone is gone; this is top]\n"},
			{"cat", "[no output]"},
			{"echo 'it''s \"quoted\"' | tr a-z A-Z", "ITS \"QUOTED\"\n"},
			{"if true; then\n  echo multi\nfi\ncat <<EOF\nheredoc $A\nEOF", "multi\nheredoc changed\n"},
			{"echo 'unclosed", "whorl: eval: line N: unexpected EOF while looking for matching `''\n[exit status 2]"},
			{"kill -9 $$", "[exit status 137]"},
			{"echo still here: $A", "still here: changed\n"},
		}
		for _, step := range steps {
			got := run(t, s, step.command)
			got = lineNumber.ReplaceAllString(got, "line N")
			got = strings.NewReplacer(dir+"/sub/deep", "gone", dir, "top").Replace(got)
			if got != step.want {
				t.Errorf("%s\ngot  %q\nwant %q", step.command, got, step.want)
			}
		}
		r, err := s.Tool().Call(t.Context(), json.RawMessage(`{"restart":true}`))
		if err != nil || rawjson.GetString(r.Content[0].Raw(), "text") != "The shell has been restarted." {
			t.Errorf("restart: %v, %v", r, err)
		}
		if got := run(t, s, "echo [$A]"); got != "[]\n" {
			t.Errorf("after a restart the session still has A: %q", got)
		}
	})
}

func TestDefinitionAndTraits(t *testing.T) {
	s := newShell(t, shell.Options{Confinement: shell.AskFirst})
	def, err := s.Tool().Definition()
	if err != nil || string(def.Raw()) != `{"type":"bash_20250124","name":"bash"}` {
		t.Errorf("definition %s, %v", def.Raw(), err)
	}
	if traits := s.Tool().Traits(); !traits.NeedsApproval || traits.Group == "" || traits.ReadOnly {
		t.Errorf("traits %+v", traits)
	}
	// What comes from outside, or may go there, is said so unless there is no way.
	for name, tt := range map[string]struct {
		o    shell.Options
		want bool
	}{
		"asked first":                   {shell.Options{Confinement: shell.AskFirst}, true},
		"unconfined":                    {shell.Options{Confinement: shell.Unconfined}, true},
		"sandboxed":                     {shell.Options{Confinement: shell.Sandboxed}, false},
		"sandboxed, but on the network": {shell.Options{Confinement: shell.Sandboxed, Network: true}, true},
	} {
		tt.o.Dir = t.TempDir()
		s, err := shell.New(tt.o)
		if err != nil {
			if tt.o.Confinement != shell.Sandboxed {
				t.Errorf("%s: %v", name, err)
			}
			continue // no sandbox here
		}
		if traits := s.Tool().Traits(); traits.Outside != tt.want || traits.Untrusted != tt.want || !traits.Private || traits.NeedsApproval != (tt.o.Confinement == shell.AskFirst) {
			t.Errorf("%s: traits %+v", name, traits)
		}
	}
	for _, input := range []string{`{}`, `{"command":""}`, `{"command":"a\u0000b"}`, fmt.Sprintf(`{"command":%q}`, strings.Repeat("x", 100_001))} {
		if _, err := s.Tool().Call(t.Context(), json.RawMessage(input)); err == nil {
			t.Errorf("%.40s is accepted", input)
		}
	}
}

func TestBadOptions(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"", "/no/such/folder", file} {
		if _, err := shell.New(shell.Options{Dir: dir, Confinement: shell.Unconfined}); err == nil {
			t.Errorf("the folder %q is accepted", dir)
		}
	}
}

func TestTimeLimit(t *testing.T) {
	both(t, func(t *testing.T, o shell.Options) {
		o.Timeout = time.Second
		for _, command := range []string{
			"echo begun; sleep 60",
			"echo begun; trap '' TERM INT HUP; while :; do sleep 1; done",
			"echo begun; (sleep 60; echo late) & wait",
			"echo begun; while :; do :; done",
			"echo begun; yes > /dev/null",
		} {
			t.Run(command, func(t *testing.T) {
				t.Parallel()
				begin := time.Now()
				out, err := newShell(t, o).Run(t.Context(), command)
				if err != nil || !out.TimedOut || !strings.HasPrefix(out.Text, "begun\n") {
					t.Errorf("%+v, %v", out, err)
				}
				if took := time.Since(begin); took > 40*time.Second {
					t.Errorf("it took %v", took)
				}
			})
		}
		t.Run("result", func(t *testing.T) {
			t.Parallel()
			r, err := newShell(t, o).Tool().Call(t.Context(), json.RawMessage(`{"command":"sleep 60"}`))
			if err != nil || !r.IsError || !strings.Contains(string(r.Content[0].Raw()), "time limit") {
				t.Errorf("result %+v, %v", r, err)
			}
		})
	})
}

func TestCancelledCommand(t *testing.T) {
	s := newShell(t, shell.Options{Confinement: shell.Unconfined})
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stopped by the user")
	time.AfterFunc(200*time.Millisecond, func() { cancel(stop) })
	if _, err := s.Run(ctx, "sleep 60"); !errors.Is(err, stop) {
		t.Errorf("error is %v", err)
	}
}

func TestHugeOutput(t *testing.T) {
	both(t, func(t *testing.T, o shell.Options) {
		o.MaxOutputBytes = 1000
		s := newShell(t, o)
		got := run(t, s, "echo first; head -c 50000000 /dev/zero | tr '\\0' x; echo; echo last; exit 2")
		if len(got) > 1200 || !strings.HasPrefix(got, "first\n") || !strings.HasSuffix(got, "last\n[exit status 2]") || !strings.Contains(got, "bytes left out") {
			t.Errorf("%d bytes: %.100q … %q", len(got), got, got[max(0, len(got)-100):])
		}
		if got := run(t, s, `printf '\xff\xfe\x00binary'`); !strings.Contains(got, "binary") || !json.Valid([]byte(fmt.Sprintf("%q", "x"))) {
			t.Errorf("binary output: %q", got)
		}
	})
}

func TestLeftBehindProcessesEnd(t *testing.T) {
	both(t, func(t *testing.T, o shell.Options) {
		dir := t.TempDir()
		o.Dir = dir
		s := newShell(t, o)
		begin := time.Now()
		got := run(t, s, `(while :; do date >> alive; sleep 0.1; done) & echo started`)
		if want := "started\n[still running in the background and ended with this command: bash"; !strings.HasPrefix(got, want) || time.Since(begin) > 20*time.Second {
			t.Errorf("got %q after %v", got, time.Since(begin))
		}
		before, _ := os.ReadFile(filepath.Join(dir, "alive"))
		time.Sleep(400 * time.Millisecond)
		after, _ := os.ReadFile(filepath.Join(dir, "alive"))
		if len(after) != len(before) {
			t.Error("a process that the command left behind still runs")
		}
	})
}

func TestEnvironmentIsScrubbed(t *testing.T) {
	t.Setenv("ANTHROPIC_API_KEY", "sk-secret")
	t.Setenv("BASH_ENV", "/etc/passwd")
	both(t, func(t *testing.T, o shell.Options) {
		o.Env = []string{"GIVEN=yes"}
		s := newShell(t, o)
		got := run(t, s, "env")
		if strings.Contains(got, "secret") || strings.Contains(got, "BASH_ENV") || !strings.Contains(got, "GIVEN=yes") {
			t.Errorf("environment: %s", got)
		}
	})
}

func TestSandbox(t *testing.T) {
	t.Setenv("WHORL_SHELL_TEST", "visible")
	home := t.TempDir()
	secret := filepath.Join(home, "secret.txt")
	if err := os.WriteFile(secret, []byte("TOPSECRET"), 0o644); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	port := listener.Addr().(*net.TCPAddr).Port
	dir := t.TempDir()
	s := newShell(t, shell.Options{Dir: dir, MaxFileBytes: 1 << 20, Timeout: 20 * time.Second})
	pid := os.Getpid()

	tests := []struct{ name, command, not string }{
		{"file outside", "cat " + secret, "TOPSECRET"},
		{"list outside", "ls " + home, "secret.txt"},
		{"link to the outside", "ln -s " + secret + " l; cat l", "TOPSECRET"},
		{"etc shadow", "cat /etc/shadow && echo GOT", "GOT"},
		{"root's home", "ls -la /root && echo GOT", "GOT"},
		{"write to usr", "touch /usr/x && echo GOT", "GOT"},
		{"write to etc", "echo x >> /etc/passwd && echo GOT", "GOT"},
		{"remount", "mount -o remount,rw /usr && echo GOT", "GOT"},
		{"network", fmt.Sprintf("exec 5<>/dev/tcp/127.0.0.1/%d && echo GOT", port), "GOT"},
		{"kill outside", fmt.Sprintf("kill -0 %d && [ ! -d /proc/%d ] && echo GOT", pid, pid), "GOT"},
		{"environment of others", "cat /proc/*/environ | tr '\\0' '\\n' | grep -q WHORL_SHELL_TEST= && echo GOT", "GOT"},
		{"raw disk", "ls /dev/sda /dev/vda /dev/mem && echo GOT", "GOT"},
		{"huge file", "head -c 3000000 /dev/zero > big && echo GOT", "GOT"},
		{"new privileges", "cat /proc/self/status | grep CapEff | grep -v 0000000000000000 && echo GOT", "GOT"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := run(t, s, test.command); strings.Contains(got, test.not) {
				t.Errorf("%s: %s", test.command, got)
			}
		})
	}
	if got := run(t, s, "echo hello > f && cat f && echo t > /tmp/t && cat /tmp/t"); got != "hello\nt\n" {
		t.Errorf("work inside of the folder: %q", got)
	}
	if _, err := os.Stat("/tmp/t"); err == nil {
		t.Error("the sandbox's /tmp is the machine's")
	}
	if data, _ := os.ReadFile(filepath.Join(dir, "f")); string(data) != "hello\n" {
		t.Errorf("the file in the folder is %q", data)
	}
}

func TestForkBombAndEscape(t *testing.T) {
	dir := t.TempDir()
	s := newShell(t, shell.Options{Dir: dir, Timeout: time.Second, MaxProcesses: 64})
	for name, command := range map[string]string{
		"fork bomb": `f() { f | f & }; f; sleep 60`,
		"setsid":    `setsid bash -c 'while :; do date >> escaped; sleep 0.1; done' & sleep 0.5; echo done`,
		"daemon":    `(setsid nohup bash -c 'while :; do date >> escaped; sleep 0.1; done' >/dev/null 2>&1 &) ; sleep 0.5; echo done`,
	} {
		t.Run(name, func(t *testing.T) {
			if name == "fork bomb" && os.Geteuid() == 0 {
				t.Skip("the system doesn't count the processes of root")
			}
			begin := time.Now()
			out, err := s.Run(t.Context(), command)
			if err != nil {
				t.Errorf("%+v, %v", out, err)
			}
			if took := time.Since(begin); took > 30*time.Second {
				t.Errorf("it took %v", took)
			}
			before, _ := os.Stat(filepath.Join(dir, "escaped"))
			time.Sleep(400 * time.Millisecond)
			after, _ := os.Stat(filepath.Join(dir, "escaped"))
			if before != nil && after.Size() != before.Size() {
				t.Error("a process outlived the sandbox")
			}
		})
	}
}

// Who waits for the end of another command can give up.
func TestWaitingForACommand(t *testing.T) {
	dir := t.TempDir()
	s := newShell(t, shell.Options{Dir: dir, Confinement: shell.Unconfined, Timeout: 10 * time.Second})
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan shell.Output)
	go func() {
		out, err := s.Run(t.Context(), "mkfifo fifo; cat fifo")
		if err != nil {
			t.Error(err)
		}
		first <- out
	}()
	fifo := filepath.Join(dir, "fifo")
	for _, err := os.Stat(fifo); err != nil; _, err = os.Stat(fifo) {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if out, err := s.Run(ctx, "echo second"); !errors.Is(err, context.Canceled) {
		t.Errorf("%+v, %v", out, err)
	}
	go func() { // it would wait for a reader that isn't there any more
		if err := os.WriteFile(fifo, []byte("go on"), 0); err != nil {
			t.Error(err)
		}
	}()
	if out := <-first; out.Text != "go on" {
		t.Errorf("the first: %+v", out)
	}
}

// A process that has left the command's group, and holds what the session's state is written
// to, isn't waited for.
func TestEscapedProcessIsNotWaitedFor(t *testing.T) {
	dir := t.TempDir()
	s := newShell(t, shell.Options{Dir: dir, Confinement: shell.Unconfined, Timeout: 5 * time.Second})
	out, err := s.Run(t.Context(), `printf() { [ -e pid ] || { setsid bash -c 'echo $$ > pid; sleep 10; : > ended' & sleep 0.2; }; builtin printf "$@"; }`)
	if err != nil {
		t.Errorf("%+v, %v", out, err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "ended")); err == nil {
		t.Error("it was waited for")
	}
	if err := syscall.Kill(-pid, syscall.SIGKILL); err != nil {
		t.Error(err)
	}
}

func TestKilledProgramLeavesNoSandbox(t *testing.T) {
	s := newShell(t, shell.Options{})
	out, err := s.Run(t.Context(), "kill -KILL 1; kill -TERM -1; echo survived")
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(os.Getpid(), 0); err != nil {
		t.Errorf("signals reached the test: %v (%+v)", err, out)
	}
}

func Example() {
	s, err := shell.New(shell.Options{Dir: os.TempDir(), Confinement: shell.AskFirst})
	if err != nil {
		fmt.Println("no shell here")
		return
	}
	fmt.Println(s.Tool().Name(), s.Tool().Traits().NeedsApproval)
	// Output: bash true
}
