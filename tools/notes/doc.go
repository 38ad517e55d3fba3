// Package notes gives a model a folder of notes that outlives the conversation:
// the client's side of Anthropic's memory tool, memory_20250818, with its six
// commands and the answers that the models were trained on (wire §10.5).
//
// # Threat model
//
// What the model writes may come from a page that it read, and later conversations read
// it again. [Notes] are therefore data, never instructions, and one folder should serve
// one user: give each user an [os.Root]. The model reaches nothing outside the folder:
// os.Root confines paths and links, and paths that climb, even in disguise, are refused
// first. Pipes and devices are not opened. The number of files, their size and their
// total size are bounded. A file is replaced in one step, so neither a crash nor a
// concurrent reader sees half of it. Calls through one Notes don't overlap.
package notes
