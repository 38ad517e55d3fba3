package memory

// A Redactor is a [Store] that changes records before they are appended to its
// logs, such as one of package protect. [Log.Append] and [Enqueue] ask it first, so
// that the log, the model and the store see the same.
type Redactor interface {
	Redact(r *Record) error
}
