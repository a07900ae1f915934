// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

// goldenDirectory holds what the cases below render, to be read by people: a
// change of the renderer shows there as the change that clusters will see.
const goldenDirectory = "testdata/golden"

// goldenCase is one corner of what can be asked for.
type goldenCase struct {
	// name of the file, without ".yaml".
	name     string
	spec     nsmv1beta1.NSMSpec
	platform mesh.Platform
	// clientNamespaces and relatedImages as mesh.Input has them.
	clientNamespaces []string
	relatedImages    map[string]string
}

// input is all that the case's objects depend on.
func (tc goldenCase) input(t *testing.T) mesh.Input {
	t.Helper()
	in := testInput(t, tc.spec, tc.platform)
	in.ClientNamespaces, in.RelatedImages = tc.clientNamespaces, tc.relatedImages
	return in
}

func goldenCases() []goldenCase {
	return []goldenCase{
		{name: "v1.0.0-memory-vpp", spec: oldestSpec()},
		{name: "v1.9.0", spec: nsmv1beta1.NSMSpec{Version: "v1.9.0"}},
		{name: "v1.18.0", spec: nsmv1beta1.NSMSpec{Version: "v1.18.0"}},
		{name: "v1.18.0-everything", spec: everythingSpec(), platform: mesh.Platform{PodMonitors: true}},
		{
			name: "v1.18.0-spire-csi",
			spec: nsmv1beta1.NSMSpec{Version: "v1.18.0", Spire: &nsmv1beta1.SpireSpec{
				AgentSocket: "unix:///spiffe-workload-api/spire-agent.sock", Mount: nsmv1beta1.SpireMountCSI,
			}},
		},
		{
			name: "v1.18.0-interdomain-csi",
			spec: nsmv1beta1.NSMSpec{
				Version:   "v1.18.0",
				Spire:     &nsmv1beta1.SpireSpec{ClassName: "nsm"},
				CSIDriver: &nsmv1beta1.CSIDriverSpec{},
				Interdomain: &nsmv1beta1.InterdomainSpec{
					ClusterName: "cluster1", FederatesWith: []string{"nsm.cluster2", "nsm.cluster3"},
				},
			},
			platform: mesh.Platform{ClusterSPIFFEIDs: true, ClusterProperties: true},
		},
		{
			name: "v1.18.0-vl3-dashboard",
			spec: nsmv1beta1.NSMSpec{
				Version:       "v1.18.0",
				NetworkPolicy: nsmv1beta1.NetworkPolicyManaged,
				VL3:           &nsmv1beta1.VL3Spec{IPAMs: []nsmv1beta1.VL3IPAMSpec{{}, {Name: "vl3-ipam-ipv6", Prefix: "2001:db8::/64"}}},
				Dashboard:     &nsmv1beta1.DashboardSpec{},
			},
		},
		{
			name: "v1.18.0-openshift",
			spec: nsmv1beta1.NSMSpec{Version: "v1.18.0", OpenShift: &nsmv1beta1.OpenShiftSpec{
				ClientNamespaces: &metav1.LabelSelector{MatchLabels: map[string]string{"example.com/nsm": "true"}},
			}},
			platform: mesh.Platform{OpenShift: true},
		},
		openShiftEverything(),
	}
}

