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
	"io"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Diff is what would change.
type Diff struct {
	metav1.TypeMeta `json:",inline"`
	// Meshes that were compared.
	Meshes []MeshDiff `json:"meshes"`
	// NotSeen tells what could not be read, and so is not compared.
	NotSeen []string `json:"notSeen,omitempty"`
}

// MeshDiff is what would change of one mesh.
type MeshDiff struct {
	// Namespace of the NSM.
	Namespace string `json:"namespace"`
	// Name of the NSM.
	Name string `json:"name"`
	// From is the release of NSM that runs.
	From string `json:"from,omitempty"`
	// To is the release of NSM that it is compared with.
	To string `json:"to,omitempty"`
	// Warnings are what is known to go wrong on the way.
	Warnings []string `json:"warnings,omitempty"`
	// Objects that would change.
	Objects []ObjectChange `json:"objects"`
	// Unchanged counts the objects that would stay as they are.
	Unchanged int `json:"unchanged"`
}

// ObjectChange is what would change of one object.
type ObjectChange struct {
	// Change is Create, Update, Recreate, Delete, or InTheWay for somebody else's object.
	Change Change `json:"change"`
	// APIVersion of the object.
	APIVersion string `json:"apiVersion"`
	// Kind of the object.
	Kind string `json:"kind"`
	// Namespace of the object; missing for one of the whole cluster.
	Namespace string `json:"namespace,omitempty"`
	// Name of the object.
	Name string `json:"name"`
	// Message tells more, where there is more to tell.
	Message string `json:"message,omitempty"`
	// ReplacesPods: its pods have another definition afterwards.
	ReplacesPods bool `json:"replacesPods,omitempty"`
	// Fields that would change.
	Fields []FieldChange `json:"fields,omitempty"`
}

// Change is what happens to an object.
type Change string

// The changes.
const (
	ChangeCreate Change = "Create"
	ChangeUpdate Change = "Update"
	// ChangeRecreate: deleted and created anew, since a field of it cannot change.
	ChangeRecreate Change = "Recreate"
	ChangeDelete   Change = "Delete"
	// ChangeNone: somebody else's object is in the way, and stays.
	ChangeNone Change = "InTheWay"
)

// FieldChange is one field; without a value it is not there.
type FieldChange struct {
	// Path of the field.
	Path string `json:"path"`
	// From is its value now.
	From any `json:"from,omitempty"`
	// To is its value afterwards.
	To any `json:"to,omitempty"`
}

// NewDiff makes a result of what was found out.
func NewDiff(meshes []MeshDiff, notSeen []string) *Diff {
	for i := range meshes {
		m := &meshes[i]
		if m.Objects == nil {
			m.Objects = []ObjectChange{}
		}
		for j := range m.Objects {
			object := &m.Objects[j]
			object.ReplacesPods = object.Change == ChangeRecreate && isWorkload(object.Kind) ||
				slices.ContainsFunc(object.Fields, func(field FieldChange) bool {
					return isWorkload(object.Kind) && strings.HasPrefix(field.Path, ".spec.template")
				})
		}
		slices.SortStableFunc(m.Objects, func(a, b ObjectChange) int {
			return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
		})
	}
	return &Diff{TypeMeta: TypeOf("Diff"), Meshes: meshes, NotSeen: notSeen}
}

func isWorkload(kind string) bool { return kind == "Deployment" || kind == "DaemonSet" }

// IsEmpty reports whether nothing would change.
func (d *Diff) IsEmpty() bool {
	return !slices.ContainsFunc(d.Meshes, func(m MeshDiff) bool { return len(m.Objects) > 0 })
}

// Text writes the difference for people; of a mesh that would stay as it is, nothing.
func (d *Diff) Text(out io.Writer, style Style) {
	for i := range d.Meshes {
		if m := &d.Meshes[i]; len(m.Objects) > 0 {
			m.text(out, style)
		}
	}
	writeNotSeen(out, style, d.NotSeen)
}

func (m *MeshDiff) text(out io.Writer, style Style) {
	pods := 0
	for i := range m.Objects {
		if m.Objects[i].ReplacesPods {
			pods++
		}
	}
	head := fmt.Sprintf("NSM %s/%s", m.Namespace, m.Name)
	if m.From != m.To {
		head += fmt.Sprintf("  %s -> %s", cmp.Or(m.From, "nothing"), m.To)
	}
	_, _ = fmt.Fprintf(out, "%s: %d of %d objects would change, %d workloads would replace their pods\n",
		head, len(m.Objects), len(m.Objects)+m.Unchanged, pods)
	for _, warning := range m.Warnings {
		_, _ = fmt.Fprintln(out, style.paint(yellow, "warning: "+warning))
	}
	for i := range m.Objects {
		m.Objects[i].text(out, style)
	}
	_, _ = fmt.Fprintln(out)
}

func (o *ObjectChange) text(out io.Writer, style Style) {
	name := o.Name
	if o.Namespace != "" {
		name = o.Namespace + "/" + o.Name
	}
	mark, color := o.Change.mark()
	line := fmt.Sprintf("%s %s %s", mark, o.Kind, name)
	switch {
	case o.Change == ChangeRecreate:
		line += "  is deleted and created anew, with its pods"
	case o.ReplacesPods:
		line += "  replaces its pods"
	}
	if o.Message != "" {
		line += "  " + oneLine(o.Message)
	}
	_, _ = fmt.Fprintln(out, style.paint(color, line))
	for _, field := range o.Fields {
		_, _ = fmt.Fprintf(out, "    %s: %s -> %s\n", field.Path,
			style.paint(red, shown(field.From)), style.paint(green, shown(field.To)))
	}
}

func (c Change) mark() (mark, color string) {
	switch c {
	case ChangeCreate:
		return "+", green
	case ChangeDelete:
		return "-", red
	case ChangeNone:
		return "!", red
	default:
		return "~", yellow
	}
}

// shown is a value in one line, as JSON.
func shown(value any) string {
	if value == nil {
		return "nothing"
	}
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(text)
}
