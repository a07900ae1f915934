// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

// mostPods is how many pods of a component are shown if all is well with them; of more,
// only those that are not ready.
const mostPods = 10

// Text writes the status for people: a tree for each mesh. With bars, what rolls out has
// one that shows how far it is.
func (s *Status) Text(out io.Writer, style Style, bars bool) {
	for i := range s.Meshes {
		tree := s.Meshes[i].tree(style, bars)
		if operator := s.Meshes[i].Operator; operator != "" && len(s.Operators) > 1 {
			tree.text += "  of the operator in namespace " + operator
		}
		writeTree(out, tree)
		_, _ = fmt.Fprintln(out)
	}
	for i := range s.Operators {
		operator := &s.Operators[i]
		line := fmt.Sprintf("operator %s/%s  %d/%d  %s", operator.Namespace, operator.Name, operator.Ready, operator.Desired, operator.Image)
		if operator.Version != "" && !strings.HasSuffix(operator.Image, ":"+operator.Version) {
			line += "  " + operator.Version
		}
		switch {
		case operator.StandsBy:
			line += "  stands by"
		case operator.Leader != "":
			line += "  led by " + operator.Leader
		}
		if len(operator.WatchNamespaces) > 0 {
			line += "  for the namespaces " + strings.Join(operator.WatchNamespaces, ", ")
		}
		_, _ = fmt.Fprintln(out, line)
	}
	for _, warning := range s.Warnings {
		_, _ = fmt.Fprintln(out, style.paint(yellow, "warning: "+warning))
	}
	writeNotSeen(out, style, s.NotSeen)
}

// Line is the mesh in one line, for logs.
func (m *Mesh) Line() string {
	parts := []string{m.FullName(), m.versions(), string(m.State)}
	for _, c := range m.Components {
		parts = append(parts, fmt.Sprintf("%s %d/%d", c.Name, c.Ready, c.Desired))
	}
	return strings.TrimSpace(strings.Join(append(parts, oneLine(m.Message)), "  "))
}

func (m *Mesh) tree(style Style, bars bool) node {
	root := node{text: strings.Join([]string{"NSM " + m.FullName(), m.versions(), style.paint(m.State.color(), string(m.State))}, "  ")}
	if m.Message != "" && m.State != StateAvailable {
		root.children = append(root.children, node{text: oneLine(m.Message)})
	}
	kind, name := widths(m.Components)
	for i := range m.Components {
		c := &m.Components[i]
		line := fmt.Sprintf("%-*s  %-*s  %s", kind, c.Kind, name, c.Name, style.paint(c.color(), fmt.Sprintf("%d/%d", c.Ready, c.Desired)))
		if c.Version != m.Version && c.Version != "" {
			line += "  " + c.Version
		}
		if bars && (c.Ready < c.Desired || c.Updated < c.Desired) {
			line += "  " + c.bar()
		}
		if c.Message != "" {
			line += "  " + oneLine(c.Message)
		}
		root.children = append(root.children, node{text: line, children: podLines(c.Pods, style)})
	}
	for i := range m.Conditions {
		if line := conditionLine(&m.Conditions[i], style); line != "" {
			root.children = append(root.children, node{text: line})
		}
	}
	return root
}

func widths(components []Component) (kind, name int) {
	for i := range components {
		kind, name = max(kind, len(components[i].Kind)), max(name, len(components[i].Name))
	}
	return kind, name
}

// conditionLine is a condition that no component tells about, where all is not well; ""
// for any other.
func conditionLine(condition *metav1.Condition, style Style) string {
	if condition.Type != nsmv1beta1.ConditionSpireReady || condition.Status == metav1.ConditionTrue {
		return ""
	}
	color := yellow
	if condition.Status == metav1.ConditionFalse {
		color = red
	}
	return fmt.Sprintf("%s %s  %s", condition.Type, style.paint(color, string(condition.Status)), oneLine(condition.Message))
}

// podLines are the pods of a component; of many, only those that are not ready.
func podLines(pods []Pod, style Style) []node {
	var lines []node
	isReady := func(pod Pod) bool { return pod.State == PodReady }
	shown := pods
	if len(pods) > mostPods {
		shown = slices.DeleteFunc(slices.Clone(pods), isReady)
	}
	ready := len(pods) - len(shown)
	hidden := max(len(shown)-2*mostPods, 0)
	for _, pod := range shown[:len(shown)-hidden] {
		line := fmt.Sprintf("%s  %s", placeOf(pod), style.paint(pod.State.color(), string(pod.State)))
		if pod.Message != "" {
			line += "  " + oneLine(pod.Message)
		}
		said := node{text: line}
		for i := range pod.Crashes {
			said.children = append(said.children, pod.Crashes[i].lines()...)
		}
		lines = append(lines, said)
	}
	if hidden > 0 {
		lines = append(lines, node{text: fmt.Sprintf("%d others are not ready either; -o json has them", hidden)})
	}
	if ready > 0 {
		lines = append(lines, node{text: fmt.Sprintf("%s on %d nodes", style.paint(green, string(PodReady)), ready)})
	}
	return lines
}

func placeOf(pod Pod) string {
	if pod.Node == "" {
		return pod.Name + " on no node"
	}
	return pod.Node
}

// barWidth is that of a progress bar.
const barWidth = 20

// bar shows how many pods of a component are new and ready.
func (c *Component) bar() string {
	done := min(c.Updated, c.Ready, c.Desired)
	full := 0
	if c.Desired > 0 {
		full = int(done) * barWidth / int(c.Desired)
	}
	return fmt.Sprintf("[%s%s] %d of %d new and ready", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), done, c.Desired)
}

func (c *Component) color() string {
	if c.Ready < c.Desired || c.Desired == 0 {
		return red
	}
	if c.Message != "" {
		return yellow
	}
	return green
}

func (s State) color() string {
	switch s {
	case StateAvailable:
		return green
	case StateDegraded, StateUnavailable:
		return red
	default:
		return yellow
	}
}

func (s PodState) color() string {
	switch s {
	case PodReady:
		return green
	case PodFailing, PodLost:
		return red
	default:
		return yellow
	}
}
