// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package rollout says what the operator does next with a mesh: waves of objects to
// write and to delete, each with the gate before it. A fresh mesh, a changed spec, a
// change of release, a rollback, an adoption and a deletion are all plans. They are
// pure functions of what is wanted and of what was observed, and can be printed;
// controllers/execute.go carries them out.
package rollout

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"

	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// Plan is what happens next, wave by wave. A wave whose gate is closed is left out;
// the waves after it have gates of their own.
type Plan []Wave

// Wave is what happens at the same time.
type Wave struct {
	// Name says what the wave is about, for people.
	Name string
	// Gate has to be open; the zero value always is.
	Gate Gate
	// Parts are written at the same time.
	Parts []Part
	// Delete is what goes, after the parts are written.
	Delete Deletion
	// Service is to find other pods, once the parts are written; nil for none.
	Service *Redirect
	// Namespace is what happens to the labels of the mesh's namespace.
	Namespace NamespaceLabels
	// Releases: the NSM's finalizer is taken off it.
	Releases bool
	// OnFailure is what a failure means for the waves after this one.
	OnFailure Failure
	// AfterSuccess: the wave is left out where something has failed before it.
	AfterSuccess bool
}

// Part of a wave is a set of objects that are written together.
type Part struct {
	// Gate has to be open; else the objects are left as they are.
	Gate Gate
	// Finalizer: the NSM gets the operator's finalizer first, since no owner
	// reference removes the objects.
	Finalizer bool
	Objects   []mesh.Object
}

// Gate is what has to be seen in the cluster before a wave, or a part of one.
type Gate struct {
	// Preflight tells what keeps the gate closed from the outset; "" for nothing.
	Preflight string
	// Written: the objects are there, and were written last from what is wanted now.
	// An old object never counts for the new one.
	Written []mesh.Object
	// Ready: the components' workloads are ready, and Written.
	Ready []mesh.Component
	// RolledOut: the role has no pods of an older definition.
	RolledOut mesh.Role
	// Up: all of the mesh is ready.
	Up bool
	// Gone: no object of these kinds is left of the mesh, and none was for an earlier wave of
	// the same pass.
	Gone []mesh.Object
}

// Deletion is what a wave deletes.
type Deletion struct {
	// Kinds are the kinds to delete: all objects of the mesh that have the Labels,
	// except those in Keep and those of the roles in Spare.
	Kinds  []mesh.Object
	Labels map[string]string
	Keep   []mesh.Object
	Spare  []mesh.Role
	// Unseen are kinds with objects that the cache does not show, because somebody has
	// changed their labels. These objects are deleted as well.
	Unseen []mesh.Object
	// Others are objects that somebody else has made for the mesh, and that it has no
	// place for.
	Others []mesh.Object
	// Callers are configurations by which the API server calls the admission webhook.
	Callers Callers
	// Entries are what a registry has kept in the API.
	Entries bool
	// Pods are those whose workloads are to make new ones.
	Pods []mesh.Object
}

// Selector finds the objects of Kinds that go, unless they are kept.
func (d Deletion) Selector() labels.Selector {
	selector := labels.SelectorFromSet(d.Labels)
	for _, role := range d.Spare {
		not, err := labels.NewRequirement(mesh.LabelComponent, selection.NotEquals, []string{string(role)})
		if err != nil {
			return labels.Nothing() // a role is a value of a label: there is no such error
		}
		selector = selector.Add(*not)
	}
	return selector
}

// Callers are configurations by which the API server calls the admission webhook.
type Callers string

// The callers.
const (
	// OldCallers are what pods of webhooks before v1.12.0 have registered, and where
	// the NSM may take a mesh over, all that is not the operator's.
	OldCallers Callers = "what calls the admission webhook and is not the operator's"
	// AllCallers are the operator's own, too.
	AllCallers Callers = "what calls the admission webhook"
)

// Redirect has a Service find other pods.
type Redirect struct {
	Service  *corev1.Service
	Selector map[string]string
}

// NamespaceLabels say what happens to the labels of the mesh's namespace.
type NamespaceLabels string

