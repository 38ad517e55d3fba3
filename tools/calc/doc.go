// Package calc is a calculator for a model: arithmetic with exact decimals,
// comparisons, lists and dates. It reads the expressions of expr-lang/expr and
// evaluates them itself, with fractions in place of floating point, so that 0.1 + 0.2
// is 0.3 and 2 ** 200 has all its digits. An operator that expr-lang/expr doesn't have
// but other languages do, such as // in 7 // 2, has the value that those languages give
// it, or is an error.
//
// # Threat model
//
// The expression comes from the model, and so from whatever the model has read. It has
// no access to variables of the program, to functions other than the listed ones, to
// files or to the network, and to the clock only if [Options.Now] is set. The length of
// the expression, the number of steps and the size of every intermediate number are
// bounded, so that neither deep nesting nor a tower of powers takes noticeable time or
// memory. The error names the bound that was exceeded.
package calc
