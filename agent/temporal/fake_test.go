package temporal_test

import (
	"github.com/nexus-rpc/sdk-go/nexus"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"
)

type (
	activityInfo  = activity.Info
	encodedValue  = converter.EncodedValue
	encodedValues = converter.EncodedValues
)

var dataConverter = converter.GetDefaultDataConverter()

// registry is a worker.Registry of a test's environment.
type registry struct {
	*testsuite.TestWorkflowEnvironment
}

func (registry) RegisterNexusService(*nexus.Service) {}

// activities is one for activities alone.
type activities struct {
	*testsuite.TestActivityEnvironment
}

func (activities) RegisterDynamicActivity(any, activity.DynamicRegisterOptions) {}
func (activities) RegisterNexusService(*nexus.Service)                          {}
func (activities) RegisterWorkflow(any)                                         {}
func (activities) RegisterWorkflowWithOptions(any, workflow.RegisterOptions)    {}
func (activities) RegisterDynamicWorkflow(any, workflow.DynamicRegisterOptions) {}

// result takes what became of an update.
func result(to *error) *testsuite.TestUpdateCallback { return then(to, func() {}) }

// then does so, and goes on.
func then(to *error, on func()) *testsuite.TestUpdateCallback {
	return &testsuite.TestUpdateCallback{
		OnReject:   func(err error) { *to = err; on() },
		OnAccept:   func() {},
		OnComplete: func(_ any, err error) { *to = err; on() },
	}
}

// quiet is a logger that says nothing.
type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}
