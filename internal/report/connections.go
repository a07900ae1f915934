// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// Connection is one that is live, as a dashboard's backend tells.
type Connection struct {
	// Mesh whose dashboard tells, as namespace/name.
	Mesh string `json:"mesh"`
	// Service is the network service, where the endpoint is known.
	Service string `json:"service,omitempty"`
	// Client by the name that it goes by in NSM: usually that of its pod.
	Client string `json:"client"`
	// Endpoint, likewise.
	Endpoint string `json:"endpoint,omitempty"`
	// Via are the forwarders between them, from the client on.
	Via []string `json:"via"`
	// Healthy: NSM does not call it down.
	Healthy bool `json:"healthy"`
}

// graphPart is a node or an edge of the graph that the backend draws
// (cmd-dashboard-backend, model.go).
type graphPart struct {
	Data struct {
		ID     string `json:"id"`
		Type   string `json:"type"`
		Parent string `json:"parent"`
		Source string `json:"source"`
		Target string `json:"target"`
		// Healthy is left out where it is false.
		Healthy bool           `json:"healthy"`
		Custom  map[string]any `json:"customData"`
	} `json:"data"`
}

// drawn is one connection of that graph: its interfaces, and the edges from one to the
// next.
type drawn struct {
	interfaces []string
	next       map[string]string
	isTarget   map[string]bool
	isDown     bool
}

// ConnectionsOf reads what the dashboard's backend of a mesh answers to /nodes and /edges.
// A connection is drawn there as a chain of interfaces, whose IDs hold that of the
// connection. The backend tells parts by the beginnings of their names, so that an
// endpoint or a forwarder with another name hangs beside the chain.
func ConnectionsOf(meshName string, nodes, edges []byte) ([]Connection, error) {
	var points, lines []graphPart
	if err := json.Unmarshal(nodes, &points); err != nil {
		return nil, fmt.Errorf("the dashboard's nodes: %w", err)
	}
	if err := json.Unmarshal(edges, &lines); err != nil {
		return nil, fmt.Errorf("the dashboard's edges: %w", err)
	}
	parts, owner, all := map[string]*graphPart{}, map[string]string{}, map[string]*drawn{}
	for i := range points {
		point := &points[i].Data
		parts[point.ID] = &points[i]
		if id := connectionIn(point.ID); point.Type == "interface" && id != "" {
			owner[point.ID] = point.Parent
			if all[id] == nil {
				all[id] = &drawn{next: map[string]string{}, isTarget: map[string]bool{}}
			}
			all[id].interfaces = append(all[id].interfaces, point.ID)
		}
	}
	for i := range lines {
		line := &lines[i].Data
		if one := all[connectionIn(line.Source)]; one != nil && connectionIn(line.Source) == connectionIn(line.Target) {
			one.next[line.Source], one.isTarget[line.Target] = line.Target, true
			one.isDown = one.isDown || !line.Healthy
		}
	}
	connections := make([]Connection, 0, len(all))
	for _, one := range all {
		connection := one.connection(owner)
		connection.Mesh = meshName
		if endpoint := parts[connection.Endpoint]; endpoint != nil {
			connection.Service, _ = endpoint.Data.Custom["networkService"].(string)
		}
		connections = append(connections, connection)
	}
	slices.SortFunc(connections, func(a, b Connection) int {
		return cmp.Or(cmp.Compare(a.Client, b.Client), cmp.Compare(a.Service, b.Service), cmp.Compare(a.Endpoint, b.Endpoint))
	})
	return connections, nil
}

// connectionIn the ID of an interface, int-c--<connection>--<part>--<interface>; "" for
// any other ID.
func connectionIn(id string) string {
	fields := strings.SplitN(id, "--", 3)
	if len(fields) < 3 || fields[0] != "int-c" && fields[0] != "int-s" {
		return ""
	}
	return fields[1]
}

// connection from the beginning of the chain to its end, and what hangs beside it.
func (d *drawn) connection(owner map[string]string) Connection {
	slices.Sort(d.interfaces)
	var chain []string
	beside := map[string]bool{}
	for _, id := range d.interfaces {
		switch {
		case d.next[id] == "" && !d.isTarget[id]:
			beside[owner[id]] = true
		case !d.isTarget[id]:
			at := id
			for range d.interfaces { // no further, should they go in a circle
				if at != "" && (len(chain) == 0 || chain[len(chain)-1] != owner[at]) {
					chain = append(chain, owner[at])
				}
				at = d.next[at]
			}
		}
	}
	c := Connection{Healthy: !d.isDown, Via: []string{}}
	for name := range beside {
		if !slices.Contains(chain, name) {
			chain = append(chain, name)
		}
	}
	if len(chain) > 0 {
		c.Client = chain[0]
	}
	if len(chain) > 1 {
		c.Endpoint = chain[len(chain)-1]
		c.Via = append(c.Via, chain[1:len(chain)-1]...)
	}
	return c
}

// connect adds live connections to a topology: to the clients and endpoints that it has,
// by name.
func (t *Topology) connect(connections []Connection) {
	t.Connections = connections
	for i := range t.Connections {
		c := &t.Connections[i]
		for j := range t.Endpoints {
			if e := &t.Endpoints[j]; c.Service == "" && mesh.IsEndpointOf(e.Name, c.Endpoint) && len(e.Services) == 1 {
				c.Service = e.Services[0]
			}
		}
		for j := range t.Clients {
			if client := &t.Clients[j]; client.Pod == c.Client && c.Healthy {
				client.Connected = append(client.Connected, cmp.Or(c.Service, c.Endpoint))
			}
		}
	}
}

// line is a connection for people.
func (c *Connection) line(style Style) string {
	parts := slices.Concat([]string{c.Client}, c.Via)
	if c.Endpoint != "" {
		parts = append(parts, c.Endpoint)
	}
	state := style.paint(green, "up")
	if !c.Healthy {
		state = style.paint(red, "down")
	}
	text := strings.Join(parts, " -> ") + "  " + state
	if c.Service != "" {
		text += "  NetworkService " + c.Service
	}
	return text
}

// connectionTrees are the live connections, a tree for each mesh.
func (t *Topology) connectionTrees(style Style) []node {
	var trees []node
	for i := range t.Connections {
		c := &t.Connections[i]
		if head := "live connections, as the dashboard of mesh " + c.Mesh + " reports"; len(trees) == 0 || trees[len(trees)-1].text != head {
			trees = append(trees, node{text: head})
		}
		last := &trees[len(trees)-1]
		last.children = append(last.children, node{text: c.line(style)})
	}
	return trees
}

// addConnections draws them, from each client straight to its endpoint.
func (t *Topology) addConnections(g *graph, add func(column int, id, label string, isDim bool)) {
	for i := range t.Connections {
		c := &t.Connections[i]
		from, to := "client "+c.Client, "endpoint "+c.Endpoint
		if at := slices.IndexFunc(t.Clients, func(client Client) bool { return client.Pod == c.Client }); at >= 0 {
			from = "client " + t.Clients[at].Namespace + "/" + c.Client
		}
		if at := slices.IndexFunc(t.Endpoints, func(e Endpoint) bool { return mesh.IsEndpointOf(e.Name, c.Endpoint) }); at >= 0 {
			to = "endpoint " + t.Endpoints[at].Namespace + "/" + t.Endpoints[at].Name
		}
		add(columnClients, from, c.Client, false)
		if c.Endpoint != "" {
			add(columnEndpoints, to, c.Endpoint, false)
			g.lines = append(g.lines, line{from: from, to: to, isLive: c.Healthy, isDashed: !c.Healthy})
		}
	}
}
