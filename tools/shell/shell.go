package shell

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/whorl-go/whorl/tools"
)

// Confinement specifies how commands are isolated from the machine.
type Confinement int

// The confinements.
const (
	// Sandboxed runs commands in bubblewrap. New fails where that doesn't work.
	Sandboxed Confinement = iota
	// AskFirst runs each command with the program's rights, after approval.
	AskFirst
	// Unconfined runs commands with the program's rights, without approval. It is meant
	// for machines that are sandboxes themselves.
	Unconfined
)

// Options configure a shell. Zero fields take the defaults.
type Options struct {
	// Dir is the working folder, which commands may read and write. Required.
	Dir string
	// Env has variables of the commands' environment, as "NAME=value", in addition to
	// PATH, HOME, LANG and TERM. The program's environment is not inherited.
	Env []string

	Confinement Confinement
	// Network lets sandboxed commands use the machine's network. It includes the
	// loopback addresses, with databases and this program's pages, neighbours, and a
	// cloud's metadata service.
	Network bool
	// ReadOnly are additional files and folders that sandboxed commands may read. Those
	// inside Dir, such as .git, can't be changed, moved or removed. All of them must
	// exist.
	ReadOnly []string
	// GainPrivileges lets commands outside the sandbox gain privileges, as sudo does.
	// They can then also read the program's own environment and memory.
	GainPrivileges bool

	Timeout        time.Duration // of one command; 0 means 2 minutes
	MaxOutputBytes int           // of a command's output to keep; 0 means 30,000
	MaxFileBytes   int64         // of a file that a command writes; 0 means 1 GiB
	MaxProcesses   int           // at a time, for an ordinary user; 0 means 256 in the sandbox, and no limit outside
	MaxMemoryBytes int64         // of each process, and of each of /tmp and /dev/shm in the sandbox; 0 means 4 GiB in the sandbox, and no limit outside
}

// A Shell is a shell session. Its commands run one at a time.
type Shell struct {
	options    Options
	bash       string
	wrap       []string // the sandbox's command line, up to the program
	restricted bool     // commands start from a restricted thread

	turn  chan struct{} // holds a token while a command runs; guards the rest
	dir   string        // where the next command starts
	state string        // a script that restores variables and functions
}

// New starts a session. It fails if there is no bash, or if the options ask for a
// sandbox and there is none.
func New(o Options) (*Shell, error) {
	if o.Timeout <= 0 {
		o.Timeout = 2 * time.Minute
	}
	if o.MaxOutputBytes <= 0 {
		o.MaxOutputBytes = 30000
	}
	if o.MaxFileBytes <= 0 {
		o.MaxFileBytes = 1 << 30
	}
	if o.MaxProcesses <= 0 && o.Confinement == Sandboxed {
		o.MaxProcesses = 256
	}
	if o.MaxMemoryBytes <= 0 && o.Confinement == Sandboxed {
		o.MaxMemoryBytes = 4 << 30
	}
	o.MaxProcesses, o.MaxMemoryBytes = max(o.MaxProcesses, 0), max(o.MaxMemoryBytes, 0)
	if o.Dir == "" {
		return nil, errors.New("shell: Options.Dir is empty; name the working folder")
	}
	dir, err := filepath.Abs(o.Dir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("shell: working folder: %w", err)
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("shell: working folder %s is not a folder", dir)
	}
	o.Dir = dir
	o.ReadOnly = slices.Clone(o.ReadOnly)
	for i, name := range o.ReadOnly {
		if name, err = filepath.Abs(name); err == nil {
			name, err = filepath.EvalSymlinks(name)
		}
		if err != nil {
			return nil, fmt.Errorf("shell: Options.ReadOnly: %w", err)
		}
		o.ReadOnly[i] = name
	}
	s := &Shell{options: o, dir: dir, restricted: !o.GainPrivileges, turn: make(chan struct{}, 1)}
	if s.bash, err = find("bash"); err != nil {
		return nil, fmt.Errorf("shell: %w", err)
	}
	if o.Confinement == Sandboxed {
		if s.wrap, s.restricted, err = sandbox(o); err != nil {
			return nil, fmt.Errorf("shell: no sandbox: %w; install bubblewrap, or choose AskFirst or Unconfined", err)
		}
	}
	return s, nil
}

// maxState bounds what a session carries from one command to the next, and the
// length of a command: the system takes arguments of up to 128 KiB.
const maxState = 100_000

