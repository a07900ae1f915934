// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package health

import (
	"slices"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

// Stage is what has become of one workload in a change of release.
type Stage struct {
	// Number of the stage, from 1 on.
	Number   int
	Workload *Workload
	// From is the release that it ran before, where the stage has begun; else "".
	From string
	// Ended: it runs the new one.
	Ended bool
}

// Stages are those that have begun or ended between two statuses. A workload whose pods
// come and go after its stage, when the next one has begun, has not ended again.
func (m *Mesh) Stages(before, after *nsmv1beta1.NSMStatus) []Stage {
	target := m.Release.String()
	of := func(status *nsmv1beta1.NSMStatus, w *Workload) nsmv1beta1.ComponentStatus {
		i := slices.IndexFunc(status.Components, func(c nsmv1beta1.ComponentStatus) bool { return c.Name == w.Name() && c.Kind == w.Kind() })
		if i < 0 {
			return nsmv1beta1.ComponentStatus{}
		}
		return status.Components[i]
	}
	isUp := func(c nsmv1beta1.ComponentStatus) bool { return c.Version == target && c.Message == "" }
	var stages []Stage
	for i := range m.Workloads {
		w := &m.Workloads[i]
		was, is := of(before, w), of(after, w)
		stage := Stage{Number: i + 1, Workload: w}
		if is.Version == target && was.Version != target {
			stage.From = was.Version
		}
		isNextBegun := i+1 < len(m.Workloads) && of(before, &m.Workloads[i+1]).Version == target
		stage.Ended = isUp(is) && !isUp(was) && !isNextBegun && w.Live != nil
		if stage.From != "" || stage.Ended {
			stages = append(stages, stage)
		}
	}
	return stages
}

// Running is the workload whose stage runs: it has been told to change, and is not up yet;
// nil for none.
func (m *Mesh) Running() *Workload {
	i := m.current()
	if !m.Staged || m.NotBegun != "" || len(m.Pulls) > 0 || i < 0 {
		return nil
	}
	w := &m.Workloads[i]
	if w.Held || !w.IsWritten() || w.Version() != m.Release.String() {
		return nil
	}
	return w
}

// current is the first workload that is not yet as the change makes it; -1 for none.
func (m *Mesh) current() int {
	return slices.IndexFunc(m.Workloads, func(w Workload) bool { return w.Held || !w.IsWritten() || !w.IsReady() })
}
