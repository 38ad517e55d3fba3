// Package shell lets a model run commands: the client's side of Anthropic's
// bash tool, bash_20250124 (wire §4.2).
//
// Each command is a process of its own. The session carries the working directory,
// exported variables and functions from one command to the next; other variables,
// options such as set -e, and aliases are not. Processes that a command leaves in
// the background end with it, and the model is told which.
//
// # Threat model
//
// A shell runs arbitrary code, chosen by a model that the text it has read may have
// misled. No list of commands is safe; only a sandbox or a human is. By default every
// command runs in bubblewrap. It has no network, doesn't see the machine's processes,
// and can't gain privileges. Of the file system it sees only the system's programs
// (read-only), the working folder, and an empty /tmp. If bubblewrap is missing, [New]
// fails; the alternatives, [AskFirst] and [Unconfined], must be chosen explicitly.
//
// With any confinement, a command gets an environment of four variables and those of
// [Options.Env], and none of the program's open files. Its time, its output and the
// size of its files are bounded. At the time limit its whole process group is killed.
// If memory runs out, the system kills the command before the program.
//
// Without the sandbox a command has the program's rights: it can read and write what
// the program can, including keys in files. A process that leaves its group, by setsid,
// outlives the command. On Linux the command can't access the program's own
// environment, memory and descriptors, which every process of the same user could
// access otherwise. This protection needs Landlock, version 2 (Linux 5.19) or newer,
// and commands that gain no privileges: sudo doesn't work unless
// [Options.GainPrivileges] is set. It has no effect for a program that runs as root
// with all capabilities.
//
// The sandbox does not prevent a command from filling the disk below the working
// folder, from deleting the files there, or from using the processor until its time
// limit. Memory is bounded for each process ([Options.MaxMemoryBytes], without shared
// memory), not for all processes together; use a container or a cgroup for that. The
// number of processes is limited for ordinary users only, as the system doesn't count
// those of root: don't run an agent as root on a shared machine.
//
// Commands control the working folder. Whoever works in it later may run, outside the
// sandbox, what a command wrote there: .git/hooks and .git/config, .envrc, a Makefile,
// package.json, an editor's settings. List such files in [Options.ReadOnly], which
// protects them from changes, or give the agent a copy of the folder and review its
// changes.
//
// [Options.Network] shares the machine's whole network: loopback addresses, neighbours,
// a cloud's metadata service, and the abstract sockets of the machine's programs, such
// as those of a desktop. Landlock version 6 (Linux 6.12) protects the abstract sockets.
// To restrict the network further, run the program in a separate network namespace or
// container.
package shell
