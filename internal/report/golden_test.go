// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/preflight"
	"github.com/networkservicemesh/nsm-operator/internal/report"
)

// What each command writes for programs, with every field that there is.
func TestWhatProgramsRead(t *testing.T) {
	t.Parallel()
	for name, result := range map[string]any{
		"status": fullStatus(), "diff": fullDiff(), "topology": fullTopology(), "checks": fullChecks(),
		"failure": report.NewFailure(errors.New("list nsms: no answer")),
	} {
		for _, format := range []string{"json", "yaml"} {
			var out bytes.Buffer
			g := NewWithT(t)
			g.Expect(report.Encode(&out, format, result)).To(Succeed())
			file := filepath.Join("testdata", name+"."+format)
			if os.Getenv("UPDATE_GOLDEN") != "" {
				g.Expect(os.WriteFile(file, out.Bytes(), 0o600)).To(Succeed())
			}
			g.Expect(out.String()).To(Equal(read(t, file)), "make golden")
			asJSON, err := yaml.YAMLToJSON(out.Bytes())
			g.Expect(err).NotTo(HaveOccurred())
			want, err := json.Marshal(result)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(asJSON).To(MatchJSON(want), "one document, of the same content in either format")
		}
	}
}

func fullStatus() *report.Status {
	seen := managers()
	nsm := &seen.NSMs[0]
	nsm.Status.Conditions = nil
	for _, condition := range []string{nsmv1beta1.ConditionReady, nsmv1beta1.ConditionAvailable} {
		set(nsm, condition, metav1.ConditionTrue, "NSM v1.18.0 is ready")
	}
	set(nsm, nsmv1beta1.ConditionDegraded, metav1.ConditionTrue, "something is wrong")
	for i := range nsm.Status.Conditions {
		nsm.Status.Conditions[i].LastTransitionTime = metav1.NewTime(now)
	}
	nsm.Spec.Version, nsm.Status.Components[0].Message = "v1.19.0", "DaemonSet nsm/nsmgr is rolling out"
	seen.Unknown = map[types.NamespacedName][]report.UnknownField{{Namespace: "nsm", Name: "mesh"}: {{Path: "status.weather", Value: map[string]any{"sun": true}}}}
	seen.Crashes = report.CrashesIn(seen.Pods)
	seen.Crashes[0].Log = []string{"dialing the registry", "FATA no route to the registry"}
	seen.Crashes = append(seen.Crashes, report.Crash{Namespace: "nsm", Pod: "nsmgr-c", Container: "exclude-prefixes", ExitCode: 137, Reason: "OOMKilled", Restarts: 4, NotSeen: "get pods/log: forbidden"})
	seen.Operators, seen.Plugin = twoOperators(), "v2.0.0"
	seen.NotSeen = []string{"list nodes: forbidden"}
	return report.StatusOf(seen)
}

// twoOperators are one that works, of a newer version, and one that stands by.
func twoOperators() report.Operators {
	deployment := func(namespace, image string, ready int32) appsv1.Deployment {
		return appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "nsm-operator"},
			Spec: appsv1.DeploymentSpec{Replicas: ptr.To[int32](2), Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
				Containers: []corev1.Container{{Image: image, Args: []string{"--leader-elect", "--watch-namespaces=nsm,apps"}}},
			}}},
			Status: appsv1.DeploymentStatus{ReadyReplicas: ready},
		}
	}
	return report.Operators{
		Deployments: []appsv1.Deployment{deployment("one", "example.com/nsm-operator@sha256:0", 2), deployment("two", "example.com/nsm-operator:v2.0.0", 0)},
		Members:     []report.Installation{{Namespace: "one", WatchNamespaces: []string{"nsm", "apps"}, Version: "v2.1.0"}},
		Leases: map[string]*coordinationv1.Lease{"one": {Spec: coordinationv1.LeaseSpec{
			HolderIdentity: ptr.To("nsm-operator-x"), RenewTime: &metav1.MicroTime{Time: now.Add(-time.Second)},
		}}},
		SeesDeployments: true, SeesLeases: true, SeesMembers: true,
	}
}

func fullDiff() *report.Diff {
	return report.NewDiff([]report.MeshDiff{{
		Namespace: "nsm", Name: "mesh", From: "v1.17.0", To: "v1.18.0", Warnings: []string{"clients have to be renewed"}, Unchanged: 16,
		Objects: []report.ObjectChange{
			{Change: report.ChangeUpdate, APIVersion: "apps/v1", Kind: "DaemonSet", Namespace: "nsm", Name: "nsmgr", Fields: []report.FieldChange{
				{Path: ".spec.template.spec.containers[name=\"nsmgr\"].image", From: "nsmgr:v1.17.0", To: "nsmgr:v1.18.0"},
			}},
			{Change: report.ChangeNone, APIVersion: "v1", Kind: "Service", Namespace: "nsm", Name: "registry", Message: "it is not the mesh's"},
			{Change: report.ChangeDelete, APIVersion: "rbac.authorization.k8s.io/v1", Kind: "ClusterRole", Name: "nsm:nsm:nsmgr"},
		},
	}}, []string{"list ClusterRole: forbidden"})
}

func fullTopology() *report.Topology {
	expires := metav1.NewTime(now.Add(-time.Minute))
	return &report.Topology{
		TypeMeta: report.TypeOf("Topology"),
		Services: []report.Service{{Namespace: "nsm", Name: "responder", Payload: "IP", Undeclared: true, Endpoints: []string{"nse"}, Live: 0}},
		Endpoints: []report.Endpoint{{
			Namespace: "nsm", Name: "nse", Services: []string{"responder"}, Pod: report.Fact{Value: "apps/nse", Source: report.SourceIdentity},
			Node: report.Fact{Value: "one", Source: report.SourcePod}, Manager: report.Fact{Value: "nsm/nsmgr-x", Source: report.SourceURL},
			URL: "tcp://10.0.0.1:5001", ExpiresAt: &expires, Expired: true, ExpiredFor: 60,
		}},
		Clients:     []report.Client{{Namespace: "apps", Pod: "nsc", Node: "one", AsksFor: "kernel://responder/nsm-1", Names: []string{"responder"}, Connected: []string{"responder"}}},
		Connections: []report.Connection{{Mesh: "nsm/mesh", Service: "responder", Client: "nsc", Endpoint: "nse", Via: []string{"forwarder-vpp-x"}, Healthy: true}},
		NotSeen:     []string{"list pods in all namespaces: forbidden"},
	}
}

func fullChecks() *report.Checks {
	return report.NewChecks([]preflight.Result{
		{Code: "NSM001", Title: "Kubernetes is new enough", Outcome: preflight.OK},
		{Code: "NSM004", Title: "SPIRE's agent runs on each node", Outcome: preflight.Failed, Message: "node one has none", Hint: "docs/spire.md", Link: "https://example.com#nsm004"},
		{Code: "NSM005", Title: "SPIRE registers the workloads of meshes", Outcome: preflight.Skipped, Message: "not seen: list nodes: forbidden"},
	})
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return string(text)
}