// openShiftEverything is all that there is on OpenShift alone, and all whose pods
// need an SCC.
func openShiftEverything() goldenCase {
	return goldenCase{
		name: "v1.18.0-openshift-everything",
		spec: nsmv1beta1.NSMSpec{
			Version:   "v1.18.0",
			Spire:     &nsmv1beta1.SpireSpec{Mount: nsmv1beta1.SpireMountHostPath, ClassName: "zero-trust-workload-identity-manager-spire"},
			Nsmgr:     &nsmv1beta1.NsmgrSpec{ExcludedPrefixes: []string{"192.0.2.0/24"}},
			CSIDriver: &nsmv1beta1.CSIDriverSpec{},
			Forwarders: []nsmv1beta1.ForwarderSpec{
				{Type: nsmv1beta1.ForwarderTypeSRIOV, SRIOVConfig: &nsmv1beta1.FileSource{HostPath: "/etc/nsm/sriov.yaml"}},
				{Type: nsmv1beta1.ForwarderTypeOVS},
				{Type: nsmv1beta1.ForwarderTypeVPP},
			},
			AdmissionWebhook: &nsmv1beta1.AdmissionWebhookSpec{HostNetwork: ptr.To(true)},
			Interdomain:      &nsmv1beta1.InterdomainSpec{ClusterName: "cluster1"},
			VL3:              &nsmv1beta1.VL3Spec{},
			Dashboard:        &nsmv1beta1.DashboardSpec{},
			OpenShift: &nsmv1beta1.OpenShiftSpec{ClientNamespaces: &metav1.LabelSelector{
				MatchLabels: map[string]string{"example.com/nsm": "true"},
			}},
		},
		platform: mesh.Platform{
			OpenShift: true, ClusterSPIFFEIDs: true, ClusterProperties: true, Networks: "172.30.0.0/16,10.128.0.0/14",
		},
		clientNamespaces: []string{"blue", "green"},
		relatedImages: map[string]string{
			"cmd-nsmgr":                 "mirror.example.com:5000/nsm/cmd-nsmgr:v1.18.0",
			"csi-node-driver-registrar": "mirror.example.com:5000/sig-storage/csi-node-driver-registrar:v2.8.0",
		},
	}
}

// oldestSpec is the sample of the earliest API, with whole image references and
// a forwarder that is called just "vpp".
func oldestSpec() nsmv1beta1.NSMSpec {
	image := func(name string) nsmv1beta1.ComponentSpec {
		return nsmv1beta1.ComponentSpec{ContainerSpec: nsmv1beta1.ContainerSpec{Image: "ghcr.io/networkservicemesh/" + name + ":v1.0.0"}}
	}
	return nsmv1beta1.NSMSpec{
		Version:  "v1.0.0",
		Images:   &nsmv1beta1.ImagesSpec{Registry: "ghcr.io", Repository: "networkservicemesh", PullPolicy: corev1.PullIfNotPresent},
		Registry: &nsmv1beta1.RegistrySpec{Type: nsmv1beta1.RegistryTypeMemory, ComponentSpec: image("cmd-registry-memory")},
		Nsmgr:    &nsmv1beta1.NsmgrSpec{ComponentSpec: image("cmd-nsmgr")},
		Forwarders: []nsmv1beta1.ForwarderSpec{
			{Name: "vpp", Type: nsmv1beta1.ForwarderTypeVPP, ComponentSpec: image("cmd-forwarder-vpp")},
		},
	}
}

