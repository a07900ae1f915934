// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/networkservicemesh/nsm-operator/internal/health"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/report"
)

func newStatus(o *options) *cobra.Command {
	var all, watch bool
	command := &cobra.Command{
		Use:   "status [NAME]",
		Short: "Show meshes, their components, and how these are on each node",
		Long: "Show meshes, their components, and how these are on each node, as the operator judges them: by the conditions of the NSM.\n\n" +
			"It ends with 1 if a mesh is not available, or not yet as its spec describes it.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			if watch && !command.Flags().Changed("timeout") {
				o.timeout = 0
			}
			ctx, cancel := o.within(command.Context())
			defer cancel()
			c, err := o.connect(ctx)
			if err != nil {
				return err
			}
			if all {
				c.namespace = ""
			}
			if watch {
				return o.watchStatus(ctx, c, args)
			}
			c.showsPart = true
			status, err := c.status(ctx, args)
			if err != nil {
				return err
			}
			if err := o.printStatus(status); err != nil {
				return err
			}
			return c.verdict(status.IsFine())
		},
	}
	o.addAllNamespaces(command, &all)
	command.Flags().BoolVarP(&watch, "watch", "w", false, "show each change, until Ctrl-C")
	o.addOutput(command, "json", "yaml")
	return command
}

func (o *options) printStatus(status *report.Status) error {
	if len(status.Meshes) == 0 {
		o.warn("there is no NSM here: -A looks into all namespaces")
	}
	return o.print(status, func(out io.Writer, style report.Style) { status.Text(out, style, false) })
}

// status reads all that a status tells about.
func (c *cluster) status(ctx context.Context, names []string) (*report.Status, error) {
	nsms, err := c.nsms(ctx, names)
	if err != nil {
		return nil, err
	}
	c.notSeen = nil
	seen := &report.Seen{NSMs: nsms, Nodes: map[string]*corev1.Node{}}
	for _, read := range []func(context.Context, *report.Seen) error{c.seeWorkloads, c.seeNodes, c.seeCrashes} {
		if err := read(ctx, seen); err != nil {
			return nil, err
		}
	}
	c.operators = nil
	operators, err := c.seeOperators(ctx)
	if err != nil {
		return nil, err
	}
	seen.Operators, seen.Plugin, seen.Unknown = *operators, version, c.unknown
	seen.NotSeen, seen.Now = c.notSeen, c.clock.now()
	return report.StatusOf(seen), nil
}

// seeWorkloads reads the workloads and pods of meshes.
func (c *cluster) seeWorkloads(ctx context.Context, seen *report.Seen) error {
	var deployments appsv1.DeploymentList
	var daemonSets appsv1.DaemonSetList
	var pods corev1.PodList
	which := []client.ListOption{client.InNamespace(c.namespace), client.MatchingLabels{mesh.LabelManagedBy: mesh.ManagedBy}}
	for _, one := range []struct {
		what string
		list client.ObjectList
	}{{"deployments", &deployments}, {"daemonsets", &daemonSets}, {"pods", &pods}} {
		if err := c.see(ctx, one.list, one.what, which...); err != nil {
			return err
		}
	}
	for i := range deployments.Items {
		seen.Workloads = append(seen.Workloads, &deployments.Items[i])
	}
	for i := range daemonSets.Items {
		seen.Workloads = append(seen.Workloads, &daemonSets.Items[i])
	}
	seen.Pods = pods.Items
	return nil
}

// seeNodes reads the nodes of pods that are not ready: they may be down.
func (c *cluster) seeNodes(ctx context.Context, seen *report.Seen) error {
	for _, name := range health.Suspects(seen.Pods) {
		node := &corev1.Node{}
		err := c.Get(ctx, client.ObjectKey{Name: name}, node)
		if apierrors.IsForbidden(err) {
			return c.unlessHidden(err, "get nodes")
		}
		if err := c.unlessHidden(err, "get node "+name); err != nil {
			return err
		}
		if err == nil {
			seen.Nodes[name] = node
		}
	}
	return nil
}
