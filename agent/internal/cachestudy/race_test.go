//go:build race

package cachestudy

const raceEnabled = true
