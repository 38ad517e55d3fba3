// Package eino does the task of this folder with eino, up to the model: its
// Claude model, of eino-ext, is handed in.
package eino

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/cloudwego/eino/components/model"
	"github.com/cloudwego/eino/components/tool"
	"github.com/cloudwego/eino/components/tool/utils"
	"github.com/cloudwego/eino/compose"
	"github.com/cloudwego/eino/flow/agent/react"
	"github.com/cloudwego/eino/schema"
)

// load reads what save kept; a file that isn't there leaves v as it is.
func load(file string, v any) error {
	kept, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(kept, v)
}

func save(file string, v any) error {
	kept, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return os.WriteFile(file, kept, 0o600)
}

// region answer
type place struct {
	City string `json:"city" jsonschema:"required" jsonschema_description:"Name of the city, in English"`
}

func weather(_ context.Context, p place) (string, error) {
	if p.City != "Lisbon" {
		return "", fmt.Errorf("no station in %q; give the English name", p.City)
	}
	return "18 °C, light rain", nil
}

func answer(ctx context.Context, chat model.ToolCallingChatModel, guide, file, question string) (string, error) {
	inferred, err := utils.InferTool("weather", "Tells the weather of a city.", weather)
	if err != nil {
		return "", err
	}
	// Without the wrapper an error of the tool would end the run.
	told := utils.WrapToolWithErrorHandler(inferred, func(_ context.Context, err error) string { return "error: " + err.Error() })
	a, err := react.NewAgent(ctx, &react.AgentConfig{
		ToolCallingModel: chat,
		ToolsConfig:      compose.ToolsNodeConfig{Tools: []tool.BaseTool{told}},
		MaxStep:          200, // two for each call of the model that asks for tools
		MessageModifier: func(_ context.Context, in []*schema.Message) []*schema.Message {
			return append([]*schema.Message{schema.SystemMessage(guide)}, in...)
		},
	})
	if err != nil {
		return "", err
	}
	var messages []*schema.Message
	if err := load(file, &messages); err != nil {
		return "", err
	}
	messages = append(messages, schema.UserMessage(question))
	option, future := react.WithMessageFuture()
	last, err := a.Generate(ctx, messages, option)
	if err != nil {
		return "", err
	}
	steps := future.GetMessages() // the answer alone would lack the calls and their results
	for {
		m, more, err := steps.Next()
		if err != nil {
			return "", err
		}
		if !more {
			return last.Content, save(file, messages)
		}
		messages = append(messages, m)
	}
}

// endregion
