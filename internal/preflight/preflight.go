// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package preflight tells what in a cluster would keep meshes from running, before
// somebody waits for them: pure functions from what was read to findings. Each check
// has a code that stays, and a heading of that name in docs/troubleshooting.md.
package preflight

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	storagev1 "k8s.io/api/storage/v1"

	"github.com/networkservicemesh/nsm-operator/internal/health"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// Facts are what was read of a cluster.
type Facts struct {
	// Before tells that nothing is installed yet: what is looked at then is whether it can be.
	Before bool
	// Version of Kubernetes.
	Version string
	// ServesNSMs and ServesEntries: the definitions of the operator, and those of
	// registries of type k8s, are there.
	ServesNSMs, ServesEntries bool
	// Platform that meshes run on.
	Platform mesh.Platform
	// Meshes to check: those that there are, or one that shall be.
	Meshes []Mesh
	// Constraints are what there is of OpenShift's constraints and of what grants them,
	// by NameOf those that are wanted.
	Constraints map[string]mesh.Object
	// BrokenOperators tells which installations of the operator do not work, OtherOperators
	// of those that stand by, and Versions of those of another version than the plugin's.
	BrokenOperators, OtherOperators, Versions []string
	Nodes                                     []corev1.Node
	// Pods of all namespaces, and all Namespaces.
	Pods       []corev1.Pod
	Namespaces []corev1.Namespace
	// Collectors are the EndpointSlices of telemetry collectors' Services, by
	// namespace/name of the Service.
	Collectors map[string][]discoveryv1.EndpointSlice
	// ExpiredEndpoints of registries, as namespace/name, and LiveEndpoints, by name.
	ExpiredEndpoints, LiveEndpoints []string
	// Certificates that somebody trusts a webhook by, as PEM, by what has them.
	Certificates map[string][]byte
	// IsAdmin tells whether the user may do everything, and HelmVersion which Helm is used;
	// StorageClasses are all. The three count before anything is installed.
	IsAdmin        bool
	HelmVersion    string
	StorageClasses []storagev1.StorageClass
	// PrivilegedTried tells that a privileged pod was tried in a namespace without labels,
	// and PrivilegedRefused what was said against it.
	PrivilegedTried   bool
	PrivilegedRefused string
	// Ahead is how far the clock of the API server is ahead of this machine's, and Renewed
	// when each node has told last that it lives, by its own clock.
	Ahead   time.Duration
	Renewed map[string]time.Time
	// Domain of the cluster's DNS, and PodDomain in which pods look names up, by the kubelet of
	// a node; each "" for not known.
	Domain, PodDomain string
	// LoadBalancers are all Services of that type.
	LoadBalancers []corev1.Service
	// CSIDrivers are all, and SocketRoles the pools of OpenShift's nodes on which SELinux lets
	// containers use NSM's sockets.
	CSIDrivers  []storagev1.CSIDriver
	SocketRoles []string
	// Bundles of other trust domains that SPIRE has been told of, by their names.
	Bundles map[string]Bundle
	// Inotify has the limits of the machine whose containers the nodes are, as on kind; nil where
	// they cannot be read.
	Inotify *InotifyLimits
	// WebhooksTried tells that the API server had to call the operator's webhooks, and Unreached
	// which of them it could not reach.
	WebhooksTried bool
	Unreached     []health.Unreached
	// Trials of meshes by a client and an endpoint; none unless somebody asked for them.
	Trials []Trial
	// Unseen tells why a part could not be read.
	Unseen map[Part]string
	// CertDays is how many days a certificate has to last.
	CertDays int
	Now      time.Time
}

// Part of a cluster that may not be readable.
type Part string

// The parts.
const (
	PartOperators     Part = "operators"
	PartNamespaces    Part = "namespaces"
	PartAllNamespaces Part = "all namespaces"
	PartNodes         Part = "nodes"
	PartPods          Part = "pods"
	PartCollectors    Part = "endpointslices"
	PartEndpoints     Part = "networkserviceendpoints"
	PartCertificates  Part = "certificates"
	PartRights        Part = "rights"
	PartHelm          Part = "helm"
	PartLeases        Part = "leases"
	PartStorage       Part = "storageclasses"
	PartDomain        Part = "domain"
	PartServices      Part = "services"
	PartConstraints   Part = "constraints"
	PartDrivers       Part = "csidrivers"
	PartFederation    Part = "clusterfederatedtrustdomains"

	PartMachineConfigs Part = "machineconfigs"
)

