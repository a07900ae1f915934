// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/networkservicemesh/nsm-operator/internal/preflight"
	checks "github.com/networkservicemesh/nsm-operator/internal/report"
)

// managerProgram is NSM's manager, by the name of its image: whoever has one has a mesh.
const managerProgram = "cmd-nsmgr"

// expectNothing refuses a cluster with an operator, a mesh or a namespace that would be
// taken for one of ours.
func (w *walk) expectNothing(ctx context.Context) error {
	there, err := w.there(ctx)
	if err != nil {
		return err
	}
	var sets appsv1.DaemonSetList
	if err := w.List(ctx, &sets); err != nil {
		return err
	}
	for i := range sets.Items {
		for _, container := range sets.Items[i].Spec.Template.Spec.Containers {
			if preflight.ProgramOf(container.Image) == managerProgram {
				there = append(there, "a mesh: DaemonSet "+sets.Items[i].Namespace+"/"+sets.Items[i].Name)
			}
		}
	}
	if len(there) > 0 {
		return fmt.Errorf("nothing was changed, because there is already: %s. Take another cluster, or remove what is there (docs/uninstall.md)",
			strings.Join(there, ", "))
	}
	return nil
}

// there lists what there is of an installation, its namespaces included.
func (w *walk) there(ctx context.Context) ([]string, error) {
	there, err := w.Installed(ctx, &w.settings.Settings)
	if err != nil {
		return nil, err
	}
	err = w.Get(ctx, client.ObjectKey{Name: w.settings.clients}, &corev1.Namespace{})
	if err == nil {
		there = append(there, "Namespace "+w.settings.clients)
	}
	return there, client.IgnoreNotFound(err)
}

func (w *walk) expectNothingLeft(ctx context.Context) error {
	return w.Await(ctx, "the end of all that was made", func(ctx context.Context) (string, error) {
		left, err := w.there(ctx)
		w.report.Left = left
		return strings.Join(left, ", "), err
	})
}

// checkBefore makes the checks of kubectl nsm, for the mesh that is to be made.
func (w *walk) checkBefore(ctx context.Context) error {
	version, err := w.output(ctx, nil, w.settings.helm, "version", "--template", "{{.Version}}")
	if err != nil {
		return err
	}
	text, err := w.meshToCheck()
	if err != nil {
		return err
	}
	return w.checks(ctx, text, "--pre", "--active", "--helm-version", string(version), "-f", "-")
}

// meshToCheck is the mesh that is to be made, as JSON.
func (w *walk) meshToCheck() ([]byte, error) {
	nsm, err := w.readMesh()
	if err != nil {
		return nil, err
	}
	return nsm.MarshalJSON()
}

// checkMesh makes them for the mesh that is there.
func (w *walk) checkMesh(ctx context.Context) error { return w.checks(ctx, nil) }

// agentsCheck is the code of the check that looks for SPIRE's agents.
const agentsCheck = "NSM004"

// awaitAgents waits until a SPIRE that somebody else has installed has an agent that is ready
// on each node that the mesh will use.
func (w *walk) awaitAgents(ctx context.Context) error {
	text, err := w.meshToCheck()
	if err != nil {
		return err
	}
	var unseen error
	err = w.Await(ctx, "SPIRE's agents", func(ctx context.Context) (string, error) {
		found, err := w.findings(ctx, text, "-f", "-")
		if err != nil {
			return "", err
		}
		for _, result := range found {
			switch {
			case result.Code == agentsCheck && result.Outcome == preflight.Failed:
				return sentence(result), nil
			case result.Code == agentsCheck && result.Outcome == preflight.Skipped:
				unseen = skip(result.Message)
			}
		}
		return "", nil
	})
	return errors.Join(err, unseen)
}

func (w *walk) checks(ctx context.Context, nsm []byte, args ...string) error {
	found, err := w.findings(ctx, nsm, args...)
	if err != nil {
		return err
	}
	for _, result := range found {
		fmt.Printf("%-7s  %s  %s\n", result.Outcome, result.Code, result.Title)
	}
	if !w.report.find(found) {
		return nil
	}
	var wrong []error
	for _, result := range found {
		if result.Outcome == preflight.Failed {
			wrong = append(wrong, errors.New(sentence(result)))
		}
	}
	return errors.Join(wrong...)
}

// findings are what the checks of kubectl nsm find. A finding is no error.
func (w *walk) findings(ctx context.Context, nsm []byte, args ...string) ([]preflight.Result, error) {
	output, err := w.output(ctx, nsm, w.settings.plugin, append([]string{"check", "-n", w.settings.Namespace, "-o", "json"}, args...)...)
	var found checks.Checks
	if decoded := json.Unmarshal(output, &found); decoded != nil || len(found.Checks) == 0 {
		return nil, errors.Join(err, decoded)
	}
	return found.Checks, nil
}

// sentence says what a check has found, and what to do.
func sentence(result preflight.Result) string {
	return fmt.Sprintf("%s %s: %s; see %s", result.Code, result.Message, result.Hint, result.Link)
}

// output runs a program and returns what it prints, also where it fails.
func (w *walk) output(ctx context.Context, input []byte, program string, args ...string) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	command := exec.CommandContext(ctx, program, args...)
	command.Stdin, command.Stdout, command.Stderr = bytes.NewReader(input), &stdout, &stderr
	if err := command.Run(); err != nil {
		return stdout.Bytes(), fmt.Errorf("%s %s: %w: %s", program, strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.Bytes(), nil
}
