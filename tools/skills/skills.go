package skills

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
)

// Options limit what is read, and specify where commands find the skills. Zero fields
// mean the defaults.
type Options struct {
	// Dir is the folder in which the commands of the agent's shell find the skills,
	// such as "/skills". The tool then tells the model the path of each skill that it
	// loads. If Dir is empty, the model can read the files only with the tool.
	// [Set.CopyTo] copies the files to a folder.
	Dir string

	// Only names the folders to read; others are ignored. Nil means all.
	Only []string

	MaxSkills       int   // in the set; 0 means 200
	MaxFiles        int   // of all skills, folders included; 0 means 5,000
	MaxBytes        int64 // of all files, which stay in memory; 0 means 64 MiB
	MaxInstructions int   // bytes of one SKILL.md; 0 means 256 KiB
	MaxResult       int   // bytes of a file that one call returns; 0 means 32 KiB
}

func (o Options) withDefaults() Options {
	if o.MaxSkills <= 0 {
		o.MaxSkills = 200
	}
	if o.MaxFiles <= 0 {
		o.MaxFiles = 5000
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = 64 << 20
	}
	if o.MaxInstructions <= 0 {
		o.MaxInstructions = 256 << 10
	}
	if o.MaxResult <= 0 {
		o.MaxResult = 32 << 10
	}
	return o
}

// A Skill is one folder of instructions.
type Skill struct {
	// Name is the name, normalized (NFKC): 1 to 64 lower-case letters, digits and
	// hyphens.
	Name string
	// Description is what the skill is for; 1 to 1,024 characters.
	Description string
	// License, Compatibility and Metadata are empty if they are not given. Metadata
	// has only the values that are text.
	License       string
	Compatibility string
	Metadata      map[string]string
	// Instructions is the SKILL.md without its front matter.
	Instructions string
	// Version is a SHA-256 hash of all files of the skill, in hexadecimal digits.
	Version string
	// LeftOut are the paths in the folder that are not regular files, such as links.
	// Files and folders whose names begin with a dot are left out too, but not listed.
	LeftOut []string

	allowed  []allowed
	manifest string // SKILL.md or skill.md
	files    map[string]file
}

// A Set is a set of skills, as they were when they were read. It is immutable and safe
// for concurrent use.
type Set struct {
	options Options
	skills  map[string]*Skill
	names   []string // sorted
}

// Open reads the skills in the folder dir, each in a subfolder, and follows no link out
// of dir. See [Load].
func Open(dir string, o Options) (*Set, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("skills: %w", err)
	}
	defer root.Close()
	return load(o, []source{{root.FS(), filepath.ToSlash(dir)}})
}

// Load reads the skills in one or more file systems, for instance a part of an
// [embed.FS] made by [fs.Sub]. A skill is a top-level folder with a file SKILL.md or
// skill.md; other folders are ignored. Two skills of the same name are an error.
//
// If any skill has a problem, Load returns no set. The error contains an [*Error] for
// each problem.
func Load(o Options, folders ...fs.FS) (*Set, error) {
	sources := make([]source, len(folders))
	for i, f := range folders {
		if f == nil {
			return nil, fmt.Errorf("skills: folder %d is nil; leave it out", i)
		}
		sources[i].fsys = f
	}
	return load(o, sources)
}

// Validate validates the skill in the folder dir of fsys as the command skills-ref
// validate does, within the bounds of the zero [Options]. The error contains an
// [*Error] for each problem.
func Validate(fsys fs.FS, dir string) error {
	info, err := fs.Stat(fsys, dir)
	if err != nil {
		return &Error{File: dir, Problem: "it can't be read: " + err.Error()}
	}
	if !info.IsDir() {
		return &Error{File: dir, Problem: "it is not a folder; a skill is a folder with a SKILL.md"}
	}
	r := reader{Options: Options{}.withDefaults()}
	_, err = r.skill(fsys, dir, dir)
	return err
}

// A source is a folder of skills, and what errors call it.
type source struct {
	fsys  fs.FS
	shown string
}

func load(o Options, sources []source) (*Set, error) {
	s := &Set{options: o.withDefaults(), skills: map[string]*Skill{}}
	r := reader{Options: s.options}
	at, found := map[string]string{}, map[string]bool{}
	var problems []error
	for _, src := range sources {
		entries, err := fs.ReadDir(src.fsys, ".")
		if err != nil {
			return nil, fmt.Errorf("skills: %w", err)
		}
		for _, e := range entries {
			shown := path.Join(src.shown, e.Name())
			if o.Only != nil && !slices.Contains(o.Only, e.Name()) || !isSkill(src.fsys, e.Name()) {
				continue
			}
			found[e.Name()] = true
			if !e.IsDir() {
				problems = append(problems, &Error{File: shown, Problem: "it is a link, and links are not followed; put the folder itself there, or open the folder that has it"})
				continue
			}
			if len(s.skills) == s.options.MaxSkills {
				return nil, fmt.Errorf("skills: there are more than %d; raise Options.MaxSkills, or remove some", s.options.MaxSkills)
			}
			skill, err := r.skill(src.fsys, e.Name(), shown)
			switch {
			case err != nil:
				problems = append(problems, err)
			case s.skills[skill.Name] != nil:
				problems = append(problems, &Error{File: shown, Problem: fmt.Sprintf("the skill %q is in %s, too; remove one of them", skill.Name, at[skill.Name])})
			default:
				s.skills[skill.Name], at[skill.Name] = skill, shown
			}
		}
	}
	for _, name := range o.Only {
		if !found[name] {
			problems = append(problems, &Error{File: name, Problem: "there is no skill in a folder of that name; see Options.Only"})
		}
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("skills: %w", errors.Join(problems...))
	}
	if len(s.skills) == 0 {
		return nil, errors.New("skills: there is no skill; a skill is a folder with a file SKILL.md, directly below the one that is given")
	}
	s.names = slices.Sorted(maps.Keys(s.skills))
	return s, nil
}

// isSkill reports whether a folder, or a link, looks like a skill: there is
// something called SKILL.md in it, whatever that is.
func isSkill(fsys fs.FS, dir string) bool {
	for _, name := range []string{"SKILL.md", "skill.md"} {
		if _, err := fs.Lstat(fsys, dir+"/"+name); err == nil {
			return true
		}
	}
	return false
}

// Names returns the names of the skills, sorted.
func (s *Set) Names() []string { return slices.Clone(s.names) }

// Skill returns the skill of that name, or nil if there is none. The caller must not
// modify it.
func (s *Set) Skill(name string) *Skill { return s.skills[normal(name)] }
