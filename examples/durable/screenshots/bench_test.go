package main

import (
	"testing"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/blob"
)

func BenchmarkLoad(b *testing.B)   { bench(b, true) }
func BenchmarkAppend(b *testing.B) { bench(b, false) }

func bench(b *testing.B, load bool) {
	for _, kind := range []string{"records", "blobs"} {
		b.Run(kind, func(b *testing.B) {
			p := &place{}
			c := config{Store: "sqlite", Shots: 10, KB: 64}
			closing, err := p.open(b.Context(), c, 0)
			if err != nil {
				b.Fatal(err)
			}
			defer closing()
			if kind == "blobs" {
				p.store, err = blob.New(p.store, nil)
			}
			if err != nil {
				b.Fatal(err)
			}
			if load {
				if err := p.write(b.Context(), c, 0); err != nil {
					b.Fatal(err)
				}
				for b.Loop() {
					for _, err := range p.store.Load(b.Context(), "s0", memory.Position{}) {
						if err != nil {
							b.Fatal(err)
						}
					}
				}
				return
			}
			for i := 0; b.Loop(); i++ {
				b.StopTimer()
				records, err := step(c, i, i)
				if err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				if err := p.store.Append(b.Context(), "s", memory.Position{Records: 3 * i}, records...); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