// everythingSpec asks for all that the core components can do, at once.
func everythingSpec() nsmv1beta1.NSMSpec {
	return nsmv1beta1.NSMSpec{
		Version: "v1.18.0",
		Images: &nsmv1beta1.ImagesSpec{
			Registry: "registry.example.com:5000", Repository: "mirror/nsm", PullPolicy: corev1.PullAlways,
			PullSecrets: []nsmv1beta1.PullSecret{{Name: "mirror"}, {Name: "other"}},
		},
		LogLevel:      "DEBUG",
		NetworkPolicy: nsmv1beta1.NetworkPolicyManaged,
		Registry: &nsmv1beta1.RegistrySpec{
			Replicas: ptr.To(int32(3)), ServiceType: corev1.ServiceTypeLoadBalancer, ComponentSpec: everythingOf("registry"),
		},
		Nsmgr: &nsmv1beta1.NsmgrSpec{
			ComponentSpec:    everythingOf("nsmgr"),
			ExcludedPrefixes: []string{"10.96.0.0/12", "fd00::/8"},
			ExcludePrefixes: &nsmv1beta1.ContainerSpec{
				Image: "registry.example.com/exclude-prefixes:v1", Env: []corev1.EnvVar{{Name: "NSM_LOG_LEVEL", Value: "WARN"}},
			},
		},
		Forwarders: everyForwarder(),
		VL3: &nsmv1beta1.VL3Spec{IPAMs: []nsmv1beta1.VL3IPAMSpec{{
			ComponentSpec: everythingOf("vl3"), Prefix: "10.0.0.0/8", ClientPrefixLength: ptr.To(int32(16)),
			ServiceType: corev1.ServiceTypeLoadBalancer, ServiceAnnotations: map[string]string{"example.com/internal": "true"},
		}}},
		Dashboard: &nsmv1beta1.DashboardSpec{
			ComponentSpec: everythingOf("dashboard"), PollingIntervalSeconds: ptr.To(int32(5)), ServiceType: corev1.ServiceTypeNodePort,
			UI: &nsmv1beta1.ContainerSpec{Image: "registry.example.com/ui:v1", Env: []corev1.EnvVar{{Name: "DASHBOARD_BACKEND_URL", Value: "/api"}}},
		},
		Telemetry: &nsmv1beta1.TelemetrySpec{
			OpenTelemetry: &nsmv1beta1.OpenTelemetrySpec{
				Endpoint: "collector.example.com:4317", ExportInterval: &metav1.Duration{Duration: 30 * time.Second},
			},
			Prometheus: &nsmv1beta1.PrometheusSpec{Enabled: ptr.To(true), Port: ptr.To(int32(9100)), PodMonitor: ptr.To(true)},
			Pprof:      &nsmv1beta1.PprofSpec{Enabled: ptr.To(true), ListenOn: ":6061"},
		},
		Upgrade: &nsmv1beta1.UpgradeSpec{MaxUnavailable: ptr.To(intstr.FromString("25%"))},
	}
}

func everyForwarder() []nsmv1beta1.ForwarderSpec {
	configMap := func(name, key string) *nsmv1beta1.FileSource {
		return &nsmv1beta1.FileSource{ConfigMap: &nsmv1beta1.ConfigMapKey{Name: name, Key: key}}
	}
	return []nsmv1beta1.ForwarderSpec{
		{
			Name: "forwarder-vpp", Type: nsmv1beta1.ForwarderTypeVPP, ComponentSpec: everythingOf("forwarder-vpp"),
			SRIOVConfig: configMap("sriov", "vpp.yaml"), DeviceSelector: configMap("selector", "devices.yaml"),
			MechanismPriority: []string{"WIREGUARD", "VXLAN"}, VPP: &nsmv1beta1.VPPSpec{Init: "AF_XDP"}, TunnelIP: nsmv1beta1.TunnelIPAuto,
		},
		{
			Name: "forwarder-ovs", Type: nsmv1beta1.ForwarderTypeOVS, OVS: &nsmv1beta1.OVSSpec{Bridge: "br-ex"},
			SRIOVConfig:    &nsmv1beta1.FileSource{HostPath: "/etc/nsm/smartnic.yaml"},
			DeviceSelector: configMap("selector", "l2.yaml"), TunnelIP: nsmv1beta1.TunnelIPNode,
		},
		{
			Name: "forwarder-sriov", Type: nsmv1beta1.ForwarderTypeSRIOV,
			SRIOVConfig: &nsmv1beta1.FileSource{HostPath: "/var/lib/networkservicemesh/other.config"},
		},
	}
}

