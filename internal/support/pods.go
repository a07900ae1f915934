// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package support

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"path"
	"slices"
	"text/tabwriter"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"

	"github.com/networkservicemesh/nsm-operator/internal/mask"
)

// pod is what has to be known of one.
type pod struct {
	namespace, name, node string
	phase                 string
	isReady               bool
	// ofOperator: it is one of the operator's.
	ofOperator bool
	containers []container
	// metrics is the port that serves them, 0 for none, and ip the address.
	metrics int32
	ip      string
}

// container is what has to be known of one.
type container struct {
	name     string
	restarts int32
	// hasLog: it has run, or runs.
	hasLog bool
}

// directory of the files of a pod's namespace.
func (p *pod) directory() string {
	if p.ofOperator {
		return path.Join("operator", "namespaces", p.namespace)
	}
	return path.Join("namespaces", p.namespace)
}

// podOf knows what there is to know.
func podOf(object *unstructured.Unstructured, ofOperator bool) (pod, error) {
	var full corev1.Pod
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &full); err != nil {
		return pod{}, err
	}
	found := pod{
		namespace: full.Namespace, name: full.Name, node: full.Spec.NodeName, phase: string(full.Status.Phase), ofOperator: ofOperator, ip: full.Status.PodIP,
		isReady: full.Status.Phase == corev1.PodSucceeded || slices.ContainsFunc(full.Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
		}),
	}
	for _, status := range slices.Concat(full.Status.InitContainerStatuses, full.Status.ContainerStatuses) {
		found.containers = append(found.containers, container{
			name: status.Name, restarts: status.RestartCount, hasLog: status.State.Running != nil || status.State.Terminated != nil,
		})
	}
	for i := range full.Spec.Containers {
		for _, port := range full.Spec.Containers[i].Ports {
			if port.Name == "metrics" {
				found.metrics = port.ContainerPort
			}
		}
	}
	return found, nil
}

// ReadAliases of the nodes of a cluster: of their names, and of those that other systems
// give them.
func ReadAliases(ctx context.Context, config *rest.Config) (*mask.Aliases, error) {
	api, err := newAPI(config, DefaultLimits(), func(error) {})
	if err != nil {
		return nil, err
	}
	var nodes [][]string
	err = api.list(ctx, corev1.SchemeGroupVersion.WithResource("nodes"), "", metav1.ListOptions{}, func(object *unstructured.Unstructured) error {
		var node corev1.Node
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &node); err != nil {
			return err
		}
		nodes = append(nodes, namesOf(&node))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return mask.NewAliases(nodes), nil
}

// namesOf a node, that of its object first.
func namesOf(node *corev1.Node) []string {
	names := []string{node.Name}
	if host := node.Labels[corev1.LabelHostname]; host != "" {
		names = append(names, host)
	}
	ofNames := []corev1.NodeAddressType{corev1.NodeHostName, corev1.NodeInternalDNS, corev1.NodeExternalDNS}
	for _, address := range node.Status.Addresses {
		if slices.Contains(ofNames, address.Type) {
			names = append(names, address.Address)
		}
	}
	return slices.DeleteFunc(names, func(name string) bool { return name == "localhost" })
}

// gatherNodes reads the nodes, without the list of images that each has.
func (g *gatherer) gatherNodes(ctx context.Context) {
	g.read(ctx, reading{kind: kind("", "Node").GroupKind().WithVersion("v1"), each: func(object *unstructured.Unstructured) {
		unstructured.RemoveNestedField(object.Object, "status", "images")
		conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
		for _, condition := range conditions {
			if condition, isMap := condition.(map[string]any); isMap && condition["type"] == "Ready" && condition["status"] != "True" {
				g.unready = append(g.unready, object.GetName())
			}
		}
	}})
}

// gatherPods reads the pods twice: first to know all of them, then to write those of the
// nodes that are chosen.
func (g *gatherer) gatherPods(ctx context.Context) {
	of := kind("", "Pod").GroupKind().WithVersion("v1")
	readings := []reading{
		{kind: of, selector: ofMeshes},
		{kind: of, selector: ofOperators, directory: "operator", everywhere: true},
	}
	for _, r := range readings {
		r.keep = func(*unstructured.Unstructured) bool { return false }
		r.each = func(object *unstructured.Unstructured) {
			found, err := podOf(object, r.directory != "")
			if err != nil {
				g.report.missing(fmt.Sprintf("pod %s/%s", object.GetNamespace(), object.GetName()), err)
				return
			}
			g.pods = append(g.pods, found)
		}
		g.read(ctx, r)
	}
	g.gather(ctx, "pods.txt", "the list of pods", g.Limits.Log, g.writePods)
	chosen := g.choose()
	for _, r := range readings {
		r.keep = func(object *unstructured.Unstructured) bool {
			node, _, _ := unstructured.NestedString(object.Object, "spec", "nodeName")
			return r.directory != "" || chosen.has(node)
		}
		g.read(ctx, r)
	}
	g.pods = slices.DeleteFunc(g.pods, func(p pod) bool { return !p.ofOperator && !chosen.has(p.node) })
}

// writePods is a table of all pods, those included that are left out.
func (g *gatherer) writePods(_ context.Context, out io.Writer) error {
	if len(g.pods) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "NAMESPACE\tNAME\tNODE\tPHASE\tREADY\tRESTARTS")
	for i := range g.pods {
		p := &g.pods[i]
		var restarts int32
		for _, c := range p.containers {
			restarts += c.restarts
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%v\t%d\n", p.namespace, p.name, cmp.Or(p.node, "-"), p.phase, p.isReady, restarts)
	}
	return table.Flush()
}

// choice of nodes.
type choice struct {
	all   bool
	nodes map[string]bool
}

func (c choice) has(node string) bool { return c.all || node == "" || c.nodes[node] }

// choose the nodes whose pods are gathered, and note which are left out.
func (g *gatherer) choose() choice {
	if g.AllNodes {
		return choice{all: true}
	}
	if len(g.Nodes) > 0 {
		chosen := choice{nodes: map[string]bool{}}
		for _, node := range g.Nodes {
			chosen.nodes[node] = true
		}
		return chosen
	}
	chosen, leftOut := chooseNodes(g.pods, g.unready, g.Limits)
	if leftOut > 0 {
		g.report.note(fmt.Sprintf("pods and logs of %d nodes were left out: those of nodes with something that is not ready are there, and those of %d others; "+
			"pods.txt names all. --node chooses nodes, --all-nodes takes all", leftOut, g.Limits.HealthyNodes))
	}
	return chosen
}

// chooseNodes chooses, of many nodes, those on which something is not ready, and some of
// the others.
func chooseNodes(pods []pod, unready []string, limits Limits) (chosen choice, leftOut int) {
	isBad := map[string]bool{}
	for i := range pods {
		if p := &pods[i]; p.node != "" && !p.ofOperator {
			isBad[p.node] = isBad[p.node] || !p.isReady
		}
	}
	if len(isBad) <= limits.Nodes {
		return choice{all: true}, 0
	}
	for _, node := range unready {
		if _, hasPods := isBad[node]; hasPods {
			isBad[node] = true
		}
	}
	var names []string
	for node := range isBad {
		names = append(names, node)
	}
	slices.Sort(names)
	chosen.nodes = map[string]bool{}
	healthy := 0
	for _, node := range names {
		if !isBad[node] {
			healthy++
		}
		if isBad[node] || healthy <= limits.HealthyNodes {
			chosen.nodes[node] = true
		}
	}
	return chosen, len(isBad) - len(chosen.nodes)
}
