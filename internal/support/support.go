// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package support gathers what a helper needs to see of the meshes of a cluster, into
// one archive. It only reads, it never asks for Secrets, and every byte that it writes
// is masked. Whatever is missing or goes wrong is written down, and the rest is
// gathered all the same.
package support

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/networkservicemesh/nsm-operator/internal/mask"
)

// Options say what is gathered.
type Options struct {
	// Namespace whose meshes are gathered; "" for those of all.
	Namespace string
	// Fallback is the namespace that is gathered where all may not be read.
	Fallback string
	// Nodes whose pods are gathered whatever their number; empty for a choice of them.
	Nodes []string
	// AllNodes gathers the pods of all nodes, however many.
	AllNodes bool
	// Since is how old lines of logs are at most; nil for any age.
	Since *metav1.Time
	// InCluster tells that this runs in a pod, and may ask those of the operator.
	InCluster bool
	// Dial reaches pods, with InCluster; nil for the network's own way.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Aliases of nodes and addresses, which the archive has instead; nil for none.
	Aliases *mask.Aliases
	// Version of the program.
	Version string
	// Progress takes a line now and then.
	Progress io.Writer
	// Limits of all that.
	Limits Limits
}

// Limits say how much is gathered.
type Limits struct {
	// Time for all of it, and for one request.
	Time, Request time.Duration
	// Silence is how long there is no line of progress at most.
	Silence time.Duration
	// Log is how long the log of a container is at most, and Archive all together, in
	// bytes. The newest lines of a log are kept.
	Log, Archive int64
	// Lines of a log that are asked for: the API can limit bytes only from the wrong end.
	// Where so many do not come in time, NewestLines are asked for as well.
	Lines, NewestLines int64
	// Nodes is for how many nodes the pods are gathered without a choice.
	Nodes int
	// HealthyNodes is how many of the others are gathered, where it is chosen.
	HealthyNodes int
	// Requests at a time.
	Requests int
}

// DefaultLimits are half of the time after which oc gives up, and what can be sent by
// mail in parts.
func DefaultLimits() Limits {
	return Limits{
		Time: 5 * time.Minute, Request: 15 * time.Second, Silence: 10 * time.Second,
		Log: 5 << 20, Archive: 200 << 20, Lines: 50_000, NewestLines: 1_000,
		Nodes: 50, HealthyNodes: 10, Requests: 8,
	}
}

// Outcome is how much was had.
type Outcome int

const (
	// Complete has all that there is.
	Complete Outcome = iota
	// Partial lacks something that was refused, cut or missing; errors.txt says what.
	Partial
	// Nothing was answered by the API server.
	Nothing
)

// What ends the gathering early.
var (
	errTime        = errors.New("the time is up")
	errDead        = errors.New("the API server does not answer any more")
	errInterrupted = errors.New("interrupted")
)

// Gather writes the archive. It is valid whatever happens; an error means that it could
// not be written.
func Gather(ctx context.Context, config *rest.Config, options Options, out io.Writer) (Outcome, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ctx, stop := context.WithTimeoutCause(ctx, options.Limits.Time, errTime)
	defer stop()
	g := &gatherer{Options: options, archive: newArchive(out, options.Limits.Archive), report: newReport(options.Progress)}
	silence := g.report.breakSilence(options.Limits.Silence)
	api, err := newAPI(config, options.Limits, cancel)
	if err != nil {
		g.report.missing("the API", err)
	} else {
		g.api = api
		g.run(ctx)
	}
	silence()
	g.finish()
	return g.outcome(), g.archive.close()
}

// gatherer gathers one archive.
type gatherer struct {
	Options

	api     *api
	archive *archive
	report  *report

	// meshes and operators that were found, and the nodes that are not ready.
	meshes    []seen
	operators []string
	unready   []string
	pods      []pod
}

// run goes from what others depend on, and is small, to what is large.
func (g *gatherer) run(ctx context.Context) {
	for _, stage := range []struct {
		what string
		do   func(context.Context)
	}{
		{"what the API server serves", g.gatherServer},
		{"NSMs", g.gatherMeshes},
		{"the operator", g.gatherOperators},
		{"nodes", g.gatherNodes},
		{"the objects of the meshes", g.gatherObjects},
		{"what is registered", g.gatherRegistered},
		{"events", g.gatherEvents},
		{"pods", g.gatherPods},
		{"metrics", g.gatherMetrics},
		{"logs", g.gatherLogs},
	} {
		if ctx.Err() != nil {
			g.report.missing(stage.what, reason(ctx))
			continue
		}
		g.report.stage(stage.what)
		stage.do(ctx)
	}
}

// reason a context has ended.
func reason(ctx context.Context) error {
	err := context.Cause(ctx)
	if errors.Is(err, context.Canceled) {
		return errInterrupted
	}
	return err
}

// namespaces that are known to hold a mesh or an operator.
func (g *gatherer) namespaces() []string {
	known := slices.Clone(g.operators)
	for i := range g.meshes {
		known = append(known, g.meshes[i].namespace)
	}
	if g.Namespace != "" {
		known = append(known, g.Namespace)
	}
	if len(known) == 0 && g.Fallback != "" {
		known = append(known, g.Fallback)
	}
	slices.Sort(known)
	return slices.Compact(known)
}

func (g *gatherer) outcome() Outcome {
	switch {
	case g.api == nil || !g.api.answered.Load():
		return Nothing
	case g.report.isComplete() && !g.archive.isFull():
		return Complete
	default:
		return Partial
	}
}

// String says what a message says.
func (o Outcome) String() string {
	switch o {
	case Complete:
		return "all that there is"
	case Partial:
		return "not all; errors.txt in it says what is missing"
	case Nothing:
		return "nothing: the API server did not answer; errors.txt in it says why"
	default:
		return fmt.Sprintf("outcome %d", int(o))
	}
}

// parallel does something for each of several, some at a time.
func parallel[T any](limit int, each []T, do func(T)) {
	var group errgroup.Group
	group.SetLimit(limit)
	for _, one := range each {
		group.Go(func() error {
			do(one)
			return nil
		})
	}
	_ = group.Wait() // none of them returns an error
}
