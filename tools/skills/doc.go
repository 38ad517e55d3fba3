// Package skills provides an agent with Agent Skills: folders of instructions in the
// open SKILL.md format (agentskills.io), from any fs.FS.
//
//	set, err := skills.Open("skills", skills.Options{})
//	// set.Tool() goes into the agent's tools, set.Catalog() into the
//	// conversation's first message.
//
// [Set.Catalog] tells the model the name and description of each skill. With the tool
// of [Set.Tool] the model loads the instructions of a skill when it needs them, and
// reads the skill's other files. The tool's definition is the same for all sets, so a
// changed folder causes no cache miss: the list of skills is in the conversation, where
// it never changes. Package agent/withskills puts it there, and provides a gate that
// applies allowed-tools.
//
// [Open] and [Load] accept the same skills as the format's own validator, skills-ref,
// except for bounds on sizes. They read all files once. Later changes of the folder
// don't affect a [Set].
//
// # Threat model
//
// The author of a skill may be hostile. The text of a skill is instructions to the
// model, so load only skills that you would run as code. The tool reads only the files
// of the set, which are in memory. Links, pipes and devices are left out
// ([Skill].LeftOut), and with Open no path leads out of the folder. Sizes are bounded,
// and YAML with anchors, aliases or tags is refused. The package runs nothing: a
// skill's scripts run only if the model calls a shell that the agent has, through the
// agent's gate. allowed-tools approves nothing unless the program uses the gate of
// agent/withskills, and then nothing that the program's own gate denies.
package skills
