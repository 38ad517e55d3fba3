package terms

import (
	"strings"
	"unicode"
)

// Stop reports whether a word in lower case says nothing about what a text is
// about: articles, pronouns, auxiliary verbs, question words.
func Stop(word string) bool { return stopWords[word] }

// Weak reports whether a word says little about it: the verbs and nouns that
// questions are made of, and pairs of hiragana, which are endings and particles mostly.
// Such a word counts where others match, never alone.
func Weak(word string) bool {
	return weakWords[word] || word != "" && !strings.ContainsFunc(word, func(r rune) bool { return !unicode.Is(unicode.Hiragana, r) })
}

func set(words string) map[string]bool {
	m := make(map[string]bool)
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

var stopWords = set(`a about after again all also am an and any are aren as at be because been before being below
between both but by can cannot could couldn d did didn do does doesn doing don done down during each either else ever
every few for from further get gets getting give given gives go goes had hadn has hasn have haven having he her here
hers him his how i if in into is isn it its itself just let like ll m may me might mine more most much must my myself
neither no nor not now of off on once one only or other our ours out over own please re s same shall she should
shouldn since so some such t tell than that the their theirs them then there these they this those though through to
too under until up upon us ve very via was wasn we were weren what whatever when where wherever which while who whom
whose why will with within without won whether would wouldn yes yet you your yours explain describe show find want know
thing things`)

var weakWords = set(`actually affect allow allows always anything apply approach available avoid based become becomes
behave behavior behaviour best better bring call called cause causes certain change changes check checks choose
chooses code come comes contain contains control controls correct correctly decide decides decided deal deals
determine determines difference different differ define defined defines detail details effect ensure ensures exactly
example exist exists expect expected fact first follow following function functions good guarantee guaranteed handle
handled handles handling happen happens help implement implementation implementations implemented implements important instead internally kept keep
keeps kind know known long look looks made main make makes making many matter mean means mechanism method methods need
needed needs never new normally often part parts perform possible prevent prevents program property provide
provides purpose really reason reasons related relevant rely return returns role rule rules run runs say says
set sets something sometimes sort special specific specify specified still stop support supported supports sure
take takes tell thing time trigger triggered triggers turn two type types under understand use used useful user uses using usual
usually value values various way ways word work working works write written`)
