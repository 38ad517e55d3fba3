package notes_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/whorl-go/whorl/tools/notes"
	"github.com/whorl-go/whorl/transport/rawjson"
)

func Example() {
	dir, err := os.MkdirTemp("", "notes")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	root, err := os.OpenRoot(dir) // one folder for one user
	if err != nil {
		fmt.Println(err)
		return
	}
	defer root.Close()

	memory := notes.New(root, notes.Options{}).Tool() // goes into the agent's tools
	result, err := memory.Call(context.Background(), json.RawMessage(`{"command":"create","path":"/memories/user.md","file_text":"Prefers metric units."}`))
	fmt.Println(rawjson.GetString(result.Content[0].Raw(), "text"), err)
	// Output: File created successfully at: /memories/user.md <nil>
}
