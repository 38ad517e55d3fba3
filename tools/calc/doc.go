// Package calc is a calculator for a model: arithmetic with exact decimals,
// comparisons, lists and dates. It reads the expressions of expr-lang/expr and
// evaluates them itself, with fractions in place of floating point, so that 0.1 +
// 0.2 is 0.3 and 2 ** 200 has all its digits. An expression that other languages
// spell differently has their value, such as 7 // 2, or is an error.
//
// # Threat model
//
// The expression comes from the model, and so from whatever the model has read. It
// reaches nothing but numbers: no variables of the program, no functions beyond the
// listed ones, no files, no network, and the clock only where [Options.Now] is
// given. An evaluation is bounded in the length of the expression, in steps and in
// the size of every number on the way, so that neither a deep nest nor a tower of
// powers takes noticeable time or memory. Exceeding a bound is an error that names
// it.
package calc
