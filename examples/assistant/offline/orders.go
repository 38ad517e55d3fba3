package offline

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// An order is asked what to do next, given what came of what it did before: some
// calls, or, once there is nothing left to do, an answer.
type order func(done []outcome) ([]call, string)

const help = `I am a simulated model: I carry out orders, one per line, and look up questions in the folder.
  calculate 0.1 + 0.2
  remember that the demo is on Friday · recall · forget demo
  list *.md · read notes.txt · search TODO
  write notes.txt: some text (all lines up to the end of the prompt)
  replace "old" with "new" in notes.txt
  run ls -l
  fetch https://example.com/
  ask me which seat? window, aisle
Anything else is a question.`

// A form is a way to put an order.
type form struct {
	re   *regexp.Regexp
	make func(m []string) order
}

var forms = []form{
	{regexp.MustCompile(`(?i)^(?:help|hello|hi)[.!?]?$`), func([]string) order { return func([]outcome) ([]call, string) { return nil, help } }},
	{regexp.MustCompile(`(?i)^(?:calculate|compute|what is|=)\s+(.*\d.*[-+*/%(].*?)\??$`), func(m []string) order {
		return one(call{"calculate", map[string]any{"expression": m[1]}, "This has to be computed exactly."}, m[1]+" = %s")
	}},
	{regexp.MustCompile(`(?i)^calculate\s+(.+)$`), func(m []string) order {
		return one(call{"calculate", map[string]any{"expression": m[1]}, "This has to be computed exactly."}, m[1]+" = %s")
	}},
	{regexp.MustCompile(`(?is)^remember(?: that)?:?\s+(.+)$`), func(m []string) order { return remember(m[1]) }},
	{regexp.MustCompile(`(?i)^(?:recall|what do you (?:remember|know about me))[.?]?$`), func([]string) order { return recall }},
	{regexp.MustCompile(`(?i)^forget\s+(.+)$`), func(m []string) order { return forget(m[1]) }},
	{regexp.MustCompile(`(?is)^write\s+(?:to\s+)?(\S+?):\s*(.*)$`), func(m []string) order {
		return one(call{"write_file", map[string]any{"path": m[1], "text": m[2] + "\n"}, "A file is to be written."}, "%s")
	}},
	{regexp.MustCompile(`(?i)^replace\s+"(.+)"\s+with\s+"(.*)"\s+in\s+(\S+)$`), func(m []string) order {
		return one(call{"edit_file", map[string]any{"path": m[3], "old": m[1], "new": m[2]}, "One passage of a file is to be changed."}, "%s")
	}},
	{regexp.MustCompile(`(?i)^(?:read|show|cat)\s+(\S+?)(?:\s+(\d+)-(\d+))?$`), read},
	{regexp.MustCompile(`(?i)^(?:list|ls)(?:\s+files)?(?:\s+(\S+))?$`), func(m []string) order {
		return one(call{"list_files", given("pattern", m[1]), ""}, "%s")
	}},
	{regexp.MustCompile(`(?i)^(?:search|grep)(?:\s+for)?\s+(.+)$`), func(m []string) order {
		return one(call{"search_files", map[string]any{"expression": m[1]}, ""}, "%s")
	}},
	{regexp.MustCompile(`(?i)^(?:run|\$)\s+(.+)$`), func(m []string) order {
		return one(call{"bash", map[string]any{"command": m[1]}, "A command is to be run."}, "%s")
	}},
	{regexp.MustCompile(`(?i)^ask me(?::|\s)\s*(.+?\?)(?:\s+(.+))?$`), func(m []string) order {
		in := map[string]any{"question": m[1]}
		if m[2] != "" {
			in["choices"] = strings.Split(m[2], ", ")
		}
		return one(call{"ask_user", in, "Only the user knows this."}, "You said: %s")
	}},
	{regexp.MustCompile(`(?i)^fetch\s+(https?://\S+)$`), func(m []string) order {
		return one(call{"fetch", map[string]any{"url": m[1]}, ""}, "%s")
	}},
}

