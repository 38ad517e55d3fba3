package files

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/whorl-go/whorl/tools/internal/textfile"
)

type editIn struct {
	Path string `json:"path"`
	Old  string `json:"old" jsonschema_description:"The passage to replace, exactly as in the file" jsonschema:"minLength=1"`
	New  string `json:"new" jsonschema_description:"What goes in its place"`
	All  bool   `json:"all,omitempty" jsonschema_description:"Replace every occurrence"`
}

func (f *folder) edit(ctx context.Context, in editIn) (string, error) {
	name, text, err := f.text(in.Path)
	if err != nil {
		return "", err
	}
	lines := textfile.Occurrences(text.String, in.Old)
	switch {
	case in.Old == in.New:
		return "", errors.New("old and new are the same; nothing was changed")
	case len(lines) == 0:
		return "", fmt.Errorf("%s has no such passage%s; nothing was changed", in.Path, nearly(text.String, in.Old))
	case len(lines) > 1 && !in.All:
		return "", fmt.Errorf("%s has the passage at lines %s; include more of the surrounding text, or set all. Nothing was changed", in.Path, textfile.Join(lines))
	}
	text, count := textfile.ReplaceAll(text, in.Old, in.New)
	remark := f.inPlaceOf(name)
	if err := f.save(ctx, in.Path, name, text); err != nil {
		return "", err
	}
	if count > 1 {
		return fmt.Sprintf("replaced %d occurrences in %s%s", count, in.Path, remark), nil
	}
	return fmt.Sprintf("edited %s%s:\n%s", in.Path, remark, textfile.Around(text.String, lines[0], strings.Count(in.New, "\n"))), nil
}

// nearly says where the passage would match but for white space, the usual
// reason for an edit that fails.
func nearly(text, old string) string {
	squeeze := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	wanted := textfile.Lines(old)
	lines := textfile.Lines(text)
	if len(wanted) == 0 || len(lines) > 0 && (len(old)+len(wanted)) > 20_000_000/len(lines) {
		return ""
	}
	first, whole := squeeze(wanted[0]), squeeze(old)
	for i := 0; i+len(wanted) <= len(lines); i++ {
		if squeeze(lines[i]) == first && squeeze(strings.Join(lines[i:i+len(wanted)], "\n")) == whole {
			return fmt.Sprintf(", but lines %d to %d differ from it in white space only", i+1, i+len(wanted))
		}
	}
	return ""
}

type writeIn struct {
	Path string `json:"path"`
	Text string `json:"text" jsonschema_description:"The whole content of the file"`
}

func (f *folder) write(ctx context.Context, in writeIn) (string, error) {
	name, err := f.place(in.Path)
	if err != nil {
		return "", err
	}
	if name == "." {
		return "", errors.New("the path names the folder itself")
	}
	text, remark := f.rewrite(name, in.Text)
	remark += f.inPlaceOf(name)
	if err := f.save(ctx, in.Path, name, text); err != nil {
		return "", err
	}
	return fmt.Sprintf("wrote %d lines to %s%s", len(textfile.Lines(text.String)), in.Path, remark), nil
}
