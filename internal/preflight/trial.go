// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package preflight

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/networkservicemesh/nsm-operator/internal/health"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// Trial is what was seen of a client and an endpoint that tried a mesh.
type Trial struct {
	// Mesh is its namespace/name.
	Mesh string
	// Refused is what the API server said last against the namespace or a pod.
	Refused          string
	Endpoint, Client TrialPod
	// Parts are the managers and forwarders of the mesh.
	Parts []corev1.Pod
	// Registered: the registry has a live entry of the endpoint.
	Registered bool
	// PartsUnseen and RegistryUnseen tell why the two could not be seen.
	PartsUnseen, RegistryUnseen string
	// ConnectOnly: no ping was asked for.
	ConnectOnly bool
	// Left is what could not be removed.
	Left []string
	Now  time.Time
}

// TrialPod is a pod of a trial.
type TrialPod struct {
	// Pod as it was last seen; nil for none.
	Pod *corev1.Pod
	// Warnings about it.
	Warnings []corev1.Event
	// Log of what asks for an identity, without secrets; LogUnseen tells why there is none.
	Log, LogUnseen string
}

// hop on the way of a packet. One that fails is the last that is judged.
type hop int

const (
	hopAdmitted hop = iota
	hopScheduled
	hopStarted
	hopIdentified
	hopServed
	hopRegistered
	hopConnected
	hopPinged
)

// judges of the hops. The outcome OK is for one that was passed.
var judges = []func(*Trial) finding{
	(*Trial).admitted, (*Trial).scheduled, (*Trial).started, (*Trial).identified, (*Trial).served, (*Trial).registered, (*Trial).connected, (*Trial).pinged,
}

var passed = finding{outcome: OK}

// findings at a hop of all trials.
func (h hop) findings(f *Facts) []finding {
	var found []finding
	for i := range f.Trials {
		if one := f.Trials[i].at(h); one.outcome != OK {
			one.message = "mesh " + f.Trials[i].Mesh + ": " + one.message
			found = append(found, one)
		}
	}
	return found
}

// at a hop: what is behind one that failed was not reached. Where there is a connection,
// all hops before it were passed.
func (t *Trial) at(h hop) finding {
	if h < hopConnected && t.isConnected() {
		return passed
	}
	for before := range h {
		if judges[before](t).outcome == Failed && (before >= hopConnected || !t.isConnected()) {
			return finding{Skipped, "not reached"}
		}
	}
	return judges[h](t)
}

// Waits tells what a trial waits for; "" once it has ended.
func (t *Trial) Waits() string {
	if ended, _ := t.result(); ended {
		return ""
	}
	for _, judge := range judges {
		if found := judge(t); found.outcome == Failed {
			return found.message
		}
	}
	return "the client's answer"
}

// result of the client, once it has one: what its script printed last, or an error.
func (t *Trial) result() (isThere bool, said string) {
	if t.Client.Pod == nil {
		return false, ""
	}
	for _, container := range t.Client.Pod.Status.ContainerStatuses {
		if terminated := container.State.Terminated; container.Name == mesh.TrialPing && terminated != nil {
			if terminated.ExitCode == 0 {
				return true, ""
			}
			return true, health.Shorten(terminated.Message, mostWords)
		}
	}
	return t.Client.Pod.Status.Phase == corev1.PodFailed, t.Client.Pod.Status.Message
}

// mostWords is how long what somebody else says may be.
const mostWords = 400

// connectedWord is what the script prints once there is a connection.
const connectedWord = "connected after"

func (t *Trial) isConnected() bool {
	isThere, said := t.result()
	return isThere && (said == "" || strings.Contains(said, connectedWord))
}

// pods of the trial, by name, the endpoint's first.
func (t *Trial) pods() map[string]*TrialPod {
	return map[string]*TrialPod{mesh.TrialEndpoint: &t.Endpoint, mesh.TrialClient: &t.Client}
}

// each returns the first finding that is none of a pod that passed.
func (t *Trial) each(judge func(name string, pod *TrialPod) finding) finding {
	for _, name := range []string{mesh.TrialEndpoint, mesh.TrialClient} {
		if found := judge(name, t.pods()[name]); found.outcome != OK {
			return found
		}
	}
	return passed
}

func (t *Trial) admitted() finding {
	return t.each(func(name string, pod *TrialPod) finding {
		switch {
		case pod.Pod != nil:
			return passed
		case t.Refused != "":
			return failed("%s", t.Refused)
		default:
			return failed("there is no pod %s", name)
		}
	})
}

func (t *Trial) scheduled() finding {
	return t.each(func(name string, pod *TrialPod) finding {
		if pod.Pod == nil || pod.Pod.Spec.NodeName != "" {
			return passed
		}
		if cause := health.CauseOfPod(pod.Pod, pod.Warnings, t.Now); cause.What != "" {
			return failed("pod %s: %s", name, cause)
		}
		return failed("pod %s has no node", name)
	})
}

func (t *Trial) started() finding {
	return t.each(func(name string, pod *TrialPod) finding {
		if pod.Pod == nil || health.HasStarted(pod.Pod) {
			return passed
		}
		cause := health.CauseOfPod(pod.Pod, pod.Warnings, t.Now)
		switch {
		case cause.IsOfIdentity():
			return passed // it is told at the next hop
		case cause.What != "":
			return failed("pod %s%s: %s", name, onNode(pod.Pod), cause)
		default:
			return failed("pod %s%s has not started", name, onNode(pod.Pod))
		}
	})
}

