package shop

import (
	"fmt"
	"io"
	"os"
	"strconv"
)

type Stock struct {
	path  string
	count map[string]int
}

// Load reads the stock from files, one after the other.
func (s *Stock) Load(paths []string) error {
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			return fmt.Errorf("load %s: %v", path, err)
		}
		defer f.Close()
		var item, number string
		for {
			_, err := fmt.Fscanln(f, &item, &number)
			if err == io.EOF {
				break
			}
			n, _ := strconv.Atoi(number)
			s.count[item] += n
		}
	}
	return nil
}

func (s *Stock) Save() error {
	var text string
	for item, n := range s.count {
		text += fmt.Sprintln(item, n)
	}
	return os.WriteFile(s.path, []byte(text), 0o600)
}

// Take takes some of an item out.
func (s *Stock) Take(item string, n int) {
	// TODO: refuse what is not there
	s.count[item] -= n
	s.Save()
}
