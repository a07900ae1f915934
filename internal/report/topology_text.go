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
	"time"
)

// Text writes the topology for people: each service with its endpoints, and then who
// asks for one.
func (t *Topology) Text(out io.Writer, style Style) {
	for i := range t.Services {
		writeTree(out, t.tree(&t.Services[i], style))
	}
	if len(t.Clients) > 0 {
		clients := node{text: "clients; what they ask for, not what they are connected to"}
		if len(t.Connections) > 0 {
			clients.text = "clients; what they ask for, and to what they are connected as far as that was seen"
		}
		for i := range t.Clients {
			clients.children = append(clients.children, node{text: t.Clients[i].line()})
		}
		writeTree(out, clients)
	}
	for _, tree := range t.connectionTrees(style) {
		writeTree(out, tree)
	}
	writeNotSeen(out, style, t.NotSeen)
}

func (t *Topology) tree(service *Service, style Style) node {
	color := green
	if service.Live == 0 {
		color = red
	}
	text := fmt.Sprintf("NetworkService %s/%s  %s", service.Namespace, service.Name,
		style.paint(color, fmt.Sprintf("%d of %d endpoints are live", service.Live, len(service.Endpoints))))
	if service.Undeclared {
		text += "  " + style.paint(yellow, "there is no NetworkService of this name")
	}
	root := node{text: text}
	for i := range t.Endpoints {
		endpoint := &t.Endpoints[i]
		if endpoint.Namespace == service.Namespace && slices.Contains(endpoint.Services, service.Name) {
			root.children = append(root.children, node{text: endpoint.line(style)})
		}
	}
	return root
}

// line is an endpoint with its facts, each with its source in parentheses.
func (e *Endpoint) line(style Style) string {
	parts := []string{e.Name}
	if e.Expired {
		expired := fmt.Sprintf("expired %s ago", time.Duration(e.ExpiredFor)*time.Second)
		parts = append(parts, style.paint(red, expired))
	}
	parts = append(parts, "node "+e.Node.text(), "manager "+e.Manager.text())
	if e.Pod.Value != e.Namespace+"/"+e.Name {
		parts = append(parts, "pod "+e.Pod.text())
	}
	return strings.Join(parts, "  ")
}

func (f Fact) text() string {
	if f.Value == "" {
		return "not known"
	}
	return fmt.Sprintf("%s (%s)", f.Value, f.Source)
}

func (c *Client) line() string {
	text := c.Namespace + "/" + c.Pod
	if c.Node != "" {
		text += "  node " + c.Node
	}
	text += "  asks for " + strings.Join(c.Names, ", ")
	if len(c.Connected) > 0 {
		text += "  connected to " + strings.Join(c.Connected, ", ")
	}
	return text
}
