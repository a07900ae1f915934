// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// plan is what will be done, for somebody to read before it is.
type plan struct {
	context, server, kubernetes string
	isOpenShift                 bool
	from, to, image             string
	// namespaces that are made, and outside what is made outside of them: kinds and names.
	namespaces, outside []string
	keep                bool
}

// notChecked is what cannot be seen before pods run; the step that finds it out.
var notChecked = []string{
	"limits of inotify on the nodes, except on kind: the mesh does not become Available, and its pods say \"too many open files\"",
	"packets between pods, and DNS in them: the ping says which hop fails",
	"the API server reaching webhooks: the installation tries the operator's, and a step of its own NSM's",
	"pulling images: the installation and the mesh say which one a node cannot pull",
}

// notTriedOnOpenShift is what two steps leave out there: nobody has yet seen how its
// constraints judge a pod that has no account of its own and that NSM's webhook changes.
const notTriedOnOpenShift = "NSM's webhook on OpenShift, by itself and while one of its pods is replaced: create a pod with the annotation networkservicemesh.io"

// notChecked is what this cluster leaves open.
func (p *plan) notChecked() []string {
	if p.isOpenShift {
		return append(slices.Clone(notChecked), notTriedOnOpenShift)
	}
	return notChecked
}

func (p *plan) text(out io.Writer) {
	kind := "Kubernetes"
	if p.isOpenShift {
		kind = "OpenShift, Kubernetes"
	}
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(out, format+"\n", args...) }
	say("This tests the cluster of context %q: %s (%s %s).", p.context, p.server, kind, p.kubernetes)
	say("")
	say("It installs the operator (%s), makes a mesh of NSM %s, pings through it, upgrades it to %s while a ping runs,", p.image, p.from, p.to)
	if p.keep {
		say("and, with KEEP=1, leaves all of that: make undeploy removes it, but for the namespace of the clients.")
	} else {
		say("and removes all of that.")
	}
	say("Pods of the mesh are privileged and run on every node that fits.")
	say("")
	say("Namespaces that it makes: %s.", strings.Join(p.namespaces, ", "))
	say("Outside of them it makes:")
	for _, object := range p.outside {
		say("  %s", object)
	}
	say("Meanwhile Kubernetes lets whoever has the ClusterRole view, edit or admin read NSMs, too.")
	say("Nothing else is changed.")
	say("")
	say("Not checked beforehand:")
	for _, one := range p.notChecked() {
		say("  %s", one)
	}
}
