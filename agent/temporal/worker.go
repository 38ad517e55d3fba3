package temporal

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
)

// NewWorker returns a worker of a task queue in which the workflow and its activities are
// registered. It sets fields of w that are zero so that
//
//   - running actions have 25 seconds to end after the worker is stopped, before they
//     are cancelled (WorkerStopTimeout)
//   - a cancellation reaches a tool within 2 seconds (MaxHeartbeatThrottleInterval)
//   - histories are small: the identity, which each action repeats in four events, has
//     four letters, and so has the id of the program's build (BuildID, or that of
//     DeploymentOptions), which it repeats in three. Options.Logger logs the identity
//     together with the process and its machine
func NewWorker(c client.Client, taskQueue string, o Options, w worker.Options) (worker.Worker, error) {
	if w.WorkerStopTimeout == 0 {
		w.WorkerStopTimeout = 25 * time.Second
	}
	if w.MaxHeartbeatThrottleInterval == 0 {
		w.MaxHeartbeatThrottleInterval = 2 * time.Second
	}
	if w.Identity == "" {
		w.Identity = letters(rand.Uint32())
	}
	if w.BuildID == "" && w.DeploymentOptions.Version.BuildID == "" {
		id, err := build()
		if err != nil {
			return nil, fmt.Errorf("temporal: the id of the program can't be found: %w; set BuildID of worker.Options", err)
		}
		w.BuildID = id
	}
	made := worker.New(c, taskQueue, w)
	if err := Register(made, o); err != nil {
		return nil, err
	}
	if o.Logger != nil {
		host, _ := os.Hostname()
		o.Logger.Info("a worker of Temporal's begins", "identity", w.Identity, "process", os.Getpid(), "host", host, "build", w.BuildID, "task_queue", taskQueue)
	}
	return made, nil
}

// build tells programs apart: it is made of the program's bytes.
func build() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", err
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	sum := h.Sum(nil)
	return letters(uint32(sum[0])<<24 | uint32(sum[1])<<16 | uint32(sum[2])<<8 | uint32(sum[3])), nil
}

// letters are four letters or digits.
func letters(n uint32) string {
	return strings.ToLower(base32.StdEncoding.EncodeToString([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8)}))[:4]
}
