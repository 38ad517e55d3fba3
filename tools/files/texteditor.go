package files

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/internal/textfile"
)

// A command is the input of the text editor tool (wire §4.2). Which fields
// matter depends on Command.
type command struct {
	Command    string  `json:"command" jsonschema:"enum=view,enum=create,enum=str_replace,enum=insert"`
	Path       string  `json:"path"`
	ViewRange  []int   `json:"view_range,omitempty"`
	FileText   *string `json:"file_text,omitempty"`
	OldStr     *string `json:"old_str,omitempty"`
	NewStr     string  `json:"new_str,omitempty"`
	InsertLine *int    `json:"insert_line,omitempty"`
	InsertText *string `json:"insert_text,omitempty"`
}

// TextEditor returns Anthropic's text editor tool, text_editor_20250728, for a folder.
// The model uses absolute paths, so set [Options.Prefix] to the path by which the model
// knows the folder, such as "/repo".
func TextEditor(root *os.Root, o Options) *tools.FuncTool {
	f := &folder{o.withDefaults(), root, "viewing a directory"}
	if f.Prefix == "" {
		f.Prefix = "/"
	}
	return tools.FuncWith("str_replace_based_edit_tool", "", f.editor, tools.Options{
		Type:   "text_editor_20250728",
		Traits: f.writing(),
	})
}

func (f *folder) editor(ctx context.Context, c command) (tools.Result, error) {
	if c.Command == "view" {
		return f.view(ctx, c)
	}
	if f.ReadOnly {
		return tools.Result{}, textfile.Answerf("Error: These files are read-only")
	}
	name, err := f.place(c.Path)
	if err != nil {
		return tools.Result{}, textfile.Answerf("Error: %v", err)
	}
	switch c.Command {
	case "create":
		return f.create(ctx, c, name)
	case "str_replace":
		return f.strReplace(ctx, c)
	}
	return f.insert(ctx, c)
}

func (f *folder) view(ctx context.Context, c command) (tools.Result, error) {
	name, err := f.place(c.Path)
	if err != nil {
		return tools.Result{}, textfile.Answerf("Error: %v", err)
	}
	info, err := f.root.Stat(name)
	if err != nil {
		return tools.Result{}, textfile.Answerf("Error: %v", f.explain(c.Path, err))
	}
	if info.IsDir() {
		return f.viewFolder(ctx, c.Path, name)
	}
	data, err := textfile.Read(f.root, name, f.MaxFileBytes)
	if err != nil {
		return tools.Result{}, textfile.Answerf("Error: %v", f.explain(c.Path, err))
	}
	return textfile.Show(c.Path, data, c.ViewRange, f.MaxResultBytes)
}

func (f *folder) viewFolder(ctx context.Context, shown, name string) (tools.Result, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "Here're the files and directories up to 2 levels deep in %s, excluding hidden items and node_modules:", shown)
	err := f.walk(ctx, name, func(at string, d fs.DirEntry) error {
		if at == name {
			return nil
		}
		depth := strings.Count(below(name, at), "/")
		if d.Name() == "node_modules" || depth > 1 {
			return skip(d)
		}
		b.WriteString("\n" + f.shown(at))
		if d.IsDir() {
			b.WriteByte('/')
		}
		if depth == 1 {
			return skip(d)
		}
		return nil
	})
	if err != nil {
		return tools.Result{}, textfile.Answerf("Error: %v", f.explain(shown, err))
	}
	return tools.Text(textfile.Cut(b.String(), f.MaxResultBytes)), nil
}

func skip(d fs.DirEntry) error {
	if d.IsDir() {
		return fs.SkipDir
	}
	return nil
}

func (f *folder) create(ctx context.Context, c command, name string) (tools.Result, error) {
	if c.FileText == nil {
		return tools.Result{}, textfile.Answerf("Error: create needs `file_text`")
	}
	if name == "." {
		return tools.Result{}, textfile.Answerf("Error: %s is a directory", cmp.Or(c.Path, "an empty path"))
	}
	text, remark := f.rewrite(name, *c.FileText)
	remark += f.inPlaceOf(name)
	if err := f.save(ctx, c.Path, name, text); err != nil {
		return tools.Result{}, textfile.Answerf("Error: %v", err)
	}
	return tools.Text("File created successfully at: " + c.Path + remark), nil
}

func (f *folder) strReplace(ctx context.Context, c command) (tools.Result, error) {
	name, text, err := f.text(c.Path)
	if err != nil {
		return tools.Result{}, textfile.Answerf("Error: %v", err)
	}
	text, around, err := textfile.ReplaceOnce(c.Path, text, c.OldStr, c.NewStr)
	if err != nil {
		return tools.Result{}, err
	}
	return f.edited(ctx, c, name, text, around)
}

func (f *folder) insert(ctx context.Context, c command) (tools.Result, error) {
	if c.InsertLine == nil || c.InsertText == nil {
		return tools.Result{}, textfile.Answerf("Error: insert needs `insert_line` and `insert_text`")
	}
	name, text, err := f.text(c.Path)
	if err != nil {
		return tools.Result{}, textfile.Answerf("Error: %v", err)
	}
	if text, err = textfile.Insert(text, *c.InsertLine, *c.InsertText); err != nil {
		return tools.Result{}, err
	}
	return f.edited(ctx, c, name, text, textfile.Around(text.String, *c.InsertLine+1, strings.Count(*c.InsertText, "\n")))
}

func (f *folder) edited(ctx context.Context, c command, name string, text textfile.Text, around string) (tools.Result, error) {
	remark := f.inPlaceOf(name)
	if err := f.save(ctx, c.Path, name, text); err != nil {
		return tools.Result{}, textfile.Answerf("Error: %v", err)
	}
	return tools.Text(fmt.Sprintf("The file %s has been edited%s.\n%s", c.Path, remark, around)), nil
}
