// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package support

import (
	"encoding/json"
	"fmt"
	"html/template"
	"strings"

	"github.com/networkservicemesh/nsm-operator/internal/mask"
)

// product is the first line of the file version, as must-gather wants it.
const product = "networkservicemesh/nsm-operator"

// finish writes what tells about the other files.
func (g *gatherer) finish() {
	g.report.mu.Lock()
	defer g.report.mu.Unlock()
	g.addMasked("version", product+"\n"+g.Version+"\n")
	g.addMasked("support.log", g.report.log.String())
	g.addMasked("errors.txt", strings.Join(append(g.report.errors, ""), "\n"))
	var manifest strings.Builder
	encoder := json.NewEncoder(&manifest)
	encoder.SetEscapeHTML(false)
	for i := range g.report.entries {
		// Strings and numbers can always be encoded.
		_ = encoder.Encode(&g.report.entries[i])
	}
	g.addMasked("manifest.jsonl", manifest.String())
	g.addMasked("index.html", g.index())
}

// addMasked adds a file that was written here.
func (g *gatherer) addMasked(name, content string) {
	g.archive.addLast(name, g.Aliases.String(mask.String(content)))
}

// index is the page that says what is there. Texts are masked before they are written
// as HTML, in which they look different.
func (g *gatherer) index() string {
	type condition struct{ Type, Status, Reason, Message string }
	type mesh struct {
		Name, Version string
		Conditions    []condition
	}
	page := struct {
		Version string
		Meshes  []mesh
		Files   []entry
		Errors  []string
	}{Version: g.Version}
	for i := range g.meshes {
		m := &g.meshes[i]
		shown := mesh{Name: m.namespace + "/" + m.name, Version: m.version}
		for _, c := range m.conditions {
			shown.Conditions = append(shown.Conditions, condition{c.Type, string(c.Status), c.Reason, mask.String(c.Message)})
		}
		page.Meshes = append(page.Meshes, shown)
	}
	for i := range g.report.entries {
		if e := g.report.entries[i]; e.File != "" {
			page.Files = append(page.Files, e)
		}
	}
	for _, line := range g.report.errors {
		page.Errors = append(page.Errors, mask.String(line))
	}
	var text strings.Builder
	if err := indexPage.Execute(&text, page); err != nil {
		return fmt.Sprintf("<p>This page could not be made: %v</p>\n", err)
	}
	return text.String()
}

var indexPage = template.Must(template.New("index").Parse(`<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>Support data of Network Service Mesh</title>
<style>body{font-family:sans-serif;margin:2em}table{border-collapse:collapse}td,th{border:1px solid #ccc;padding:.2em .6em;text-align:left;vertical-align:top}</style>
<h1>Support data of Network Service Mesh</h1>
<p>Gathered by kubectl-nsm {{.Version}}. Secrets were not read, and what looks like one is <code>&lt;masked:n&gt;</code>, n bytes long.
<a href="manifest.jsonl">manifest.jsonl</a> lists every request, <a href="support.log">support.log</a> how it went,
<a href="errors.txt">errors.txt</a> what is missing.</p>
<h2>Meshes</h2>
{{range .Meshes}}<h3>{{.Name}} {{.Version}}</h3>
<table><tr><th>condition</th><th>status</th><th>reason</th><th>message</th></tr>
{{range .Conditions}}<tr><td>{{.Type}}</td><td>{{.Status}}</td><td>{{.Reason}}</td><td>{{.Message}}</td></tr>
{{end}}</table>
{{else}}<p>None was seen.</p>
{{end}}<h2>What is missing</h2>
{{range .Errors}}<p>{{.}}</p>
{{else}}<p>Nothing.</p>
{{end}}<h2>Files</h2>
<table><tr><th>file</th><th>from</th><th>bytes</th><th>masked</th></tr>
{{range .Files}}<tr><td><a href="{{.File}}">{{.File}}</a></td><td>{{.Request}}</td><td>{{.Bytes}}</td><td>{{.Masked}}</td></tr>
{{end}}</table>
</html>
`))