// everythingOf changes whatever a component's spec can change.
func everythingOf(pool string) nsmv1beta1.ComponentSpec {
	return nsmv1beta1.ComponentSpec{
		ContainerSpec: nsmv1beta1.ContainerSpec{
			Env: []corev1.EnvVar{
				{Name: "NSM_LOG_LEVEL", Value: "TRACE"},
				{Name: "NSM_NAME", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "spec.nodeName"}}},
				{Name: "EXTRA", Value: "of the user"},
			},
			Resources: &corev1.ResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")},
				Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("2Gi"), "example.com/device": resource.MustParse("1")},
			},
		},
		NodeSelector: map[string]string{"example.com/pool": pool},
		Tolerations:  []corev1.Toleration{{Key: "example.com/pool", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule}},
		Affinity: &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
			NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{
				{Key: "kubernetes.io/os", Operator: corev1.NodeSelectorOpIn, Values: []string{"linux"}},
			}}},
		}}},
		PriorityClassName: "system-node-critical",
		// The second one is ours, and stays as it is.
		PodLabels:      map[string]string{"team": "net", "app.kubernetes.io/name": "hijacked", "app.kubernetes.io/instance": "theirs"},
		PodAnnotations: map[string]string{"example.com/note": "kept"},
	}
}

// testInput is all that a mesh's objects depend on, for an NSM with this spec.
func testInput(t *testing.T, spec nsmv1beta1.NSMSpec, platform mesh.Platform) mesh.Input {
	t.Helper()
	nsmRelease, err := release.Parse(spec.Version)
	if err != nil {
		t.Fatalf("version %q %v", spec.Version, err)
	}
	return mesh.Input{
		NSM: &nsmv1beta1.NSM{
			ObjectMeta: metav1.ObjectMeta{Name: "nsm-sample", Namespace: "nsm", UID: "00000000-0000-0000-0000-000000000001"},
			Spec:       spec,
		},
		Release:            nsmRelease,
		Platform:           platform,
		OperatorNamespace:  "nsm-operator-system",
		WebhookCertificate: testCertificate(),
		WebhookServing:     true,
	}
}

// testCertificate has the place of a certificate, for tests that do not read it.
func testCertificate() mesh.Certificate {
	return mesh.Certificate{CertificateChain: []byte("a certificate"), Key: []byte("a key"), CABundle: []byte("a CA")}
}

// TestGolden renders each case and compares it with its file. With
// UPDATE_GOLDEN=1 it writes the files instead: make golden.
func TestGolden(t *testing.T) {
	for _, tc := range goldenCases() {
		t.Run(tc.name, func(t *testing.T) {
			in := tc.input(t)
			got := documents(t, allObjects(in, mesh.Components(in)))
			file := filepath.Join(goldenDirectory, tc.name+".yaml")
			if os.Getenv("UPDATE_GOLDEN") == "1" {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(file)
			if errors.Is(err, fs.ErrNotExist) {
				t.Fatalf("%s is missing: write it with make golden, and read it", file)
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
				t.Errorf("%s is not what is rendered. If that is meant: make golden, and read its git diff. (-file +rendered)\n%s", file, diff)
			}
		})
	}
}

// A file that no case renders is never checked.
func TestGoldenFilesHaveCases(t *testing.T) {
	names := map[string]bool{}
	for _, tc := range goldenCases() {
		names[tc.name+".yaml"] = true
	}
	files, err := os.ReadDir(goldenDirectory)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !names[file.Name()] {
			t.Errorf("%s belongs to no case", filepath.Join(goldenDirectory, file.Name()))
		}
	}
}

// allObjects of a mesh whose components are these.
func allObjects(in mesh.Input, components []mesh.Component) []mesh.Object {
	return slices.Concat(mesh.Identities(in), mesh.Constraints(in, components), mesh.Objects(components), mesh.PodMonitors(in, components))
}

// documents are objects as YAML, in their order, without the status that only
// the API server fills in.
func documents(t *testing.T, objects []mesh.Object) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, object := range objects {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
		if err != nil {
			t.Fatalf("%T %s: %v", object, object.GetName(), err)
		}
		delete(content, "status")
		document, err := yaml.Marshal(content)
		if err != nil {
			t.Fatalf("%T %s: %v", object, object.GetName(), err)
		}
		out.WriteString("---\n")
		out.Write(document)
	}
	return out.Bytes()
}
