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

// NewWorker makes a worker of a task queue, and registers with it. What w leaves out is
// set so that
//
//   - running actions have 25 seconds to end once the worker is stopped: they are
//     cancelled otherwise (WorkerStopTimeout)
//   - a cancel reaches a tool within 2 seconds (MaxHeartbeatThrottleInterval)
//   - histories are small: the identity, which is in four events of an action, is four
//     letters, which Options.Logger says beside the process and its machine, and so is
//     the id of the program's build (BuildID, or that of DeploymentOptions), which is in
//     three
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
			return nil, fmt.Errorf("temporal: the id of the program: %w; give one, worker.Options.BuildID", err)
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
