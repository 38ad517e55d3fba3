module github.com/whorl-go/whorl

go 1.26.0
