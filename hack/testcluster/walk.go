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
	"os"
	"slices"
	"time"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/networkservicemesh/nsm-operator/hack/internal/deploy"
	"github.com/networkservicemesh/nsm-operator/internal/platform"
	"github.com/networkservicemesh/nsm-operator/internal/support"
)

// walk is one walk through a cluster.
type walk struct {
	*deploy.Cluster

	settings *settings
	plan     plan
	report   report
}

// skip is the error of a step that does not apply, and says why. The next one is made.
type skip string

func (s skip) Error() string { return string(s) }

// step is a part of a walk, which has a limit as a whole.
type step struct {
	name  string
	limit time.Duration
	do    func(context.Context) error
}

// prepare reads what the plan says. It changes nothing.
func prepare(ctx context.Context, s *settings) (*walk, error) {
	c, err := deploy.Connect(&s.Settings)
	if err != nil {
		return nil, err
	}
	kubeconfig, err := clientcmd.NewDefaultClientConfigLoadingRules().Load()
	if err != nil {
		return nil, err
	}
	asks, err := discovery.NewDiscoveryClientForConfig(c.Config)
	if err != nil {
		return nil, err
	}
	version, err := asks.ServerVersion()
	if err != nil {
		return nil, err
	}
	offers, err := platform.Detect(ctx, asks)
	if err != nil {
		return nil, err
	}
	outside, err := deploy.Outside(ctx, &s.Settings)
	if err != nil {
		return nil, err
	}
	w := &walk{Cluster: c, settings: s}
	w.plan = plan{
		context: kubeconfig.CurrentContext, server: c.Config.Host, kubernetes: version.GitVersion, isOpenShift: offers.OpenShift,
		from: s.from, to: s.to, image: s.Image, keep: s.keep,
		namespaces: append(s.Namespaces(), s.clients),
	}
	ofMesh, err := w.outsideOfMesh(ctx, offers)
	if err != nil {
		return nil, err
	}
	w.plan.outside = slices.Concat(outside, ofMesh)
	w.report = report{
		Context: w.plan.context, Server: w.plan.server, Kubernetes: w.plan.kubernetes, OpenShift: w.plan.isOpenShift,
		Operator: s.Image, From: s.from, To: s.to, NotChecked: w.plan.notChecked(),
	}
	return w, nil
}

// run makes all steps, and cleans up whatever they come to.
func (w *walk) run(ctx context.Context) {
	w.report.Began, w.report.Result = time.Now().UTC(), passed
	defer func() { w.report.Took = seconds(time.Since(w.report.Began)) }()
	before, after := w.steps()
	isWell := w.all(ctx, before) && w.all(ctx, after)
	if !w.hasBegun(before) {
		return
	}
	if !isWell && ctx.Err() == nil {
		w.gather(ctx)
	}
	if !w.settings.keep {
		// Also after Ctrl-C, which has ended the context of all else.
		w.all(context.WithoutCancel(ctx), w.removal())
	}
}

// hasBegun reports whether anything has been changed: whether the first steps, which only
// look, have not failed.
func (w *walk) hasBegun(looking []step) bool {
	return len(w.report.Steps) > len(looking) ||
		len(w.report.Steps) == len(looking) && slices.Contains([]string{passed, skipped}, w.report.Steps[len(looking)-1].Result)
}

// all makes steps one after the other, until one fails.
func (w *walk) all(ctx context.Context, steps []step) bool {
	for _, one := range steps {
		fmt.Printf("\n== %s\n", one.name)
		began := time.Now()
		limited, cancel := context.WithTimeout(ctx, one.limit)
		err := one.do(limited)
		if err != nil && ctx.Err() == nil && errors.Is(limited.Err(), context.DeadlineExceeded) {
			err = fmt.Errorf("not done after %s: %w", one.limit, err)
		}
		cancel()
		done := stepped{Name: one.name, Result: passed, Took: seconds(time.Since(began))}
		if why, isSkipped := errors.AsType[skip](err); isSkipped {
			done.Result, done.Why, err = skipped, string(why), nil
			fmt.Printf("%s: %s\n", done.Result, done.Why)
		}
		if err != nil {
			done.Result, done.Error = failed, err.Error()
			if ctx.Err() != nil {
				done.Result = interrupted
			}
			if w.report.Result == passed {
				w.report.Result = done.Result
			}
			fmt.Printf("%s: %v\n", done.Result, err)
		}
		w.report.Steps = append(w.report.Steps, done)
		if err != nil {
			return false
		}
	}
	return true
}

// steps are those that only look, and those that change something.
func (w *walk) steps() (looking, changing []step) {
	limit := w.settings.Timeout
	looking = []step{
		{"nothing of a mesh is there", limit, w.expectNothing},
		{"the cluster has what it takes", limit, w.checkBefore},
	}
	if !w.settings.BringsSpire() {
		looking = append(looking, step{"SPIRE's agents are ready", 2 * limit, w.awaitAgents})
	}
	changing = []step{
		{"SPIRE and the operator", 8 * limit, func(ctx context.Context) error { return deploy.Up(ctx, &w.settings.Settings) }},
		{"a mesh of NSM " + w.settings.from, 3 * limit, w.makeMesh},
		{"the API server reaches NSM's webhook", limit, w.tryWebhook},
		{"a webhook's pod goes, and pods are made", limit, w.replaceWebhookPod},
		{"clients and an endpoint", 2 * limit, w.installClients},
		{"a ping", limit, w.testClients},
		{"an upgrade to NSM " + w.settings.to + " under a running ping", 6 * limit, w.upgrade},
		{"a ping after it", limit, w.testClients},
		{"nothing keeps the mesh from running", limit, w.checkMesh},
	}
	return looking, changing
}

// removal takes everything away again, and looks for what is left.
func (w *walk) removal() []step {
	limit := w.settings.Timeout
	return []step{
		{"removing clients and endpoint", 2 * limit, w.removeClients},
		{"removing the mesh, the operator and SPIRE", 8 * limit, func(ctx context.Context) error { return deploy.Down(ctx, &w.settings.Settings) }},
		{"nothing is left", limit, w.expectNothingLeft},
	}
}

// gather writes support data, for somebody to look at what has failed.
func (w *walk) gather(ctx context.Context) {
	name := w.settings.support
	file, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		fmt.Println("no support data:", err)
		return
	}
	defer file.Close()
	options := support.Options{Version: "test-cluster", Progress: os.Stdout, Limits: support.DefaultLimits()}
	outcome, err := support.Gather(ctx, w.Config, options, file)
	if err != nil {
		fmt.Println("no support data:", err)
		return
	}
	w.report.Support = name
	fmt.Printf("%s has %s.\n", name, outcome)
}
