package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/whorl-go/whorl/examples/benchmark/harness"
)

// Stats is what the server says about a run.
type Stats struct {
	Requests  int     `json:"requests"` // behind the first of each conversation
	GapMedian float64 `json:"gap_median_us"`
	Bill      float64 `json:"bill"`
	Marks     int     `json:"marks"`
	Sent      float64 `json:"sent_bytes,omitempty"` // of a request's body, the mean
}

// limits are what a driver may take.
type limits struct {
	time   time.Duration
	memory float64 // GB resident
}

// drive gives a task to a driver, with a server of its own. If it was stopped at
// a limit, the error says so, and how far it came.
func drive(ctx context.Context, bin, driver string, t Task, most limits) (s Sample, err error) {
	began := time.Now()
	defer func() { s.Seconds = time.Since(began).Seconds() }()
	cert := filepath.Join(bin, "cert.pem")
	base, stop, err := serve(bin, cert, t)
	if err != nil {
		return s, fmt.Errorf("server: %w", err)
	}
	defer stop()
	args := []string{"-base", base,
		fmt.Sprint("-turns=", t.Turns), fmt.Sprint("-parallel=", t.Parallel), fmt.Sprint("-result=", t.ResultBytes),
		fmt.Sprint("-system=", t.SystemBytes), fmt.Sprint("-runs=", t.Runs), fmt.Sprint("-for=", t.For),
		fmt.Sprint("-c=", t.Concurrency), fmt.Sprint("-stream=", t.Stream), fmt.Sprint("-cache=", t.Cache)}
	// Drivers of older commits don't know these flags.
	if t.Threads != "" {
		args = append(args, "-threads="+t.Threads)
	}
	if t.Telemetry != "" {
		args = append(args, "-telemetry="+t.Telemetry)
	}
	cmd := exec.CommandContext(ctx, filepath.Join(bin, driver), args...)
	cmd.Env = os.Environ()
	if t.HTTP2 {
		cmd.Env = append(cmd.Env, "SSL_CERT_FILE="+cert)
	}
	if t.MemoryLimit != "" {
		cmd.Env = append(cmd.Env, "GOMEMLIMIT="+t.MemoryLimit)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		return s, err
	}
	stopped := watch(cmd, most)
	err = cmd.Wait()
	why := stopped()
	stats, statsErr := getStats(base)
	switch {
	case why != "":
		counted := max(0, stats.Requests-min(t.Turns, harness.WarmTurns))
		return s, fmt.Errorf("%s, %.0f%% of its steps made", why, 100*float64(counted)/float64(t.Runs*t.Turns))
	case err != nil && stderr.Len() > 0:
		return s, errors.New(strings.TrimPrefix(lastLine(stderr.String()), driver+": "))
	case err != nil:
		return s, err
	}
	s.Stats = stats
	return s, errors.Join(json.Unmarshal(stdout.Bytes(), &s.Result), statsErr)
}

// watch looks after a driver that was started, and kills it at a limit. The
// function that it returns ends the watch and says which limit was reached, if any.
func watch(cmd *exec.Cmd, most limits) (stopped func() string) {
	done, why := make(chan struct{}), make(chan string, 1)
	go func() {
		defer close(why)
		began := time.Now()
		for tick := time.NewTicker(100 * time.Millisecond); ; {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			held, after := resident(cmd.Process.Pid)/(1<<20), time.Since(began)
			if held <= most.memory*1024 && after <= most.time {
				continue
			}
			verb := "not done"
			if after <= most.time {
				verb = "stopped"
			}
			why <- fmt.Sprintf("%s after %v: %s MB held", verb, after.Round(time.Second), number(int(held)))
			cmd.Process.Kill()
			return
		}
	}()
	return func() string {
		close(done)
		return <-why
	}
}

// serve starts the server. It ends when stop is called.
func serve(bin, cert string, t Task) (base string, stop func(), err error) {
	args := []string{fmt.Sprint("-turns=", t.Turns), fmt.Sprint("-parallel=", t.Parallel), fmt.Sprint("-bill=", t.Bill)}
	if t.HTTP2 {
		args = append(args, "-h2="+cert)
	}
	cmd := exec.Command(filepath.Join(bin, "server"), args...)
	cmd.Stderr = os.Stderr
	stdin, inErr := cmd.StdinPipe()
	stdout, outErr := cmd.StdoutPipe()
	if err := errors.Join(inErr, outErr, cmd.Start()); err != nil {
		return "", nil, err
	}
	stop = func() {
		stdin.Close()
		cmd.Wait()
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		stop()
		return "", nil, err
	}
	return strings.TrimSpace(line), stop, nil
}

func getStats(base string) (Stats, error) {
	var s Stats
	// The certificate is the server's own, made a moment ago.
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	client := http.Client{Timeout: 10 * time.Second, Transport: transport}
	resp, err := client.Get(base + "/stats")
	if err != nil {
		return s, err
	}
	defer resp.Body.Close()
	return s, json.NewDecoder(resp.Body).Decode(&s)
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	line := lines[len(lines)-1]
	return line[:min(len(line), 200)]
}
