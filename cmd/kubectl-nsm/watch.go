// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/networkservicemesh/nsm-operator/internal/report"
)

const (
	// lookAgain is after what time a status is read again although no NSM has changed.
	lookAgain = 10 * time.Second
	// pause is how long it is at least from one look to the next.
	pause = time.Second
)

// watchStatus shows each change until the context ends: on a terminal the whole, with
// bars for what rolls out, and else a line for each mesh that has changed.
func (o *options) watchStatus(ctx context.Context, c *cluster, names []string) error {
	screen := &screen{options: o, lines: map[string]string{}}
	var last *report.Status
	for ctx.Err() == nil {
		status, err := c.status(ctx, names)
		switch {
		case err != nil && ctx.Err() == nil:
			return err
		case err == nil:
			last = status
			if err := screen.show(status); err != nil {
				return err
			}
			if err := c.awaitChange(ctx, names); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
	switch {
	case last == nil:
		return errors.New("nothing was seen in time: --timeout gives it longer")
	case !last.IsFine():
		return errFinding
	default:
		return nil
	}
}

// awaitChange waits until an NSM is not what was read last, or some time is over.
func (c *cluster) awaitChange(ctx context.Context, names []string) error {
	ctx, cancel := context.WithTimeout(ctx, lookAgain)
	defer cancel()
	early := time.After(pause)
	list, err := c.newNSMList()
	if err != nil {
		return c.explainNSM(err, "watch nsms")
	}
	which := []client.ListOption{client.InNamespace(c.namespace)}
	if len(names) > 0 {
		which = append(which, client.MatchingFields{"metadata.name": names[0]})
	}
	// The watch begins with what is there.
	changes, err := c.Watch(ctx, list, which...)
	if err != nil {
		return c.explain(err, "watch nsms")
	}
	defer changes.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case event, isOpen := <-changes.ResultChan():
			nsm, isNSM := event.Object.(*unstructured.Unstructured)
			if isOpen && isNSM && c.versions[client.ObjectKeyFromObject(nsm)] == nsm.GetResourceVersion() {
				continue
			}
			select {
			case <-ctx.Done():
			case <-early:
			}
			return nil
		}
	}
}

// screen is where a status is shown again and again.
type screen struct {
	*options
	// lines were shown last, by mesh.
	lines map[string]string
	// last is what was shown last.
	last string
}

// clearScreen puts a terminal's cursor at the top of an empty screen.
const clearScreen = "\x1b[H\x1b[2J"

func (s *screen) show(status *report.Status) error {
	switch {
	case s.format != "":
		return s.showChanged(status)
	case s.isInteractive():
		return s.print(status, func(out io.Writer, style report.Style) {
			_, _ = io.WriteString(out, clearScreen)
			status.Text(out, style, true)
		})
	default:
		return s.showLines(status)
	}
}

// showChanged prints a result for programs where it is not the last one again.
func (s *screen) showChanged(status *report.Status) error {
	now := fmt.Sprintf("%+v", *status)
	if now == s.last {
		return nil
	}
	s.last = now
	return s.print(status, nil)
}

// showLines prints a line for each mesh that has changed or gone.
func (s *screen) showLines(status *report.Status) error {
	there := map[string]bool{}
	for i := range status.Meshes {
		mesh := &status.Meshes[i]
		there[mesh.FullName()] = true
		if line := mesh.Line(); line != s.lines[mesh.FullName()] {
			s.lines[mesh.FullName()] = line
			if _, err := fmt.Fprintln(s.Out, line); err != nil {
				return err
			}
		}
	}
	for name := range s.lines {
		if !there[name] {
			delete(s.lines, name)
			if _, err := fmt.Fprintln(s.Out, name+"  gone"); err != nil {
				return err
			}
		}
	}
	return nil
}
