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
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/networkservicemesh/nsm-operator/internal/report"
)

// registryVersion is that of what a k8s registry keeps.
var registryVersion = schema.GroupVersion{Group: "networkservicemesh.io", Version: "v1"}

func newTopology(o *options) *cobra.Command {
	var all, live bool
	command := &cobra.Command{
		Use:   "topology",
		Short: "Show network services, their endpoints, and the nodes and managers that these are on",
		Long: "Show network services, their endpoints, and the nodes and managers that these are on: what a registry of type k8s keeps in the API.\n\n" +
			"Behind each fact stands where it is from: path_ids is the identity that signed the entry, pod a pod that was read, url the pod with the " +
			"address in the entry's URL, label what the entry says itself. Clients are pods that ask for NSM; whether they are connected is not known.\n\n" +
			"With --live the backend of NSM's dashboard is asked for live connections, through the API server, where a mesh has a dashboard. That needs " +
			"the right to get services/proxy.\n\n" +
			"It ends with 1 if an endpoint has expired, a service has no live one, or a connection is down.",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			ctx, cancel := o.within(command.Context())
			defer cancel()
			c, err := o.connect(ctx)
			if err != nil {
				return err
			}
			if all {
				c.namespace = ""
			}
			c.showsPart = true
			topology, err := c.topology(ctx, live)
			if err != nil {
				return err
			}
			if err := o.printTopology(topology); err != nil {
				return err
			}
			return c.verdict(topology.IsFine())
		},
	}
	command.Flags().BoolVarP(&all, "all-namespaces", "A", false, "the registries of all namespaces")
	command.Flags().BoolVar(&live, "live", false, "live connections as well, as dashboards of meshes tell")
	o.addOutput(command, "json", "yaml", "dot", "svg")
	return command
}

// topology reads what registries keep, the pods that it is about and, if asked for, live
// connections.
func (c *cluster) topology(ctx context.Context, live bool) (*report.Topology, error) {
	seen := &report.Registered{}
	for _, one := range []struct {
		kind string
		into *[]unstructured.Unstructured
	}{{"NetworkService", &seen.Services}, {"NetworkServiceEndpoint", &seen.Endpoints}} {
		list := entryList(one.kind)
		if err := c.see(ctx, list, one.kind+"s", client.InNamespace(c.namespace)); err != nil {
			return nil, err
		}
		*one.into = list.Items
	}
	if len(c.notSeen) == 2 && c.late != nil {
		return nil, c.late
	}
	if len(c.notSeen) == 2 && !live {
		return nil, fmt.Errorf("nothing that a registry keeps can be seen: %s; -n chooses another namespace, and docs/install.md installs the definitions",
			strings.Join(c.notSeen, ", "))
	}
	pods, err := c.seePods(ctx)
	if err != nil {
		return nil, err
	}
	if live {
		if seen.Connections, err = c.connections(ctx); err != nil {
			return nil, err
		}
	}
	seen.Pods, seen.NotSeen, seen.Now = pods, c.notSeen, c.clock.now()
	return report.TopologyOf(seen), nil
}

// seePods reads the pods of all namespaces, where clients and endpoints may be, or else
// those of the namespace.
func (c *cluster) seePods(ctx context.Context) ([]corev1.Pod, error) {
	var pods corev1.PodList
	before := len(c.notSeen)
	err := c.see(ctx, &pods, "pods in all namespaces")
	if err != nil || len(c.notSeen) == before || c.namespace == "" {
		return pods.Items, err
	}
	err = c.see(ctx, &pods, "pods", client.InNamespace(c.namespace))
	return pods.Items, err
}

func (o *options) printTopology(topology *report.Topology) error {
	text := topology.Text
	switch o.format {
	case "dot":
		text = topology.Dot
	case "svg":
		text = topology.SVG
	}
	if len(topology.Services)+len(topology.NotSeen) == 0 {
		o.warn("no registry keeps anything here: -A looks into all namespaces; what a registry of type memory knows cannot be seen")
	}
	return o.print(topology, func(out io.Writer, style report.Style) { text(out, style) })
}
