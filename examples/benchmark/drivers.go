package main

import (
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A driver is a program to compare.
type driver struct {
	name, title string
	dir         string // that it is built from
	module      string // of a peer, whose version counts: a Go module, or an npm package
}

// drivers are in the order of the tables.
var drivers = []driver{
	{"socket", "raw socket", "socket", ""},
	{"floor", "floor", "floor", ""},
	{"whorl", "whorl", "whorl", ""},
	{before, before, "", ""},
	{"anthropic-sdk-go", "anthropic-sdk-go", "peers/anthropicsdk2", "github.com/anthropics/anthropic-sdk-go/v2"},
	{"fantasy", "fantasy", "peers/fantasy", "charm.land/fantasy"},
	{"langchaingo", "langchaingo", "peers/langchaingo", "github.com/tmc/langchaingo"},
	{"genkit", "genkit", "peers/genkit", "github.com/firebase/genkit/go"},
	{"anthropic-sdk-js", "anthropic-sdk-js", "peers/anthropicjs", "@anthropic-ai/sdk"},
}

// before is the driver whorl as it was at the commit of -before.
const before = "whorl-before"

// peers are the drivers that Whorl is compared with.
func peers() (names []string) {
	for _, d := range drivers {
		if d.module != "" {
			names = append(names, d.name)
		}
	}
	return names
}

// A program is a driver that was built, or not.
type program struct {
	name    string
	version string // of the library
	failed  string // why it couldn't be built
}

// buildAll builds the server and the drivers. The rest can be compared without a
// peer that can't be built.
func buildAll(ctx context.Context, bin string, o options) (built []program, err error) {
	if err := build(ctx, filepath.Join(bin, "server"), "server"); err != nil {
		return nil, err
	}
	for _, d := range drivers {
		if o.drivers != nil && !slices.Contains(o.drivers, d.name) || d.name == before && o.before == "" {
			continue
		}
		p, program := program{name: d.name}, filepath.Join(bin, d.name)
		switch {
		case d.name == before:
			p.version, err = buildBefore(ctx, program, o.before)
		case strings.HasPrefix(d.module, "@"):
			p.version, err = buildNode(ctx, program, d)
		default:
			err = build(ctx, program, d.dir)
			p.version = version(program, d.module)
		}
		if err != nil && (ctx.Err() != nil || d.name == "floor" || d.name == "whorl") {
			return nil, err
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			p.failed = "could not be built"
		}
		built = append(built, p)
	}
	return built, nil
}

// build compiles the program in dir, which may be a module of its own.
func build(ctx context.Context, program, dir string) error {
	fmt.Fprintln(os.Stderr, "building", filepath.Base(program))
	return command(ctx, "", "go", "build", "-C", dir, "-o", program, ".")
}

// command runs a command in a folder, for ten minutes at most. Its error has what
// the command printed.
func command(ctx context.Context, dir, name string, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// buildBefore builds the driver whorl of another commit, with the modules of that
// commit, and returns which commit that is.
func buildBefore(ctx context.Context, program, commit string) (string, error) {
	out, err := exec.CommandContext(ctx, "git", "rev-parse", "--short", "--verify", commit+"^{commit}").Output()
	if err != nil {
		return "", fmt.Errorf("-before %s: no such commit: %w", commit, err)
	}
	root, err := exec.CommandContext(ctx, "git", "rev-parse", "--show-toplevel").Output()
	if err != nil {
		return "", err
	}
	tree, err := os.MkdirTemp("", "benchmark-before")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tree)
	short, archive := strings.TrimSpace(string(out)), filepath.Join(tree, "tree.tar")
	if err := command(ctx, strings.TrimSpace(string(root)), "git", "archive", "-o", archive, short); err != nil {
		return short, err
	}
	if err := command(ctx, tree, "tar", "-xf", archive); err != nil {
		return short, err
	}
	return short, build(ctx, program, filepath.Join(tree, "examples/benchmark/whorl"))
}

// buildNode installs what a driver in JavaScript needs, in the user's cache, and
// writes a program that starts it there. It returns the version of its package.
func buildNode(ctx context.Context, program string, d driver) (string, error) {
	fmt.Fprintln(os.Stderr, "building", d.name)
	version := lockedVersion(d.dir, d.module)
	cache, err := os.UserCacheDir()
	if err != nil {
		return version, err
	}
	dir := filepath.Join(cache, "whorl-benchmark", filepath.Base(d.dir)+"-"+version)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return version, err
	}
	for _, name := range []string{"main.mjs", "package.json", "package-lock.json"} {
		raw, err := os.ReadFile(filepath.Join(d.dir, name))
		if err := errors.Join(err, os.WriteFile(filepath.Join(dir, name), raw, 0o644)); err != nil {
			return version, err
		}
	}
	// npm writes this file when all is installed.
	if _, err := os.Stat(filepath.Join(dir, "node_modules", ".package-lock.json")); err != nil {
		if err := command(ctx, dir, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"); err != nil {
			return version, err
		}
	}
	script := fmt.Sprintf("#!/bin/sh\nexec node '%s' \"$@\"\n", filepath.Join(dir, "main.mjs"))
	return version, os.WriteFile(program, []byte(script), 0o755)
}

// lockedVersion is the version of a package in the lock file.
func lockedVersion(dir, name string) string {
	raw, err := os.ReadFile(filepath.Join(dir, "package-lock.json"))
	if err != nil {
		return ""
	}
	var lock struct {
		Packages map[string]struct{ Version string }
	}
	if json.Unmarshal(raw, &lock) != nil {
		return ""
	}
	return lock.Packages["node_modules/"+name].Version
}

// version is the version of a module that a program was built with.
func version(program, module string) string {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return ""
	}
	for _, d := range info.Deps {
		if d.Path == module {
			return d.Version
		}
	}
	return ""
}
