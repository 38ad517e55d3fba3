module github.com/whorl-go/whorl/ci-mutate

go 1.26.0