// What happens to the labels.
const (
	SetLabels    NamespaceLabels = "set labels that let the mesh's pods in"
	RemoveLabels NamespaceLabels = "remove the operator's labels"
)

// Failure is what a failure of a wave means.
type Failure int

// What failures mean.
const (
	// Stop: no further wave.
	Stop Failure = iota
	// GoOn: it is reported, and what does not depend on the wave goes on.
	GoOn
	// ReportApart: it is reported beside what became of the mesh.
	ReportApart
	// ReportHeld: as ReportApart where a finalizer holds the object before, else as GoOn.
	ReportHeld
	// LogOnly: it is tried again elsewhere.
	LogOnly
)

// String is the plan for people, a line a step.
func (p Plan) String() string {
	var text strings.Builder
	for i, wave := range p {
		fmt.Fprintf(&text, "%d. %s%s\n", i+1, wave.Name, wave.Gate)
		for _, step := range wave.steps() {
			fmt.Fprintf(&text, "   %s\n", step)
		}
	}
	return text.String()
}

// steps of a wave, in words.
func (w Wave) steps() []string {
	var steps []string
	for _, part := range w.Parts {
		text := "write " + list(part.Objects) + part.Gate.String()
		if part.Finalizer {
			text = "add the finalizer, " + text
		}
		steps = append(steps, text)
	}
	steps = append(steps, w.Delete.steps()...)
	if w.Service != nil {
		steps = append(steps, "have "+list([]mesh.Object{w.Service.Service})+" find "+labels.Set(w.Service.Selector).String())
	}
	if w.Namespace != "" {
		steps = append(steps, string(w.Namespace))
	}
	if w.Releases {
		steps = append(steps, "remove the finalizer")
	}
	return steps
}

func (d Deletion) steps() []string {
	var steps []string
	if len(d.Kinds) > 0 {
		text := "delete " + kinds(d.Kinds)
		if len(d.Keep) > 0 {
			text += fmt.Sprintf(" but for %d that are wanted", len(d.Keep))
		}
		if len(d.Spare) > 0 {
			text += fmt.Sprintf(", not of %v", d.Spare)
		}
		steps = append(steps, text)
	}
	if len(d.Unseen) > 0 {
		steps = append(steps, "delete what the cache does not show of "+kinds(d.Unseen))
	}
	if len(d.Others) > 0 {
		steps = append(steps, "delete "+list(d.Others))
	}
	if d.Callers != "" {
		steps = append(steps, "delete "+string(d.Callers))
	}
	if d.Entries {
		steps = append(steps, "delete the registry's entries")
	}
	if len(d.Pods) > 0 {
		steps = append(steps, "delete "+list(d.Pods))
	}
	return steps
}

// String is the gate for people; "" for one that is always open.
func (g Gate) String() string {
	var when []string
	if g.Preflight != "" {
		return ": " + g.Preflight
	}
	if len(g.Written) > 0 {
		when = append(when, list(g.Written)+" is written")
	}
	if len(g.Ready) > 0 {
		var workloads []mesh.Object
		for _, component := range g.Ready {
			workloads = append(workloads, component.Workload)
		}
		when = append(when, list(workloads)+" is ready")
	}
	if g.RolledOut != "" {
		when = append(when, "no old pod of "+string(g.RolledOut)+" is left")
	}
	if g.Up {
		when = append(when, "all is ready")
	}
	if len(g.Gone) > 0 {
		when = append(when, "nothing is left of "+kinds(g.Gone))
	}
	if len(when) == 0 {
		return ""
	}
	return ", when " + strings.Join(when, " and ")
}

// list names objects.
func list(objects []mesh.Object) string {
	var names []string
	for _, object := range objects {
		names = append(names, mesh.KindOf(object)+" "+object.GetName())
	}
	return strings.Join(names, ", ")
}

func kinds(objects []mesh.Object) string {
	var names []string
	for _, object := range objects {
		names = append(names, mesh.KindOf(object))
	}
	return strings.Join(names, ", ")
}
