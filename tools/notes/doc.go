// Package notes gives a model a folder of notes that outlives the conversation:
// the client's side of Anthropic's memory tool, memory_20250818, with its six
// commands and the answers that the models were trained on (wire §10.5).
//
// # Threat model
//
// What the model writes may come from a page that it read, and is read again in
// later conversations. Notes are therefore data for their readers, never
// instructions, and one folder should serve one user: give each their own
// [os.Root]. The model reaches nothing outside of it: the root is kept by [os.Root]
// whatever the path or the links in the folder, and paths that climb, also in
// disguise, are refused before. Pipes and devices are not opened. The number of
// files, their size and the size of them all are bounded. A file is replaced in one
// step, so that neither a crash nor a reader at the same time sees half of it;
// calls through one [Notes] don't overlap.
package notes
