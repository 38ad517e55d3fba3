package main

import "testing"

// A small measurement: the bytes are the same, and fewer in the database.
func TestMeasure(t *testing.T) {
	found, err := measure(t.Context(), config{Store: "sqlite", Sessions: 3, Shots: 4, Forks: 2, Common: 2, KB: 32})
	if err != nil {
		t.Fatal(err)
	}
	if a, b := found["records"].Bytes, found["blobs"].Bytes; a < 900_000 || b > a*7/10 {
		t.Errorf("%d bytes in records, %d as blobs", a, b)
	}
}
