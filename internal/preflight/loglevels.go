// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package preflight

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// loud are the levels at which logs have whole requests at each step.
var loud = []string{"DEBUG", "TRACE"}

// logLevels looks at what the programs are given: the level of the mesh, and what a
// component's own variables say instead, those of injected clients included.
func logLevels(f *Facts) []finding {
	var found []finding
	for i := range f.Meshes {
		m := &f.Meshes[i]
		level := string(m.Input.NSM.Spec.LogLevel)
		if isLoud(level) {
			found = append(found, warning("mesh %s: spec.logLevel is %s", m.name(), level))
		}
		for _, component := range m.Components {
			for _, said := range loudIn(&mesh.PodTemplateOf(component.Workload).Spec, level) {
				found = append(found, warning("mesh %s: %s %s: %s", m.name(), mesh.KindOf(component.Workload), component.Workload.GetName(), said))
			}
		}
	}
	return found
}

func isLoud(level string) bool {
	return slices.ContainsFunc(loud, func(name string) bool { return strings.EqualFold(name, level) })
}

// loudIn tells which variables of a pod have a level that is loud, and not the mesh's.
func loudIn(pod *corev1.PodSpec, level string) []string {
	var all []string
	add := func(container, name, value, whose string) {
		if strings.HasSuffix(name, "LOG_LEVEL") && isLoud(value) && !strings.EqualFold(value, level) {
			all = append(all, fmt.Sprintf("%s of %s is %s", name, whose+container, value))
		}
	}
	for _, container := range slices.Concat(pod.InitContainers, pod.Containers) {
		for _, variable := range container.Env {
			add(container.Name, variable.Name, variable.Value, "container ")
			if variable.Name != mesh.InjectedEnv {
				continue
			}
			for pair := range strings.SplitSeq(variable.Value, ",") {
				name, value, _ := strings.Cut(pair, "=")
				add("", name, value, "injected clients")
			}
		}
	}
	return all
}
