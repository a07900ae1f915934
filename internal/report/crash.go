// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package report

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/networkservicemesh/nsm-operator/internal/health"
)

// Crash is a container that crashes, and what it said last.
type Crash struct {
	// Container that crashes.
	Container string `json:"container"`
	// ExitCode of the run that crashed.
	ExitCode int32 `json:"exitCode"`
	// Reason in Kubernetes' words, such as OOMKilled.
	Reason string `json:"reason,omitempty"`
	// Restarts is how often the container was started again.
	Restarts int32 `json:"restarts"`
	// Log is the end of the log of the run that crashed, without secrets.
	Log []string `json:"log,omitempty"`
	// NotSeen tells why there is no log.
	NotSeen string `json:"notSeen,omitempty"`

	// Namespace and Pod of the container. Previous: the run that crashed is the one before
	// the current one.
	Namespace string `json:"-"`
	Pod       string `json:"-"`
	Previous  bool   `json:"-"`
}

const (
	// MostCrashes is how many containers' last words are shown.
	MostCrashes = 5
	// MostLines is how many lines of its log a container has.
	MostLines = 10
	// MostLine is how long each of them may be, in bytes.
	MostLine = 300
)

// CrashesIn some pods: the containers that crash, up to MostCrashes of them.
func CrashesIn(pods []corev1.Pod) []Crash {
	var crashes []Crash
	for i := range pods {
		pod := &pods[i]
		if pod.DeletionTimestamp != nil || health.IsReady(pod) {
			continue
		}
		for _, status := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
			last := cmp.Or(status.State.Terminated, status.LastTerminationState.Terminated)
			if status.Ready || last == nil || last.ExitCode == 0 {
				continue
			}
			crashes = append(crashes, Crash{
				Container: status.Name, ExitCode: last.ExitCode, Reason: last.Reason, Restarts: status.RestartCount,
				Namespace: pod.Namespace, Pod: pod.Name, Previous: status.State.Terminated == nil,
			})
		}
	}
	return crashes[:min(len(crashes), MostCrashes)]
}

// crashesOf a pod.
func crashesOf(crashes []Crash, pod *corev1.Pod) []Crash {
	return slices.DeleteFunc(slices.Clone(crashes), func(c Crash) bool { return c.Namespace != pod.Namespace || c.Pod != pod.Name })
}

// lines of a crash for people.
func (c *Crash) lines() []node {
	if c.NotSeen != "" {
		return []node{{text: "last lines of container " + c.Container + " not seen: " + c.NotSeen}}
	}
	if len(c.Log) == 0 {
		return nil
	}
	last := node{text: "last lines of container " + c.Container + ":"}
	for _, line := range c.Log {
		last.children = append(last.children, node{text: line})
	}
	return []node{last}
}
