// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package scc_test

import (
	"net/url"
	"os"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// Every NSM that docs/openshift.md shows is a mesh whose pods are admitted; that
// of the Zero Trust Workload Identity Manager is one of them.
func TestDocumentedMeshesAreAdmitted(t *testing.T) {
	specs := documentedSpecs(t)
	if len(specs) < 3 {
		t.Fatalf("docs/openshift.md shows %d meshes", len(specs))
	}
	for _, spec := range specs {
		mesh := render(t, spec)
		for _, pod := range mesh.pods {
			if _, scc, err := mesh.admit(t, pod); err != nil || scc != meantFor(pod) {
				t.Errorf("%v: %s is admitted under %q, want %q: %v", spec, pod.Name, scc, meantFor(pod), err)
			}
		}
	}
}

// The mesh that docs/openshift.md shows for the Zero Trust Workload Identity
// Manager finds its socket, by its driver, and is looked at by its controller
// manager; injected clients find the socket by a link.
func TestDocumentedWorkloadIdentityManager(t *testing.T) {
	const socket = "/run/spire/agent-sockets/spire-agent.sock"
	want := map[string]any{
		"agentSocket": "unix://" + socket, "mount": "CSI", "className": "zero-trust-workload-identity-manager-spire",
	}
	specs := slices.DeleteFunc(documentedSpecs(t), func(spec map[string]any) bool { return spec["spire"] == nil })
	if len(specs) != 1 || !reflect.DeepEqual(specs[0]["spire"], want) {
		t.Fatalf("docs/openshift.md shows %v, want spec.spire %v", specs, want)
	}
	for _, pod := range render(t, specs[0]).pods {
		if pod.Name != "nsmgr" {
			continue
		}
		container, volumes := pod.Spec.Containers[0], pod.Spec.Volumes
		if !slices.ContainsFunc(volumes, func(v corev1.Volume) bool { return v.CSI != nil && v.CSI.Driver == "csi.spiffe.io" }) {
			t.Errorf("nsmgr has no volume of SPIRE's driver: %v", volumes)
		}
		if !slices.ContainsFunc(container.VolumeMounts, func(m corev1.VolumeMount) bool { return m.MountPath == path.Dir(socket) }) {
			t.Errorf("nsmgr has no mount at %s: %v", path.Dir(socket), container.VolumeMounts)
		}
		if !slices.Contains(container.Env, corev1.EnvVar{Name: "SPIFFE_ENDPOINT_SOCKET", Value: "unix://" + socket}) {
			t.Errorf("nsmgr looks elsewhere: %v", container.Env)
		}
	}
	line := "L+ " + path.Dir(socket) + "/agent.sock - - - - " + path.Base(socket)
	_, data, _ := strings.Cut(readPage(t), "source: data:,")
	data, _, _ = strings.Cut(data, "\n")
	if written, err := url.PathUnescape(data); err != nil || written != line+"\n" || !strings.Contains(readPage(t), "`"+line+"`") {
		t.Errorf("docs/openshift.md writes %q to nodes, want %q: %v", written, line, err)
	}
}

// The MachineConfigs that docs/openshift.md shows are made up of what Ignition
// knows, and label the directories that the mesh uses.
func TestDocumentedMachineConfigs(t *testing.T) {
	configs := documented(t, "MachineConfig")
	if len(configs) != 2 {
		t.Fatalf("docs/openshift.md shows %d MachineConfigs", len(configs))
	}
	for _, spec := range configs {
		var machine struct {
			Config struct {
				Ignition struct{ Version string }
				Systemd  struct {
					Units []struct {
						Name, Contents string
						Enabled        bool
					}
				}
				Storage struct {
					Files []struct {
						Path     string
						Mode     int
						Contents struct{ Source string }
					}
				}
			}
		}
		content, err := yaml.Marshal(spec)
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.UnmarshalStrict(content, &machine); err != nil {
			t.Errorf("%v\n%s", err, content)
		}
		for _, unit := range machine.Config.Systemd.Units {
			if !unit.Enabled || !strings.Contains(unit.Contents, "-Rt container_file_t /var/lib/networkservicemesh /run/spire/sockets\n") {
				t.Errorf("the unit %s is enabled: %t, and does\n%s", unit.Name, unit.Enabled, unit.Contents)
			}
		}
		for _, file := range machine.Config.Storage.Files {
			if file.Mode != 0o644 {
				t.Errorf("%s has the mode %o", file.Path, file.Mode)
			}
		}
	}
}

func documentedSpecs(t *testing.T) []map[string]any {
	t.Helper()
	return documented(t, "NSM")
}

// documented are the specs of all objects of a kind in docs/openshift.md.
func documented(t *testing.T, kind string) []map[string]any {
	t.Helper()
	var specs []map[string]any
	for _, block := range strings.Split(readPage(t), "```yaml\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		var object struct {
			Kind string         `json:"kind"`
			Spec map[string]any `json:"spec"`
		}
		if err := yaml.Unmarshal([]byte(block), &object); err != nil {
			t.Fatalf("%v\n%s", err, block)
		}
		if object.Kind == kind {
			specs = append(specs, object.Spec)
		}
	}
	return specs
}

func readPage(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/openshift.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// The operator's own pods need nothing but what everybody has.
func TestOperatorIsRestricted(t *testing.T) {
	operator := readFile(t, "../../config/manager/manager.yaml")
	if len(operator.pods) != 1 {
		t.Fatalf("config/manager/manager.yaml has %d workloads", len(operator.pods))
	}
	pod := in(meshNamespace, operator.pods[0])
	if _, scc, err := stockCluster(t).admit(t, pod); err != nil || scc != restricted {
		t.Errorf("admitted under %q, want %q: %v", scc, restricted, err)
	}
}

// On the network of their nodes they need the right that docs/requirements.md gives them.
func TestOperatorOnHostNetwork(t *testing.T) {
	const scc = "hostnetwork-v2"
	operator := readFile(t, "../../charts/nsm-operator/manifests/deployment-host-network.yaml")
	if len(operator.pods) != 1 {
		t.Fatalf("the chart has %d workloads", len(operator.pods))
	}
	account, pod := operator.pods[0].Spec.ServiceAccountName, in(meshNamespace, operator.pods[0])
	if _, other, err := stockCluster(t).admit(t, pod); err == nil {
		t.Errorf("admitted under %s, which nobody lets it use", other)
	}
	if _, got, err := stockCluster(t).allowing(scc).admit(t, pod); err != nil || got != scc {
		t.Errorf("admitted under %q, want %q: %v", got, scc, err)
	}
	page, err := os.ReadFile("../../docs/requirements.md")
	if err != nil {
		t.Fatal(err)
	}
	if grant := "`oc adm policy add-scc-to-user " + scc + " -z " + account + " -n nsm-operator-system`"; !strings.Contains(string(page), grant) {
		t.Errorf("docs/requirements.md does not say %s", grant)
	}
}
