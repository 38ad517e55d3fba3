// Package shell lets a model run commands: the client's side of Anthropic's
// bash tool, bash_20250124 (reference §4.2).
//
// Each command is a process of its own. What makes it a session is that the
// working directory, exported variables and functions are carried from one
// command to the next. Processes that a command leaves behind end with it.
//
// # Threat model
//
// A shell is arbitrary code, chosen by a model that may have been talked into
// it by what it read. There is no safe list of commands; there is a sandbox, or
// there is a human. By default every command runs in bubblewrap: no network, no
// view of the machine's processes, of the file system nothing but the system's
// programs (read-only), the working folder, and an empty /tmp; no privileges to
// gain. Where bubblewrap is not there, [New] refuses; the alternatives,
// [AskFirst] and [Unconfined], have to be chosen by name.
//
// Whatever the confinement, the environment is scrubbed: keys and tokens of the
// program's own environment don't reach a command unless [Options.Env] passes
// them. A command is bounded in time and output, its files in size, and at the
// end of its time its whole process group is killed. Without the sandbox a
// process that leaves its group, by setsid, outlives the command.
//
// What the sandbox does not do: it does not keep a command from filling the
// disk below the working folder, from deleting what is there, or from using the
// processor until its time is up. The number of its processes is limited for
// ordinary users only: the system doesn't count those of root, so don't run an
// agent as root on a machine that it shares.
package shell
