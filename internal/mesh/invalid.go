// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh

import (
	"fmt"
	"slices"
	"strings"
)

// Invalid tells what keeps a mesh from being rendered, with the path in the spec:
// "" when nothing does. Admission refuses all of it; this is for an NSM that came
// past admission.
func Invalid(in Input) string {
	var problems []string
	for i, forwarder := range in.NSM.Spec.Forwarders {
		if _, known := forwarderKinds[forwarder.Type]; !known {
			problems = append(problems, fmt.Sprintf("spec.forwarders[%d].type: %q: must be vpp, ovs or sriov", i, forwarder.Type))
		}
	}
	if len(problems) == 0 {
		problems = clashes(Components(in))
	}
	return strings.Join(problems, "; ")
}

// reservedAccounts are ServiceAccounts whose owner is not the mesh: Kubernetes
// makes the first one in every namespace and hands it to every pod that names
// none; the operator runs as the second.
var reservedAccounts = []string{"default", "nsm-operator"}

// clashes tells of objects that two components would have, or that are not the
// mesh's to have.
func clashes(components []Component) []string {
	var problems []string
	owners := map[string]Component{}
	for _, component := range components {
		for _, object := range Objects([]Component{component}) {
			kind := object.GetObjectKind().GroupVersionKind().Kind
			id := kind + " " + object.GetName()
			if kind == "ServiceAccount" && slices.Contains(reservedAccounts, object.GetName()) {
				problems = append(problems, fmt.Sprintf("%s would take over %s, which is not the mesh's: give the %s another name", component, id, component.Role))
			}
			if owner, taken := owners[id]; taken {
				problems = append(problems, fmt.Sprintf("%s and %s would both have the %s: give one of them another name", owner, component, id))
				// One name is one mistake, however many objects have it.
				break
			}
			owners[id] = component
		}
	}
	return problems
}

// String names a component for people: "forwarder vpp-1".
func (c Component) String() string {
	return string(c.Role) + " " + c.Workload.GetName()
}
