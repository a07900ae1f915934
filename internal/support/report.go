// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package support

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// report is what is told about the gathering itself.
type report struct {
	mu       sync.Mutex
	progress io.Writer
	begin    time.Time
	// log is every line of progress.
	log strings.Builder
	// errors are what is missing, a line each.
	errors []string
	// lacks: one of them is more than a note.
	lacks   bool
	entries []entry
	at      string
}

// entry is a request of the manifest.
type entry struct {
	Request string  `json:"request"`
	File    string  `json:"file,omitempty"`
	Bytes   int64   `json:"bytes"`
	Masked  int     `json:"masked"`
	Seconds float64 `json:"seconds"`
	Cut     bool    `json:"cut,omitempty"`
	Problem string  `json:"problem,omitempty"`
}

func newReport(progress io.Writer) *report {
	if progress == nil {
		progress = io.Discard
	}
	return &report{progress: progress, begin: time.Now()}
}

// stage tells what is gathered from now on.
func (r *report) stage(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at = what
	r.say()
}

// say tells where it stands.
func (r *report) say() {
	var bytes int64
	for i := range r.entries {
		bytes += r.entries[i].Bytes
	}
	line := fmt.Sprintf("%3.0f s: gathering %s; %d requests, %.1f MiB, %d problems so far\n",
		time.Since(r.begin).Seconds(), r.at, len(r.entries), float64(bytes)/(1<<20), len(r.errors))
	r.log.WriteString(line)
	_, _ = io.WriteString(r.progress, line)
}

// breakSilence says something now and then, until it is stopped.
func (r *report) breakSilence(after time.Duration) (stop func()) {
	ticker, done := time.NewTicker(after), make(chan struct{})
	var waiting sync.WaitGroup
	waiting.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				r.mu.Lock()
				r.say()
				r.mu.Unlock()
			}
		}
	})
	return func() {
		ticker.Stop()
		close(done)
		waiting.Wait()
	}
}

// missing notes what could not be had.
func (r *report) missing(what string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lacks = true
	r.errors = append(r.errors, what+": "+err.Error())
}

// note is for what was not to be had anyway.
func (r *report) note(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errors = append(r.errors, what)
}

func (r *report) done(request entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entries = append(r.entries, request)
}

func (r *report) isComplete() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.lacks
}