type input struct {
	Command string `json:"command,omitempty"`
	Restart bool   `json:"restart,omitempty"`
}

// Tool returns the bash tool for the session.
func (s *Shell) Tool() *tools.FuncTool {
	return tools.FuncWith("bash", "", s.do, tools.Options{
		Type: "bash_20250124",
		Traits: tools.Traits{
			Group:         "shell:" + s.options.Dir,
			NeedsApproval: s.options.Confinement == AskFirst,
			Private:       true,
			Untrusted:     s.reachesOut(),
			Outside:       s.reachesOut(),
			Timeout:       s.options.Timeout + 10*time.Second, // the command's own limit strikes first, and keeps the output
		},
	})
}

// reachesOut reports whether commands may reach the network.
func (s *Shell) reachesOut() bool {
	return s.options.Network || s.options.Confinement != Sandboxed
}

func (s *Shell) do(ctx context.Context, in input) (tools.Result, error) {
	switch {
	case in.Restart:
		s.Restart()
		return tools.Text("The shell has been restarted."), nil
	case strings.TrimSpace(in.Command) == "":
		return tools.Result{}, errors.New("give a command, or restart")
	case strings.ContainsRune(in.Command, 0):
		return tools.Result{}, errors.New("the command has a NUL character in it")
	case len(in.Command) > maxState:
		return tools.Result{}, fmt.Errorf("the command has %d bytes; at most %d are allowed", len(in.Command), maxState)
	}
	out, err := s.Run(ctx, in.Command)
	if err != nil {
		return tools.Result{}, err
	}
	return out.result(), nil
}

// Restart resets the working directory, variables and functions of the session.
func (s *Shell) Restart() {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	s.dir, s.state = s.options.Dir, ""
}

// An Output is the result of a command.
type Output struct {
	Text     string // standard output and error, in order; the middle is left out if there was too much
	Status   int    // exit status; 128 + n if signal n killed it
	TimedOut bool   // whether the command was killed at its time limit

	// Ended names up to ten programs that still ran in the background when the command
	// ended, and were then killed.
	Ended []string
	// Forgot reports that the new state of the session was too large to keep: the
	// directory, variables and functions are as they were before the command.
	Forgot bool
}

func (o Output) result() tools.Result {
	text := strings.ToValidUTF8(o.Text, "\uFFFD")
	note := ""
	switch {
	case o.TimedOut:
		note = "[killed at the time limit; run what takes long in parts]"
	case o.Status != 0:
		note = fmt.Sprintf("[exit status %d]", o.Status)
	case strings.TrimSpace(text) == "":
		note = "[no output]"
	}
	if len(o.Ended) > 0 {
		note = join(note, fmt.Sprintf("[still running in the background and ended with this command: %s; start and use such a program in one and the same command]", strings.Join(o.Ended, ", ")))
	}
	if o.Forgot {
		note = join(note, "[the exported variables and functions are too many to be kept; the session is as it was before this command]")
	}
	if note != "" && text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	r := tools.Text(text + note)
	r.IsError = o.TimedOut
	return r
}

// join joins two lines, of which the first may be empty.
func join(line, next string) string { return strings.TrimPrefix(line+"\n"+next, "\n") }

// keeper keeps the first and the last part of what is written to it.
type keeper struct {
	mu         sync.Mutex
	head, tail []byte
	most       int // of each part
	dropped    int
}

// Write never fails, so that a command is not stopped by its own output.
func (k *keeper) Write(p []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := len(p)
	if room := k.most - len(k.head); room > 0 {
		took := min(room, len(p))
		k.head = append(k.head, p[:took]...)
		p = p[took:]
	}
	k.tail = append(k.tail, p...)
	if extra := len(k.tail) - k.most; extra > 0 && len(k.tail) > 2*k.most {
		k.dropped += extra
		k.tail = append(k.tail[:0], k.tail[extra:]...)
	}
	return n, nil
}

func (k *keeper) String() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	tail, dropped := k.tail, k.dropped
	if extra := len(tail) - k.most; extra > 0 {
		tail, dropped = tail[extra:], dropped+extra
	}
	if dropped == 0 {
		return string(k.head) + string(tail)
	}
	return fmt.Sprintf("%s\n[… %d bytes left out …]\n%s", k.head, dropped, tail)
}
