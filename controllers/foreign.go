// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"fmt"
	"strings"

	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// reasonNotOurs of the condition Degraded: somebody else's object is in the way.
const reasonNotOurs = "NotOurs"

// see notes what is in the way of the mesh, and which workloads wait for that.
func (o *observation) see(plan plan) {
	o.notOurs = plan.survey.NotOurs(plan.objects)
	for _, component := range plan.components {
		if !plan.survey.Leaves(component.Workload) {
			continue
		}
		inTheWay := plan.survey.NotOurs(clientObjects(mesh.Objects([]mesh.Component{component})))
		if len(inTheWay) == 0 {
			inTheWay = o.notOurs
		}
		for i := range o.workloads {
			if o.workloads[i].name == component.Workload.GetName() {
				o.workloads[i].blockedBy = inTheWay[0].String()
			}
		}
	}
}

// notOursMessage tells what is in the way, and what to do.
func (o *observation) notOursMessage() string {
	var inTheWay []string
	for _, one := range o.notOurs {
		inTheWay = append(inTheWay, fmt.Sprintf("%s is in the way: it is not the mesh's (%s)", one.Change, one.Whose))
	}
	return strings.Join(inTheWay, "; ") + "; the operator leaves it alone, and with it the part of the mesh that needs the name: " +
		"delete it if nobody needs it, or run the mesh in another namespace"
}