// Mesh to check.
type Mesh struct {
	// Input that it is rendered from, and the components that come of it.
	Input      mesh.Input
	Components []mesh.Component
	// NamespaceLabels of its namespace; nil where there is none yet.
	NamespaceLabels map[string]string
}

// name of the mesh, for people.
func (m *Mesh) name() string { return m.Input.NSM.Namespace + "/" + m.Input.NSM.Name }

// Outcome of a check.
type Outcome string

// The outcomes.
const (
	OK      Outcome = "ok"
	Warning Outcome = "warning"
	Failed  Outcome = "failed"
	// Skipped: it does not apply here, or what it looks at could not be read.
	Skipped Outcome = "skipped"
)

// Result of a check.
type Result struct {
	// Code of the check, which stays.
	Code string `json:"code"`
	// Title is what holds where the check is ok.
	Title string `json:"title"`
	// Outcome is ok, warning, failed or skipped.
	Outcome Outcome `json:"result"`
	// Message tells what was found, or why the check was skipped.
	Message string `json:"message,omitempty"`
	// Hint tells what to do about it.
	Hint string `json:"hint,omitempty"`
	// Link is where more is said.
	Link string `json:"link,omitempty"`
}

// check is one of them. It looks at what needs says could be read.
type check struct {
	code, title, hint string
	when              when
	needs             []Part
	run               func(*Facts) []finding
}

// when a check makes sense.
type when int

const (
	always when = iota
	// before anything is installed, to find out whether it can be.
	before
	// installed is when the operator and SPIRE are there.
	installed
	// tried is when a mesh was tried.
	tried
)

// isFor reports whether a check makes sense for a cluster.
func (w when) isFor(f *Facts) bool {
	if w == tried {
		return len(f.Trials) > 0
	}
	return w == always || (w == before) == f.Before
}

// page on which each code has a heading.
const page = "https://github.com/networkservicemesh/nsm-operator/blob/main/docs/troubleshooting.md"

// finding is something that a check has found.
type finding struct {
	outcome Outcome
	message string
}

func failed(format string, args ...any) finding {
	return finding{Failed, fmt.Sprintf(format, args...)}
}

func warning(format string, args ...any) finding {
	return finding{Warning, fmt.Sprintf(format, args...)}
}

// skipped is all that a check says that does not apply.
func skipped(why string) []finding { return []finding{{Skipped, why}} }

// Codes of all checks, and their titles.
func Codes() (codes, titles []string) {
	for _, check := range checks {
		codes, titles = append(codes, check.code), append(titles, check.title)
	}
	return codes, titles
}

// Run makes all checks that make sense for a cluster, whatever they find: one result for
// each finding, or one for a check that has none.
func Run(facts *Facts) []Result {
	var results []Result
	for _, check := range checks {
		if !check.when.isFor(facts) {
			continue
		}
		result := Result{Code: check.code, Title: check.title, Outcome: OK}
		if i := slices.IndexFunc(check.needs, func(part Part) bool { return facts.Unseen[part] != "" }); i >= 0 {
			result.Outcome, result.Message = Skipped, "not seen: "+facts.Unseen[check.needs[i]]
			results = append(results, result)
			continue
		}
		found := check.run(facts)
		if len(found) == 0 {
			results = append(results, result)
		}
		for _, one := range found {
			result.Outcome, result.Message, result.Hint, result.Link = one.outcome, one.message, "", ""
			if one.outcome == Failed || one.outcome == Warning {
				result.Hint, result.Link = check.hint, page+"#"+strings.ToLower(check.code)
			}
			results = append(results, result)
		}
	}
	return results
}

// Worst of some results; OK for none.
func Worst(results []Result) Outcome {
	for _, outcome := range []Outcome{Failed, Warning} {
		if slices.ContainsFunc(results, func(result Result) bool { return result.Outcome == outcome }) {
			return outcome
		}
	}
	return OK
}
