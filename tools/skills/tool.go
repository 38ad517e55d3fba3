package skills

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/whorl-go/whorl/internal/runes"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/media"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// ToolName is the name of the tool that loads skills.
const ToolName = "skill"

// NoteName is the name of the note that a call which loads a skill records in the log
// through [tools.Host]: a JSON object with the members name and version.
const NoteName = "skill"

type input struct {
	Name string `json:"name" jsonschema_description:"The skill's name, as the list of available skills has it"`
	File string `json:"file,omitempty" jsonschema_description:"A file of the skill, by its path in the skill's folder. Leave it out to load the instructions"`
	Line int    `json:"line,omitempty" jsonschema:"minimum=1" jsonschema_description:"The line of the file to begin at"`
}

// Tool returns the tool with which a model loads the instructions of a skill and reads
// its files: text and pictures. The tool's definition doesn't depend on the skills. A
// call has its own span, and records a note with the version that was loaded.
func (s *Set) Tool() *tools.FuncTool {
	return tools.FuncWith(ToolName, "Loads the instructions of a skill, or reads a file that belongs to one.", s.use, tools.Options{
		Traits: tools.Traits{
			ReadOnly: true, Repeatable: true,
			MaxResultBytes: s.options.MaxInstructions + s.options.MaxResult + 64<<10, // nothing is cut in the middle
		},
	})
}

func (s *Set) use(ctx context.Context, in input) (_ tools.Result, err error) {
	skill := s.Skill(in.Name)
	if skill == nil {
		return tools.Result{}, fmt.Errorf("there is no skill %q; there are: %s", in.Name, strings.Join(s.names, ", "))
	}
	ctx, span := trace.SpanFromContext(ctx).TracerProvider().Tracer("github.com/whorl-go/whorl/tools/skills").Start(ctx, "skill "+skill.Name,
		trace.WithAttributes(attribute.String("whorl.skill.name", skill.Name), attribute.String("whorl.skill.version", skill.Version)))
	defer func() {
		if err != nil {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}()
	if in.File != "" {
		span.SetAttributes(attribute.Bool("whorl.skill.file", true))
		return skill.read(in.File, in.Line, s.options.MaxResult)
	}
	if err := skill.note(ctx); err != nil {
		return tools.Result{}, err
	}
	return tools.Text(s.loaded(skill)), nil
}

// note records which version was loaded, once per call.
func (k *Skill) note(ctx context.Context) error {
	host, ok := tools.HostOf(ctx)
	if !ok {
		return nil
	}
	data, err := rawjson.Marshal(struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	}{k.Name, k.Version})
	if err != nil {
		return err
	}
	before, err := host.Notes(ctx, NoteName)
	if err != nil || len(before) > 0 && string(before[len(before)-1]) == string(data) {
		return err
	}
	return host.Note(ctx, NoteName, json.RawMessage(data))
}

// opening begins the text of a loaded skill.
func (k *Skill) opening() string {
	return fmt.Sprintf("<skill name=%q version=%q>\n", k.Name, k.Version[:16])
}

// IsLoaded reports whether the result of a call of the tool contains this version of
// the skill.
func (k *Skill) IsLoaded(result string) bool { return strings.HasPrefix(result, k.opening()) }

// maxListed bounds the files that are listed with a skill.
const maxListed = 200

func (s *Set) loaded(k *Skill) string {
	var b strings.Builder
	b.WriteString(k.opening() + k.Instructions + "\n</skill>\n")
	if s.options.Dir != "" {
		fmt.Fprintf(&b, "Commands find the skill's folder at %s\n", path.Join(s.options.Dir, k.Name))
	}
	names := k.others()
	if len(names) > 0 {
		b.WriteString("Files of the skill, which this tool reads:\n")
	}
	for i, name := range names {
		if i == maxListed {
			fmt.Fprintf(&b, "… and %d more\n", len(names)-i)
			break
		}
		fmt.Fprintf(&b, "%q %d bytes\n", name, len(k.files[name].data))
	}
	return strings.TrimRight(b.String(), "\n")
}

// others are the names of the files beside the instructions, sorted.
func (k *Skill) others() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(k.files)), func(name string) bool { return name == k.manifest })
}

// read is a file of the skill, from a line on.
func (k *Skill) read(name string, line, limit int) (tools.Result, error) {
	f, ok := k.files[path.Clean(name)]
	switch {
	case !ok && slices.Contains(k.LeftOut, path.Clean(name)):
		return tools.Result{}, fmt.Errorf("%q is a link or not a regular file, so it can't be read", name)
	case !ok && len(k.others()) == 0:
		return tools.Result{}, fmt.Errorf("the skill %s has no file %q: it has no files beside its instructions, and nothing outside of its folder can be read", k.Name, name)
	case !ok:
		names := k.others()
		more := ""
		if len(names) > maxListed {
			names, more = names[:maxListed], ", …"
		}
		return tools.Result{}, fmt.Errorf("the skill %s has no file %q, and nothing outside of its folder can be read; it has: %s%s", k.Name, name, strings.Join(names, ", "), more)
	}
	if strings.HasPrefix(http.DetectContentType(f.data), "image/") {
		return picture(name, f.data)
	}
	if !utf8.Valid(f.data) || strings.ContainsRune(string(f.data), 0) {
		return tools.Result{}, fmt.Errorf("%q is not UTF-8 text; use a command to read it, if there is a tool that runs commands", name)
	}
	text, line := string(f.data), max(line, 1)
	for n := 1; n < line; n++ {
		_, rest, found := strings.Cut(text, "\n")
		if !found || rest == "" {
			return tools.Result{}, fmt.Errorf("%q has %d lines, and no line %d", name, n, line)
		}
		text = rest
	}
	if len(text) <= limit {
		return tools.Text(text), nil
	}
	cut := strings.LastIndexByte(text[:limit], '\n') + 1
	if cut == 0 { // one line, longer than a result
		cut = runes.Start(text, limit)
		return tools.Text(text[:cut] + fmt.Sprintf("\n[line %d is longer than a result can be; the rest of it can't be read by this tool]", line)), nil
	}
	return tools.Text(text[:cut] + fmt.Sprintf("[cut here; go on with line %d]", line+strings.Count(text[:cut], "\n"))), nil
}

// picture shows a picture, if the service takes it.
func picture(name string, data []byte) (tools.Result, error) {
	p, err := media.ReadPicture(data)
	if err == nil {
		err = p.Check(media.Limits{})
	}
	if err != nil {
		return tools.Result{}, fmt.Errorf("%q can't be shown: %w", name, err)
	}
	b, err := tools.Image{Data: data, MediaType: p.MediaType}.Block()
	return tools.Result{Content: []transport.Block{b}}, err
}
