module github.com/whorl-go/whorl/examples/benchmark

go 1.26.0
