// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package parallel runs the specs of a suite in several processes at a time, each with
// all that its BeforeSuite starts: most specs wait most of the time. It does for go test
// what ginkgo -p does for those who have that command.
package parallel

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
)

// claimsVariable names, for a process that another one has started, the directory in
// which each spec that somebody runs has a file.
const claimsVariable = "NSM_TEST_CLAIMS"

// RunSpecs is ginkgo's, in a number of processes, of which this one is the first. Each
// takes the next spec that no other has taken; the specs of an Ordered container stay
// together. Where one asks for some of the specs only, this process runs them alone.
func RunSpecs(t *testing.T, description string, processes int) {
	t.Helper()
	if claims := os.Getenv(claimsVariable); claims != "" {
		go endWithParent()
		skipClaimed(claims)
		noteRun(claims)
		ginkgo.RunSpecs(t, description)
		return
	}
	if isSelective() || processes < 2 {
		ginkgo.RunSpecs(t, description)
		return
	}
	claims := t.TempDir()
	var others []*other
	for range processes - 1 {
		others = append(others, start(t, claims))
	}
	skipClaimed(claims)
	specs := noteRun(claims)
	ginkgo.RunSpecs(t, description)
	for _, one := range others {
		one.wait(t)
	}
	for name, text := range specs {
		if _, err := os.Stat(filepath.Join(claims, ranPrefix+name)); err != nil {
			t.Errorf("no process ran this spec: %s", text)
		}
	}
}

func isSelective() bool {
	config, _ := ginkgo.GinkgoConfiguration()
	return config.DryRun || config.LabelFilter != "" ||
		len(config.FocusStrings)+len(config.FocusFiles)+len(config.SkipStrings)+len(config.SkipFiles) > 0
}

// skipClaimed has this process run the specs that it is the first to claim. Another
// one runs what it skips: each of them comes by every spec.
func skipClaimed(claims string) {
	mine := map[string]bool{}
	ginkgo.BeforeEach(func() {
		spec := ginkgo.CurrentSpecReport()
		texts := textsOf(spec)
		if spec.IsInOrderedContainer {
			texts = texts[:1]
		}
		name := nameOf(texts)
		if mine[name] {
			return
		}
		file, err := os.OpenFile(filepath.Join(claims, name), os.O_CREATE|os.O_EXCL, 0o600)
		switch {
		case errors.Is(err, fs.ErrExist):
			ginkgo.Skip("another process runs it")
		case err != nil:
			ginkgo.Fail(err.Error())
		}
		mine[name] = true
		_ = file.Close()
	})
}

// ranPrefix begins the name of the file that says that a spec has run.
const ranPrefix = "ran-"

// noteRun has this process note each spec that it has run, and fail if another one has as
// well. The result, complete when the suite has ended, has all specs that there are.
func noteRun(claims string) (specs map[string]string) {
	specs = map[string]string{}
	ginkgo.ReportAfterSuite("notes which specs have run", func(report ginkgo.Report) {
		for _, spec := range report.SpecReports {
			if spec.LeafNodeType != types.NodeTypeIt {
				continue
			}
			name := nameOf(textsOf(spec))
			specs[name] = spec.FullText()
			if spec.State.Is(types.SpecStateSkipped | types.SpecStatePending) {
				continue
			}
			file, err := os.OpenFile(filepath.Join(claims, ranPrefix+name), os.O_CREATE|os.O_EXCL, 0o600)
			if err != nil {
				ginkgo.Fail("another process has run this spec as well, or another spec has its name: " + spec.FullText() + ": " + err.Error())
			}
			_ = file.Close()
		}
	})
	return specs
}

// textsOf a spec tell it from all others.
func textsOf(spec ginkgo.SpecReport) []string {
	return append(slices.Clone(spec.ContainerHierarchyTexts), spec.LeafNodeText, spec.LeafNodeLocation.String())
}

// nameOf a file for what has these texts.
func nameOf(texts []string) string {
	hash := sha256.Sum256([]byte(strings.Join(texts, "\n")))
	return hex.EncodeToString(hash[:])
}

// other is one of the other processes.
type other struct {
	command *exec.Cmd
	output  bytes.Buffer
	// log of the files and the environment that it has looked at.
	log string
	// stdin is open as long as this process lives.
	stdin io.Closer
}

// start runs this test in another process.
func start(t *testing.T, claims string) *other {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// What is written to a file is this process's own.
	arguments := slices.DeleteFunc(slices.Clone(os.Args[1:]), func(argument string) bool {
		name, _, _ := strings.Cut(strings.TrimLeft(argument, "-"), "=")
		return name == "test.testlogfile" || name == "test.run" || strings.HasSuffix(name, "profile") || strings.HasSuffix(name, "-report")
	})
	one := &other{log: filepath.Join(t.TempDir(), "log")}
	one.command = exec.CommandContext(t.Context(), self, append(arguments, "-test.run=^"+t.Name()+"$", "-test.testlogfile="+one.log)...)
	one.command.Env = append(os.Environ(), claimsVariable+"="+claims)
	one.command.Stdout, one.command.Stderr = &one.output, &one.output
	if one.stdin, err = one.command.StdinPipe(); err == nil {
		err = one.command.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	return one
}

// wait for the end of the process, and fail if it has.
func (o *other) wait(t *testing.T) {
	t.Helper()
	if err := o.command.Wait(); err != nil {
		t.Errorf("another process that ran specs of this suite: %v\n%s", err, o.output.String())
		return
	}
	if err := lookAgain(o.log); err != nil {
		t.Errorf("what another process of this suite has looked at: %v", err)
	}
	for line := range strings.Lines(o.output.String()) {
		if testing.Verbose() || strings.Contains(line, "Specs in") {
			t.Logf("another process: %s", line)
		}
	}
}

// lookAgain at all that another process has looked at: go test keeps a result as long as
// nothing changes that this one has.
func lookAgain(log string) error {
	text, err := os.ReadFile(log)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		action, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch action {
		case "getenv":
			_ = os.Getenv(name)
		case "stat":
			_, _ = os.Stat(name)
		case "open":
			if file, err := os.Open(name); err == nil {
				_ = file.Close()
			}
		}
	}
	return nil
}

// endWithParent ends this process, as Ctrl-C does, when the one that has started it is
// no more.
func endWithParent() {
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = syscall.Kill(os.Getpid(), syscall.SIGTERM)
}
