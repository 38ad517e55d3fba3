package harness

import "time"

// A Soak is the report of the soak test in ../whorl.
type Soak struct {
	Date          time.Time  `json:"date"`
	Minutes       float64    `json:"minutes"`
	AtOnce        int        `json:"at_once"`
	FaultRate     float64    `json:"fault_rate"`
	Conversations int64      `json:"conversations"`
	Steps         int64      `json:"steps"`
	Failed        int64      `json:"failed"`  // turns that ended with an error: faults that outlasted the retries
	Before        Held       `json:"before"`  // before anything was begun
	Periods       []HeldOver `json:"periods"` // while it ran
	After         Held       `json:"after"`   // when all was over
}

// Held is what a process holds after a collection.
type Held struct {
	Heap       int64 `json:"heap_bytes"`
	Goroutines int   `json:"goroutines"`
	Files      int   `json:"files"`
	RSS        int64 `json:"rss_bytes"`
}

// HeldOver is the median of what was held in a period that ended at Minute.
type HeldOver struct {
	Minute float64 `json:"minute"`
	Held
}
