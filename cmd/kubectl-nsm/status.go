// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/health"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/report"
)

// operatorName is that of the operator's Deployment, Lease and label.
const operatorName = "nsm-operator"

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
			status, err := c.status(ctx, args)
			if err != nil {
				return err
			}
			return o.printStatus(status)
		},
	}
	command.Flags().BoolVarP(&all, "all-namespaces", "A", false, "the meshes of all namespaces")
	command.Flags().BoolVarP(&watch, "watch", "w", false, "show each change, until Ctrl-C")
	o.addOutput(command, "json", "yaml")
	return command
}

func (o *options) printStatus(status *report.Status) error {
	if len(status.Meshes) == 0 {
		o.warn("there is no NSM here: -A looks into all namespaces")
	}
	if err := o.print(status, func(out io.Writer, style report.Style) { status.Text(out, style, false) }); err != nil {
		return err
	}
	if !status.IsFine() {
		return errFinding
	}
	return nil
}

// nsms are those of the arguments, or of the namespace.
func (c *cluster) nsms(ctx context.Context, names []string) ([]nsmv1beta1.NSM, error) {
	if len(names) > 0 {
		if c.namespace == "" {
			return nil, fmt.Errorf("%s: a name is one of a namespace: leave out -A", names[0])
		}
		nsm := nsmv1beta1.NSM{}
		if err := c.Get(ctx, client.ObjectKey{Namespace: c.namespace, Name: names[0]}, &nsm); err != nil {
			return nil, c.explainNSM(err, "get nsm "+c.namespace+"/"+names[0])
		}
		c.remember(nsm)
		return []nsmv1beta1.NSM{nsm}, nil
	}
	var list nsmv1beta1.NSMList
	if err := c.List(ctx, &list, client.InNamespace(c.namespace)); err != nil {
		return nil, c.explainNSM(err, "list nsms")
	}
	c.remember(list.Items...)
	return list.Items, nil
}

// remember which versions of NSMs were read.
func (c *cluster) remember(nsms ...nsmv1beta1.NSM) {
	c.versions = map[types.NamespacedName]string{}
	for i := range nsms {
		c.versions[client.ObjectKeyFromObject(&nsms[i])] = nsms[i].ResourceVersion
	}
}

func (c *cluster) explainNSM(err error, what string) error {
	switch {
	case meta.IsNoMatchError(err):
		return fmt.Errorf("%s: this cluster does not serve %s, so there is no operator of version 2 or newer: docs/install.md installs it",
			what, nsmv1beta1.GroupVersion)
	case apierrors.IsNotFound(err):
		return fmt.Errorf("%w in namespace %s: kubectl get nsm -A lists all", err, c.namespace)
	default:
		return c.explain(err, what)
	}
}

// status reads all that a status tells about.
func (c *cluster) status(ctx context.Context, names []string) (*report.Status, error) {
	nsms, err := c.nsms(ctx, names)
	if err != nil {
		return nil, err
	}
	c.notSeen = nil
	seen := &report.Seen{NSMs: nsms, Nodes: map[string]*corev1.Node{}, Leases: map[string]*coordinationv1.Lease{}}
	for _, read := range []func(context.Context, *report.Seen) error{c.seeWorkloads, c.seeNodes, c.seeOperators} {
		if err := read(ctx, seen); err != nil {
			return nil, err
		}
	}
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

// seeOperators reads the installations of the operator, in whichever namespace they are.
func (c *cluster) seeOperators(ctx context.Context, seen *report.Seen) error {
	var deployments appsv1.DeploymentList
	before := len(c.notSeen)
	err := c.see(ctx, &deployments, "deployments in all namespaces, for the operator's", client.MatchingLabels{"app.kubernetes.io/name": operatorName})
	if err != nil || len(c.notSeen) > before {
		return err
	}
	seen.Operators, seen.SeesOperators, seen.SeesLeases = deployments.Items, true, true
	for i := range seen.Operators {
		namespace := seen.Operators[i].Namespace
		lease := &coordinationv1.Lease{}
		err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: operatorName}, lease)
		switch {
		case err == nil:
			seen.Leases[namespace] = lease
		case !apierrors.IsNotFound(err):
			seen.SeesLeases = false
			if err := c.unlessHidden(err, "get lease "+namespace+"/"+operatorName); err != nil {
				return err
			}
		}
	}
	return nil
}