// identityWord is in the log of a client and of an endpoint once it has an identity
// (cmd-nsc and cmd-nse-icmp-responder, main.go).
var identityWord = regexp.MustCompile(`(?i)\bsvid: "`)

// atSPIRE begins what the script says where SPIRE's agent is not there.
const atSPIRE = "FAILED at the SPIRE agent"

func (t *Trial) identified() finding {
	if _, said := t.result(); strings.Contains(said, atSPIRE) {
		return failed("%s", said)
	}
	unseen := ""
	found := t.each(func(name string, pod *TrialPod) finding {
		if pod.Pod == nil {
			return passed
		}
		cause := health.CauseOfPod(pod.Pod, pod.Warnings, t.Now)
		switch {
		case cause.IsOfIdentity():
			return failed("pod %s%s: %s", name, onNode(pod.Pod), cause)
		case pod.LogUnseen != "":
			unseen = pod.LogUnseen
		case !identityWord.MatchString(pod.Log):
			return failed("pod %s%s has got no identity", name, onNode(pod.Pod))
		}
		return passed
	})
	if found.outcome == OK && unseen != "" {
		return finding{Skipped, "not seen: " + unseen}
	}
	return found
}

// served looks for what a client needs on its node, and an endpoint as well.
func (t *Trial) served() finding {
	if _, said := t.result(); strings.Contains(said, "FAILED at the manager") || strings.Contains(said, "FAILED at the registry") {
		return failed("%s", said)
	}
	if t.PartsUnseen != "" {
		return finding{Skipped, "not seen: " + t.PartsUnseen}
	}
	return t.each(func(name string, pod *TrialPod) finding {
		for _, role := range []mesh.Role{mesh.RoleManager, mesh.RoleForwarder} {
			if pod.Pod == nil || pod.Pod.Spec.NodeName == "" {
				continue
			}
			if lacking := t.lacks(role, pod.Pod.Spec.NodeName); lacking != "" {
				return failed("%s, where pod %s is", lacking, name)
			}
		}
		return passed
	})
}

// lacks says what is wrong with the parts of a role on a node; "" for nothing.
func (t *Trial) lacks(role mesh.Role, node string) string {
	lacking := fmt.Sprintf("there is no %s on node %s", titleOf(role), node)
	for i := range t.Parts {
		part := &t.Parts[i]
		if part.Spec.NodeName != node || part.Labels[mesh.LabelComponent] != string(role) {
			continue
		}
		if health.IsReady(part) {
			return ""
		}
		lacking = fmt.Sprintf("pod %s/%s on node %s is not ready", part.Namespace, part.Name, node)
		if cause := health.CauseOfPod(part, nil, t.Now); cause.What != "" {
			lacking += ": " + cause.String()
		}
	}
	return lacking
}

func titleOf(role mesh.Role) string {
	if role == mesh.RoleManager {
		return "manager"
	}
	return string(role)
}

func (t *Trial) registered() finding {
	switch {
	case t.Registered:
		return passed
	case t.RegistryUnseen != "":
		return finding{Skipped, "not seen: " + t.RegistryUnseen}
	case lastWords(t.Endpoint.Log) != "":
		return failed("the registry has no entry of pod %s%s, which says: %s", mesh.TrialEndpoint, onNode(t.Endpoint.Pod), lastWords(t.Endpoint.Log))
	default:
		return failed("the registry has no entry of pod %s%s", mesh.TrialEndpoint, onNode(t.Endpoint.Pod))
	}
}

func (t *Trial) connected() finding {
	if t.isConnected() {
		return passed
	}
	var all []string
	if words := lastWords(t.Client.Log); words != "" {
		all = append(all, "the client says: "+words)
	}
	if _, said := t.result(); said != "" {
		all = append(all, said)
	}
	if len(all) == 0 {
		return failed("pod %s%s has no connection", mesh.TrialClient, onNode(t.Client.Pod))
	}
	return failed("%s", strings.Join(all, "; "))
}

func (t *Trial) pinged() finding {
	_, said := t.result()
	switch {
	case said != "":
		return failed("%s", said)
	case t.ConnectOnly:
		return finding{Skipped, "it was not asked for"}
	default:
		return passed
	}
}

func leftovers(f *Facts) []finding {
	var found []finding
	for _, trial := range f.Trials {
		if len(trial.Left) > 0 {
			found = append(found, failed("mesh %s: still there: %s", trial.Mesh, strings.Join(trial.Left, ", ")))
		}
	}
	return found
}

func onNode(pod *corev1.Pod) string {
	if pod == nil || pod.Spec.NodeName == "" {
		return ""
	}
	return " on node " + pod.Spec.NodeName
}

var (
	// isWrong is in a line of a log that tells of something that went wrong.
	isWrong = regexp.MustCompile(`(?i)\berror|\bfail|\bfatal|unable|\[ERRO|\[FATA`)
	// logHead begins the lines of NSM's logs: time, level and fields.
	logHead = regexp.MustCompile(`^.*?\[(ERRO|FATA|WARN|INFO)[A-Z]*\]\s*(\[[^\]]*\]+\s*)*`)
	// colour of a terminal, which NSM's logs have as well.
	colour = regexp.MustCompile(`\x1b\[[0-9;]*m`)
)

// lastWords are the last line of a log that tells of something that went wrong.
func lastWords(log string) string {
	lines := strings.Split(strings.TrimSpace(colour.ReplaceAllLiteralString(log, "")), "\n")
	for _, line := range slices.Backward(lines) {
		if isWrong.MatchString(line) {
			return health.Shorten(logHead.ReplaceAllLiteralString(line, ""), mostWords)
		}
	}
	return ""
}
