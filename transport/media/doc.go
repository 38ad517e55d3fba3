// Package media checks what the service takes of PDFs and pictures before they are
// put into a conversation: a document that is refused once is refused in every
// later request of the same log.
//
// Nothing here trusts what it reads. The work on a file is bounded by the file's
// size, and damaged ones get an error that says what is wrong.
package media
