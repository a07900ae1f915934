// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"github.com/networkservicemesh/nsm-operator/internal/preflight"
)

// What a test, or a step of it, comes to.
const (
	passed      = "passed"
	failed      = "failed"
	interrupted = "interrupted"
	skipped     = "skipped"
)

// report is what a test has found.
type report struct {
	Result     string `json:"result"`
	Context    string `json:"context"`
	Server     string `json:"server"`
	Kubernetes string `json:"kubernetes"`
	OpenShift  bool   `json:"openshift"`
	Operator   string `json:"operator"`
	From       string `json:"from"`
	To         string `json:"to"`
	// Took is in seconds, as all durations are.
	Began time.Time `json:"began"`
	Took  seconds   `json:"took"`
	Steps []stepped `json:"steps"`
	// Findings are those of checks that say more than ok.
	Findings []preflight.Result `json:"findings"`
	Pings    []pinged           `json:"pings"`
	// NotChecked is what no step has looked at by itself.
	NotChecked []string `json:"notChecked"`
	// Support is the file with support data, where something has failed; Left what is still
	// there at the end.
	Support string   `json:"support,omitempty"`
	Left    []string `json:"left,omitempty"`
}

// stepped is what a step has come to.
type stepped struct {
	Name   string  `json:"name"`
	Result string  `json:"result"`
	Took   seconds `json:"took"`
	Error  string  `json:"error,omitempty"`
	// Why a step was skipped.
	Why string `json:"why,omitempty"`
}

// pinged is what became of the ping of one client during the upgrade.
type pinged struct {
	Pod        string  `json:"pod"`
	Node       string  `json:"node"`
	Address    string  `json:"address"`
	Replies    int     `json:"replies"`
	Lost       int     `json:"lost"`
	LongestGap seconds `json:"longestGap"`
}

// seconds is a duration as a number of them.
type seconds time.Duration

// MarshalJSON writes tenths of a second.
func (s seconds) MarshalJSON() ([]byte, error) {
	return json.Marshal(math.Round(time.Duration(s).Seconds()*10) / 10)
}

// UnmarshalJSON reads what MarshalJSON has written.
func (s *seconds) UnmarshalJSON(text []byte) error {
	var number float64
	err := json.Unmarshal(text, &number)
	*s = seconds(number * float64(time.Second))
	return err
}

func (s seconds) String() string { return fmt.Sprintf("%.1fs", time.Duration(s).Seconds()) }

// find adds the results of checks that somebody has to read, and reports whether one failed.
func (r *report) find(results []preflight.Result) bool {
	for _, result := range results {
		if result.Outcome == preflight.Failed || result.Outcome == preflight.Warning {
			r.Findings = append(r.Findings, result)
		}
	}
	return preflight.Worst(results) == preflight.Failed
}

// text writes the report for people.
func (r *report) text(out io.Writer) {
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(out, format+"\n", args...) }
	say("\nReport: %s after %s.", r.Result, r.Took)
	say("%s, Kubernetes %s, operator %s, NSM %s to %s", r.Server, r.Kubernetes, r.Operator, r.From, r.To)
	for _, step := range r.Steps {
		say("  %-11s  %7s  %s", step.Result, step.Took, step.Name)
		if said := cmp.Or(step.Error, step.Why); said != "" {
			say("                        %s", said)
		}
	}
	for _, ping := range r.Pings {
		say("During the upgrade, pod %s on node %s had %d replies of %s; %d were lost, and the longest time without one was %s.",
			ping.Pod, ping.Node, ping.Replies, ping.Address, ping.Lost, ping.LongestGap)
	}
	for _, finding := range r.Findings {
		say("%s %s: %s\n  -> %s\n  see %s", finding.Outcome, finding.Code, finding.Message, finding.Hint, finding.Link)
	}
	for _, left := range r.Left {
		say("still there: %s", left)
	}
	if r.Support != "" {
		say("Support data: %s", r.Support)
	}
}

// write writes the report into a file, as JSON.
func (r *report) write(file string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}
