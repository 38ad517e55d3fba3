package terms

import "strings"

// Stem brings an English word in lower case to the stem that its inflected and
// derived forms share, by Porter's rules (M. F. Porter, "An algorithm for suffix
// stripping", 1980), with "-or" taken off like "-er". A stem is for comparing,
// not for showing. Words of other scripts come back as they are.
func Stem(word string) string {
	if len(word) <= 2 {
		return word
	}
	for i := 0; i < len(word); i++ {
		if !lower(word[i]) {
			return word
		}
	}
	w := plural(word)
	w = pastAndGerund(w)
	if strings.HasSuffix(w, "y") && hasVowel(w[:len(w)-1]) {
		w = w[:len(w)-1] + "i"
	}
	w = replaceSuffix(w, doubleSuffixes, 0)
	w = replaceSuffix(w, mediumSuffixes, 0)
	w = dropSuffix(w)
	return tidy(w)
}

func plural(w string) string {
	switch {
	case strings.HasSuffix(w, "sses"), strings.HasSuffix(w, "ies"):
		return w[:len(w)-2]
	case strings.HasSuffix(w, "ss"):
		return w
	case strings.HasSuffix(w, "s"):
		return w[:len(w)-1]
	}
	return w
}

func pastAndGerund(w string) string {
	if strings.HasSuffix(w, "eed") {
		if measure(w[:len(w)-3]) > 0 {
			return w[:len(w)-1]
		}
		return w
	}
	base, ok := strings.CutSuffix(w, "ed")
	if !ok {
		base, ok = strings.CutSuffix(w, "ing")
	}
	if !ok || !hasVowel(base) {
		return w
	}
	n := len(base)
	switch {
	case strings.HasSuffix(base, "at"), strings.HasSuffix(base, "bl"), strings.HasSuffix(base, "iz"):
		return base + "e"
	case n > 1 && base[n-1] == base[n-2] && consonant(base, n-1) && !strings.ContainsRune("lsz", rune(base[n-1])):
		return base[:n-1]
	case measure(base) == 1 && endsCVC(base):
		return base + "e"
	}
	return base
}

type suffixRule struct{ from, to string }

var doubleSuffixes = []suffixRule{
	{"ational", "ate"}, {"tional", "tion"}, {"enci", "ence"}, {"anci", "ance"}, {"izer", "ize"}, {"abli", "able"},
	{"alli", "al"}, {"entli", "ent"}, {"eli", "e"}, {"ousli", "ous"}, {"ization", "ize"}, {"ation", "ate"},
	{"ator", "ate"}, {"alism", "al"}, {"iveness", "ive"}, {"fulness", "ful"}, {"ousness", "ous"}, {"aliti", "al"},
	{"iviti", "ive"}, {"biliti", "ble"},
}

var mediumSuffixes = []suffixRule{
	{"icate", "ic"}, {"ative", ""}, {"alize", "al"}, {"iciti", "ic"}, {"ical", "ic"}, {"ful", ""}, {"ness", ""},
}

func replaceSuffix(w string, rules []suffixRule, least int) string {
	for _, r := range rules {
		if base, ok := strings.CutSuffix(w, r.from); ok {
			if measure(base) > least {
				return base + r.to
			}
			return w
		}
	}
	return w
}

// lastSuffixes are tried in this order: a longer one before one that it ends in.
var lastSuffixes = []string{
	"ement", "ance", "ence", "able", "ible", "ment", "ant", "ent", "ism", "ate", "iti", "ous", "ive", "ize",
	"ion", "al", "er", "or", "ic", "ou",
}

func dropSuffix(w string) string {
	for _, s := range lastSuffixes {
		base, ok := strings.CutSuffix(w, s)
		if !ok {
			continue
		}
		afterST := strings.HasSuffix(base, "s") || strings.HasSuffix(base, "t")
		if measure(base) > 1 && (s != "ion" && s != "or" || afterST) {
			return base
		}
		return w
	}
	return w
}

// tidy takes off a silent e and a doubled l.
func tidy(w string) string {
	if base, ok := strings.CutSuffix(w, "e"); ok {
		if m := measure(base); m > 1 || m == 1 && !endsCVC(base) {
			w = base
		}
	}
	if strings.HasSuffix(w, "ll") && measure(w) > 1 {
		w = w[:len(w)-1]
	}
	return w
}

func consonant(w string, i int) bool {
	switch w[i] {
	case 'a', 'e', 'i', 'o', 'u':
		return false
	case 'y':
		return i == 0 || !consonant(w, i-1)
	}
	return true
}

func hasVowel(w string) bool {
	for i := range len(w) {
		if !consonant(w, i) {
			return true
		}
	}
	return false
}

// measure counts the changes from vowels to consonants in w.
func measure(w string) int {
	m := 0
	for i := 1; i < len(w); i++ {
		if consonant(w, i) && !consonant(w, i-1) {
			m++
		}
	}
	return m
}

// endsCVC is true for a w that ends in consonant, vowel, consonant, where the
// last is none of w, x and y: "hop", not "snow".
func endsCVC(w string) bool {
	n := len(w)
	return n >= 3 && consonant(w, n-3) && !consonant(w, n-2) && consonant(w, n-1) &&
		w[n-1] != 'w' && w[n-1] != 'x' && w[n-1] != 'y'
}