// parse reads a prompt as orders, one per line. It is false if there is a line
// that is none: the prompt is then a question.
func parse(text string) ([]order, bool) {
	lines := strings.Split(text, "\n")
	var orders []order
	for i, line := range lines {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		all := strings.TrimSpace(strings.Join(lines[i:], "\n"))
		if strings.HasPrefix(strings.ToLower(line), "write ") {
			line = all // its text goes on to the end
		}
		o := parseLine(line)
		if o == nil {
			return nil, false
		}
		if orders = append(orders, o); line == all {
			break
		}
	}
	return orders, len(orders) > 0
}

func parseLine(line string) order {
	for _, f := range forms {
		if m := f.re.FindStringSubmatch(line); m != nil {
			return f.make(m)
		}
	}
	return nil
}

// one is an order of one call; format says its result.
func one(c call, format string) order {
	say := func(result string) string { return strings.ReplaceAll(format, "%s", result) }
	return func(done []outcome) ([]call, string) {
		if len(done) == 0 {
			return []call{c}, ""
		}
		if done[0].failed {
			return nil, "That didn't work: " + done[0].text
		}
		return nil, say(strings.TrimSpace(done[0].text))
	}
}

func given(name, value string) map[string]any {
	if value == "" {
		return map[string]any{}
	}
	return map[string]any{name: value}
}

func read(m []string) order {
	input := map[string]any{"path": m[1]}
	for i, name := range []string{"from", "to"} {
		if n, err := strconv.Atoi(m[2+i]); err == nil {
			input[name] = n
		}
	}
	return one(call{"read_file", input, ""}, "%s")
}

var notWord = regexp.MustCompile(`[^\p{L}\p{N}]+`)

// memories is where the memory tool has its notes.
const memories = "/memories"

// remember writes a note, named after its first words.
func remember(text string) order {
	words := strings.Fields(notWord.ReplaceAllString(strings.ToLower(text), " "))
	name := strings.Join(words[:min(len(words), 5)], "-")
	if name == "" {
		name = "note"
	}
	c := call{"memory", map[string]any{"command": "create", "path": memories + "/" + name + ".md", "file_text": text + "\n"}, "This is to be kept for later conversations."}
	return func(done []outcome) ([]call, string) {
		if len(done) > 0 && strings.Contains(done[0].text, "already exists") {
			return nil, "I have a note of that already."
		}
		return one(c, "Noted.")(done)
	}
}

var notePath = regexp.MustCompile(`(/memories/\S+)`)

// recall is the order to read all notes.
func recall(done []outcome) ([]call, string) {
	if len(done) == 0 {
		return []call{{"memory", map[string]any{"command": "view", "path": memories}, "Let me look at my notes."}}, ""
	}
	paths := notePath.FindAllString(done[0].text, -1)
	if len(paths) == 0 || done[0].failed {
		return nil, "I have no notes."
	}
	if len(done) == 1 {
		var calls []call
		for _, p := range paths {
			calls = append(calls, call{"memory", map[string]any{"command": "view", "path": p}, ""})
		}
		return calls, ""
	}
	var said []string
	for _, o := range done[1:] {
		for line := range strings.Lines(o.text) {
			if number, text, ok := strings.Cut(line, "\t"); ok && strings.Trim(number, " 0123456789") == "" && strings.TrimSpace(text) != "" {
				said = append(said, "- "+strings.TrimSpace(text))
			}
		}
	}
	return nil, "My notes say:\n" + strings.Join(said, "\n")
}

// forget deletes the notes whose names have all of the words.
func forget(text string) order {
	words := strings.Fields(strings.ToLower(text))
	return func(done []outcome) ([]call, string) {
		if len(done) == 0 {
			return []call{{"memory", map[string]any{"command": "view", "path": memories}, "Let me see which note that is."}}, ""
		}
		if len(done) > 1 {
			return nil, fmt.Sprintf("Forgotten: %d notes.", len(done)-1)
		}
		var calls []call
		for _, p := range notePath.FindAllString(done[0].text, -1) {
			has := true
			for _, w := range words {
				has = has && strings.Contains(p, w)
			}
			if has {
				calls = append(calls, call{"memory", map[string]any{"command": "delete", "path": p}, ""})
			}
		}
		return calls, "I have no note of that."
	}
}
