// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package health

import (
	"fmt"
	"strings"
)

// mostExamples is how many pods a message names.
const mostExamples = 3

// Sample are pods of users, of which a message names a few.
type Sample struct {
	// Count of all of them.
	Count int
	// examples are the first few, as namespace/name.
	examples []string
}

// Add a pod.
func (s *Sample) Add(namespace, name string) {
	if s.Count++; len(s.examples) < mostExamples {
		s.examples = append(s.examples, namespace+"/"+name)
	}
}

// names are those of the first few, and how many more there are.
func (s *Sample) names() string {
	names := strings.Join(s.examples, ", ")
	if more := s.Count - len(s.examples); more > 0 {
		names += fmt.Sprintf(" and %d more", more)
	}
	return names
}

// DriverMounts are pods that mount volumes of a mesh's CSI driver, which is to go.
type DriverMounts struct{ Sample }

// String tells which they are, as what is waited for.
func (d DriverMounts) String() string {
	pods := "1 pod that mounts"
	if d.Count > 1 {
		pods = fmt.Sprintf("%d pods that mount", d.Count)
	}
	return pods + " volumes of NSM's CSI driver, which goes after them: " + d.names()
}
