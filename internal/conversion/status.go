// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package conversion

import (
	"encoding/json"
	"reflect"

	nsmv1alpha1 "github.com/networkservicemesh/nsm-operator/apis/v1alpha1"
	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

// The status of v1alpha1 is that of v1beta1 and the phase that v1alpha1 always
// had, which sums it up. So each follows from the other, and nothing of it is
// carried: an annotation could then write a status that only the operator may
// write. What else an older operator left in a status is gone.

const phase = "phase"

func statusUp(status any) any {
	fields, ok := status.(object)
	if !ok {
		return nothing
	}
	rest, _ := known(fields, reflect.TypeFor[nsmv1beta1.NSMStatus]()).(object)
	var typed nsmv1beta1.NSMStatus
	if data, err := json.Marshal(rest); err != nil || json.Unmarshal(data, &typed) != nil {
		return nothing
	}
	for name := range typed.Unreadable {
		delete(rest, name)
	}
	if len(rest) == 0 && len(fields) > 0 {
		return nothing
	}
	return rest
}

func statusDown(in object) any {
	status, isObject := clone(get(in, "status")).(object)
	switch {
	case isObject && len(status) == 0:
		return status
	case !isObject && !isDeleting(in):
		return nothing
	case !isObject:
		status = object{}
	}
	status[phase] = string(phaseOf(in))
	return status
}

func isDeleting(nsm object) bool {
	return text(child(nsm, "metadata"), "deletionTimestamp") != ""
}

// phaseOf sums the conditions up as the released operators did.
func phaseOf(nsm object) nsmv1alpha1.NSMPhase {
	conditions, _ := child(nsm, "status")["conditions"].([]any)
	switch {
	case isDeleting(nsm):
		return nsmv1alpha1.NSMPhaseTerminating
	case isTrue(conditions, nsmv1beta1.ConditionAvailable):
		return nsmv1alpha1.NSMPhaseRunning
	case len(conditions) > 0:
		return nsmv1alpha1.NSMPhaseCreating
	default:
		return nsmv1alpha1.NSMPhasePending
	}
}

func isTrue(conditions []any, conditionType string) bool {
	for _, item := range conditions {
		condition, _ := item.(object)
		if text(condition, "type") == conditionType {
			return text(condition, "status") == "True"
		}
	}
	return false
}
