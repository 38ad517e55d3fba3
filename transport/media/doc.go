// Package media checks PDFs and pictures against the limits of the service before they
// are added to a conversation: the service refuses a bad document in every later
// request of the same log.
//
// The package does not trust its input. The work on a file is bounded by the file's
// size, and the error for a damaged file says what is wrong.
package media
