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

// Stats is what the server tells of a run.
type Stats struct {
	GapMedian float64 `json:"gap_median_us"`
	Bill      float64 `json:"bill"`
	Marks     int     `json:"marks"`
}

// build compiles the program in dir, which may be a module of its own.
func build(bin, name, dir string) error {
	fmt.Fprintln(os.Stderr, "building", name)
	cmd := exec.Command("go", "build", "-C", dir, "-o", filepath.Join(bin, name), ".")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", name, err, out)
	}
	return nil
}

// run gives a task to a driver, with a server of its own.
func run(bin, driver string, t Task, limit time.Duration) (*harness.Result, Stats, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cert := filepath.Join(bin, "cert.pem")
	base, stop, err := serve(ctx, bin, cert, t)
	if err != nil {
		return nil, Stats{}, fmt.Errorf("server: %w", err)
	}
	defer stop()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, driver), "-base", base,
		fmt.Sprint("-turns=", t.Turns), fmt.Sprint("-parallel=", t.Parallel), fmt.Sprint("-result=", t.ResultBytes),
		fmt.Sprint("-system=", t.SystemBytes), fmt.Sprint("-runs=", t.Runs), fmt.Sprint("-c=", t.Concurrency), fmt.Sprint("-stream=", t.Stream))
	cmd.Env = os.Environ()
	if t.HTTP2 {
		cmd.Env = append(cmd.Env, "SSL_CERT_FILE="+cert)
	}
	if t.MemoryLimit != "" {
		cmd.Env = append(cmd.Env, "GOMEMLIMIT="+t.MemoryLimit)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, Stats{}, fmt.Errorf("not done after %v", limit)
		}
		return nil, Stats{}, fmt.Errorf("%w: %s", err, lastLine(stderr.String()))
	}
	var res harness.Result
	if err := json.Unmarshal(stdout.Bytes(), &res); err != nil {
		return nil, Stats{}, err
	}
	stats, err := getStats(base)
	return &res, stats, err
}

// serve starts the server. It ends when stop is called, or with ctx.
func serve(ctx context.Context, bin, cert string, t Task) (base string, stop func(), err error) {
	args := []string{fmt.Sprint("-turns=", t.Turns), fmt.Sprint("-parallel=", t.Parallel), fmt.Sprint("-bill=", t.Bill)}
	if t.HTTP2 {
		args = append(args, "-h2="+cert)
	}
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "server"), args...)
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
