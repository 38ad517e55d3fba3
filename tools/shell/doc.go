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
// A shell is arbitrary code, chosen by a model that may have been talked into it by
// what it read. There is no safe list of commands; there is a sandbox, or there is
// a human. By default every command runs in bubblewrap: no network, no view of the
// machine's processes, of the file system nothing but the system's programs
// (read-only), the working folder, and an empty /tmp; no privileges to gain. If
// bubblewrap is missing, [New] fails; the alternatives, [AskFirst] and
// [Unconfined], have to be chosen by name.
//
// Whatever the confinement, a command gets an environment of four variables and
// those of [Options.Env], and no open files of the program. It is bounded in time
// and output, its files in size, and at the end of its time its whole process group
// is killed. If memory runs out, the system ends the command before the program.
//
// Without the sandbox a command has the program's rights: it reads and writes
// what the program may, keys in files included, and a process that leaves its
// group, by setsid, outlives it. One thing is kept from it on Linux: the
// program's own environment, memory and descriptors, which are open to every
// process of the same user otherwise. This takes Landlock, in version 2 (Linux
// 5.19) or newer, and commands that gain no privileges: sudo doesn't work unless
// [Options.GainPrivileges] is set. It doesn't hold for a program that runs as
// root with all capabilities.
//
// What the sandbox does not do: it does not keep a command from filling the
// disk below the working folder, from deleting what is there, or from using the
// processor until its time is up. Memory is bounded for each process
// ([Options.MaxMemoryBytes], without memory that processes share) and not for
// all of them together: a container or a cgroup does that. The number of its
// processes is limited for ordinary users only: the system doesn't count those
// of root, so don't run an agent as root on a machine that it shares.
//
// The working folder is the command's: what it writes there may be run later,
// outside of the sandbox, by whoever works in it. Think of .git/hooks and
// .git/config, .envrc, a Makefile, package.json, an editor's settings.
// [Options.ReadOnly] keeps what is named from being changed or moved; or give
// the agent a copy of the folder, and read what it changed.
//
// [Options.Network] shares the machine's network as a whole: loopback,
// neighbours, a cloud's metadata service. The abstract sockets of the machine's
// programs, such as a desktop's, belong to it too; Landlock of version 6 (Linux
// 6.12) keeps commands from them. To narrow the network, run the program in a
// network namespace or a container of its own.
package shell
