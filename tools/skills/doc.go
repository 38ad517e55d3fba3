// Package skills gives an agent Agent Skills: folders of instructions in the
// open SKILL.md format (agentskills.io), out of any fs.FS.
//
//	set, err := skills.Open("skills", skills.Options{})
//	// set.Tool() goes into the agent's tools, set.Catalog() into the
//	// conversation's first message.
//
// The model is told each skill's name and description, by [Set.Catalog]. It loads
// the instructions of one when it needs them, by [Set.Tool], and reads the files
// beside them by the same tool. The tool's definition is the same for all sets, so
// that a folder which changed is no cache miss; the list stands in the
// conversation, where it stays as it was. Package agent/withskills puts it there,
// and makes a gate that honours allowed-tools.
//
// [Open] and [Load] take and refuse what the format's own validator, skills-ref,
// takes and refuses, but for bounds on sizes. They read all files once. Later
// changes of the folder don't affect a Set.
//
// # Threat model
//
// Whoever wrote a skill may want something else than you. Its text is instructions
// to the model, so load only skills that you would run as code. What the package
// holds: the tool reads nothing but the files of the set, which are in memory;
// links, pipes and devices are left out ([Skill].LeftOut), and with Open no path
// leads out of the folder; sizes are bounded, and YAML with anchors, aliases or
// tags is refused. The package runs nothing: a skill's scripts run if the model
// calls a shell that the agent has, through its gate. allowed-tools approves nothing
// unless the program takes the gate of agent/withskills, and then nothing that the
// program's own gate denies.
package skills
