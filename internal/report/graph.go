// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package report

import (
	"fmt"
	"html"
	"io"
	"strconv"
	"strings"
)

// graph is a topology as it is drawn: boxes in columns, and lines between them.
type graph struct {
	columns [][]box
	lines   []line
}

type box struct {
	id, label string
	// isDim: what it stands for has expired, or is not there.
	isDim bool
}

type line struct {
	from, to string
	// isDashed: it is asked for, and not known to be there; or it has expired.
	isDashed bool
	// isLive: it is a live connection.
	isLive bool
}

// The columns, from left to right.
const (
	columnClients = iota
	columnServices
	columnEndpoints
	columnManagers
	columnNodes
	columns
)

// graph of the topology: clients, services, endpoints, managers, nodes.
func (t *Topology) graph() graph {
	g := graph{columns: make([][]box, columns)}
	known := map[string]bool{}
	add := func(column int, id, label string, isDim bool) {
		if !known[id] {
			known[id] = true
			g.columns[column] = append(g.columns[column], box{id, label, isDim})
		}
	}
	for i := range t.Services {
		service := &t.Services[i]
		add(columnServices, "service "+service.Namespace+"/"+service.Name, service.Namespace+"/"+service.Name, service.Live == 0)
	}
	for i := range t.Endpoints {
		e := &t.Endpoints[i]
		id := "endpoint " + e.Namespace + "/" + e.Name
		add(columnEndpoints, id, e.Name, e.Expired)
		for _, service := range e.Services {
			g.lines = append(g.lines, line{from: "service " + e.Namespace + "/" + service, to: id, isDashed: e.Expired})
		}
		last := id
		if e.Manager.Value != "" {
			add(columnManagers, "manager "+e.Manager.Value, e.Manager.Value, false)
			g.lines = append(g.lines, line{from: last, to: "manager " + e.Manager.Value, isDashed: e.Expired})
			last = "manager " + e.Manager.Value
		}
		if e.Node.Value != "" {
			add(columnNodes, "node "+e.Node.Value, e.Node.Value, false)
			g.lines = append(g.lines, line{from: last, to: "node " + e.Node.Value})
		}
	}
	for i := range t.Clients {
		client := &t.Clients[i]
		id := "client " + client.Namespace + "/" + client.Pod
		add(columnClients, id, client.Namespace+"/"+client.Pod, false)
		for j := range t.Services {
			for _, name := range client.Names {
				if t.Services[j].Name == name {
					g.lines = append(g.lines, line{from: id, to: "service " + t.Services[j].Namespace + "/" + name, isDashed: true})
				}
			}
		}
	}
	t.addConnections(&g, add)
	g.lines = unique(g.lines)
	return g
}

func unique(lines []line) []line {
	known := map[line]bool{}
	var all []line
	for _, one := range lines {
		if !known[one] {
			known[one] = true
			all = append(all, one)
		}
	}
	return all
}

// Dot writes the topology for Graphviz.
func (t *Topology) Dot(out io.Writer, _ Style) {
	g := t.graph()
	write := func(format string, args ...any) { _, _ = fmt.Fprintf(out, format+"\n", args...) }
	write("digraph nsm {\n  rankdir=LR;\n  node [shape=box];")
	for _, column := range g.columns {
		for _, box := range column {
			style := ""
			if box.isDim {
				style = ", style=dashed"
			}
			write("  %s [label=%s%s];", strconv.Quote(box.id), strconv.Quote(box.label), style)
		}
	}
	for _, line := range g.lines {
		style := ""
		switch {
		case line.isDashed:
			style = " [style=dashed]"
		case line.isLive:
			style = " [style=bold]"
		}
		write("  %s -> %s%s;", strconv.Quote(line.from), strconv.Quote(line.to), style)
	}
	write("}")
}

// The measures of a drawing.
const (
	boxWidth, boxHeight = 260, 28
	columnGap, rowGap   = 90, 14
	margin, headHeight  = 20, 30
	letterWidth         = 7
)

// heads of the columns.
var heads = [columns]string{"clients (asked for)", "network services", "endpoints", "managers", "nodes"}

// SVG draws the topology.
func (t *Topology) SVG(out io.Writer, _ Style) {
	g := t.graph()
	rows := 0
	for _, column := range g.columns {
		rows = max(rows, len(column))
	}
	write := func(format string, args ...any) { _, _ = fmt.Fprintf(out, format+"\n", args...) }
	write(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`,
		2*margin+columns*boxWidth+(columns-1)*columnGap, 2*margin+headHeight+rows*(boxHeight+rowGap))
	places := map[string][2]int{}
	for i, column := range g.columns {
		x := margin + i*(boxWidth+columnGap)
		write(`<text x="%d" y="%d" font-weight="bold">%s</text>`, x, margin+headHeight/2, heads[i])
		for row, box := range column {
			places[box.id] = [2]int{x, margin + headHeight + row*(boxHeight+rowGap)}
		}
	}
	for _, line := range g.lines {
		from, to := places[line.from], places[line.to]
		write(`<line x1="%d" y1="%d" x2="%d" y2="%d" stroke="#888"%s%s/>`,
			from[0]+boxWidth, from[1]+boxHeight/2, to[0], to[1]+boxHeight/2, dashed(line.isDashed), bold(line.isLive))
	}
	for _, column := range g.columns {
		for _, box := range column {
			at := places[box.id]
			write(`<rect x="%d" y="%d" width="%d" height="%d" rx="4" fill="#fff" stroke="#333"%s/>`, at[0], at[1], boxWidth, boxHeight, dashed(box.isDim))
			write(`<text x="%d" y="%d"><title>%s</title>%s</text>`, at[0]+8, at[1]+boxHeight/2+4, html.EscapeString(box.label), html.EscapeString(fitted(box.label)))
		}
	}
	write("</svg>")
}

func dashed(is bool) string {
	if is {
		return ` stroke-dasharray="4"`
	}
	return ""
}

func bold(is bool) string {
	if is {
		return ` stroke-width="3"`
	}
	return ""
}

// fitted is a label that fits into a box: the end of a name tells more than its beginning.
func fitted(label string) string {
	letters, most := []rune(label), (boxWidth-16)/letterWidth
	if len(letters) <= most {
		return label
	}
	return strings.Repeat(".", 2) + string(letters[len(letters)-most+2:])
}
