// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package preflight_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/health"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/preflight"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// good is a cluster with nothing against a mesh.
func good() *preflight.Facts {
	facts := &preflight.Facts{
		Version: "v1.33.0", ServesNSMs: true, ServesEntries: true, Platform: mesh.Platform{ClusterSPIFFEIDs: true},
		Nodes: []corev1.Node{{ObjectMeta: metav1.ObjectMeta{Name: "one", Labels: map[string]string{
			"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
		}}}},
		Pods: []corev1.Pod{{
			ObjectMeta: metav1.ObjectMeta{Namespace: "spire", Name: "spire-agent-x"},
			Spec:       corev1.PodSpec{NodeName: "one", Containers: []corev1.Container{{Image: "ghcr.io/spiffe/spire-agent:1.13.0"}}},
			Status:     corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}},
		}},
		CertDays: 7, Now: now,
	}
	withMesh(facts, nsmv1beta1.NSMSpec{})
	return facts
}

// before is the same cluster before anything is installed.
func before() *preflight.Facts {
	facts := good()
	facts.Before, facts.ServesNSMs, facts.ServesEntries, facts.Pods = true, false, false, nil
	facts.Meshes[0].NamespaceLabels = nil
	facts.IsAdmin, facts.HelmVersion, facts.PrivilegedTried = true, "v4.3.0", true
	facts.StorageClasses = []storagev1.StorageClass{{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{"storageclass.kubernetes.io/is-default-class": "true"}}}}
	return facts
}

// withMesh gives a cluster one mesh.
func withMesh(facts *preflight.Facts, spec nsmv1beta1.NSMSpec) {
	nsm := &nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Namespace: "nsm", Name: "mesh", UID: "1"}, Spec: spec}
	nsm.Status.Conditions = []metav1.Condition{{Type: nsmv1beta1.ConditionAvailable, Status: metav1.ConditionTrue}}
	runs := release.Newest()
	if other, err := release.Parse(spec.Version); err == nil {
		runs = other
	}
	in := mesh.Input{NSM: nsm, Release: runs, Platform: facts.Platform}
	facts.Meshes = []preflight.Mesh{{
		Input: in, Components: mesh.Components(in), NamespaceLabels: map[string]string{mesh.LabelEnforce: "privileged"},
	}}
}

// certificate that ends after some days.
func certificate(t *testing.T, days int) []byte {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: now.Add(time.Duration(days)*24*time.Hour + time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// trials is how many checks are about trials.
const trials = 9

func TestNothingIsWrong(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	results := preflight.Run(good())
	codes, _ := preflight.Codes()
	g.Expect(results).To(HaveLen(len(codes)-3-trials), "all but those that make sense before, and those of trials")
	g.Expect(preflight.Run(before())).To(HaveLen(len(codes)-12-trials), "all but those that need the operator or SPIRE")
	for _, result := range append(results, preflight.Run(before())...) {
		g.Expect(result.Outcome).To(BeElementOf(preflight.OK, preflight.Skipped), "%+v", result)
	}
	g.Expect(preflight.Worst(results)).To(Equal(preflight.OK))
}

// An agent that is there may be one that recognizes no pod.
func TestOldSpireIsTold(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	for image, isOld := range map[string]bool{
		"ghcr.io/spiffe/spire-agent:1.11.2": true, "example.com/mirror/spire-agent:v1.9.6@sha256:" + strings.Repeat("0", 64): true,
		"ghcr.io/spiffe/spire-agent:1.12.0": false, "ghcr.io/spiffe/spire-agent:1.14.1": false,
		"ghcr.io/spiffe/spire-agent:nightly": false, "ghcr.io/spiffe/spire-agent@sha256:" + strings.Repeat("0", 64): false,
	} {
		facts := good()
		facts.Pods[0].Spec.Containers[0].Image = image
		results := preflight.Run(facts)
		i := slices.IndexFunc(results, func(result preflight.Result) bool { return result.Code == "NSM042" })
		g.Expect(i).NotTo(Equal(-1))
		result := results[i]
		if isOld {
			g.Expect(result.Outcome).To(Equal(preflight.Warning), image)
			g.Expect(result.Message).To(HavePrefix(image + " is older than SPIRE 1.12.0"))
		} else {
			g.Expect(result.Outcome).To(Equal(preflight.OK), image)
		}
	}
}

// SPIRE's controller manager gives nobody in such a namespace an identity, and says nothing.
func TestNamespacesThatSPIREIgnoresAreTold(t *testing.T) {
	t.Parallel()
	inNamespace := func(f *preflight.Facts, namespace string, spec nsmv1beta1.NSMSpec) {
		withMesh(f, spec)
		f.Meshes[0].Input.NSM.Namespace = namespace
	}
	withPod := func(f *preflight.Facts, podLabels map[string]string) {
		f.Pods = append(f.Pods, corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ibm-apps", Name: "client", Labels: podLabels}})
	}
	for what, test := range map[string]struct {
		says   string
		change func(*preflight.Facts)
	}{
		"the mesh's own": {"its own namespace, my-kube-system,", func(f *preflight.Facts) { inNamespace(f, "my-kube-system", nsmv1beta1.NSMSpec{}) }},
		"the mesh's own, where others register": {"", func(f *preflight.Facts) {
			inNamespace(f, "my-kube-system", nsmv1beta1.NSMSpec{Spire: &nsmv1beta1.SpireSpec{Registration: "None"}})
		}},
		"the mesh's own, before SPIRE is there": {"its own namespace, my-kube-system,", func(f *preflight.Facts) {
			*f = *before()
			f.Platform.ClusterSPIFFEIDs = false
			inNamespace(f, "my-kube-system", nsmv1beta1.NSMSpec{})
		}},
		"one with a client's pod": {"a client's namespace, ibm-apps,", func(f *preflight.Facts) { withPod(f, map[string]string{"spiffe.io/spiffe-id": "true"}) }},
		"one with another pod":    {"", func(f *preflight.Facts) { withPod(f, nil) }},
		"that of another mesh": {"", func(f *preflight.Facts) {
			withPod(f, map[string]string{"spiffe.io/spiffe-id": "true", "app.kubernetes.io/managed-by": "nsm-operator"})
		}},
		"one that OpenShift's clients are selected in": {"a client's namespace, ibm-apps,", func(f *preflight.Facts) {
			f.Platform.OpenShift = true
			withMesh(f, nsmv1beta1.NSMSpec{OpenShift: &nsmv1beta1.OpenShiftSpec{ClientNamespaces: &metav1.LabelSelector{}}})
			f.Meshes[0].Input.ClientNamespaces = []string{"apps", "ibm-apps", "openshift-monitoring"}
		}},
		"one without NSM": {"", func(f *preflight.Facts) {
			f.Namespaces = []corev1.Namespace{{ObjectMeta: metav1.ObjectMeta{Name: "kube-system"}}}
		}},
	} {
		g := NewWithT(t)
		facts := good()
		test.change(facts)
		var said []string
		for _, result := range preflight.Run(facts) {
			if result.Code == "NSM039" && result.Outcome == preflight.Warning {
				said = append(said, result.Message)
			}
		}
		if test.says == "" {
			g.Expect(said).To(BeEmpty(), what)
			continue
		}
		g.Expect(said).To(ConsistOf(ContainSubstring(test.says)), what)
	}
}

// Each check finds what it is there for, and no other one does.
func TestEachCheckFindsWhatItIsFor(t *testing.T) {
	t.Parallel()
	endpoint := "collector.observability.svc:4317"
	for code, test := range map[string]struct {
		outcome preflight.Outcome
		says    string
		change  func(*preflight.Facts)
	}{
		"NSM001": {preflight.Failed, "v1.30.1; the operator needs 1.31.0", func(f *preflight.Facts) { f.Version = "v1.30.1" }},
		"NSM002": {preflight.Failed, "does not serve", func(f *preflight.Facts) { f.ServesNSMs = false }},
		"NSM003": {preflight.Failed, "no leader", func(f *preflight.Facts) { f.BrokenOperators = []string{"it has no leader"} }},
		"NSM004": {preflight.Failed, "no node has a pod of SPIRE's agent", func(f *preflight.Facts) { f.Pods[0].Status.Conditions = nil }},
		"NSM005": {preflight.Warning, "ClusterSPIFFEIDs", func(f *preflight.Facts) { f.Platform.ClusterSPIFFEIDs = false }},
		"NSM006": {preflight.Failed, "enforce=baseline", func(f *preflight.Facts) { f.Meshes[0].NamespaceLabels[mesh.LabelEnforce] = "baseline" }},
		"NSM007": {preflight.Warning, "is None", func(f *preflight.Facts) {
			f.Platform.OpenShift = true
			withMesh(f, nsmv1beta1.NSMSpec{OpenShift: &nsmv1beta1.OpenShiftSpec{SecurityContextConstraints: "None"}})
		}},
		"NSM008": {preflight.Failed, "/var/lib/k0s/kubelet", func(f *preflight.Facts) { f.Nodes[0].Status.NodeInfo.KubeletVersion = "v1.33.0+k0s" }},
		"NSM009": {preflight.Warning, "node one has no huge pages", func(f *preflight.Facts) {
			withMesh(f, nsmv1beta1.NSMSpec{Forwarders: []nsmv1beta1.ForwarderSpec{{Type: "vpp", VPP: &nsmv1beta1.VPPSpec{Init: "AF_XDP"}}}})
		}},
		"NSM010": {preflight.Failed, "needs TCP port 443 of its nodes, and pod web/proxy has it on node one", func(f *preflight.Facts) {
			withMesh(f, nsmv1beta1.NSMSpec{AdmissionWebhook: &nsmv1beta1.AdmissionWebhookSpec{HostNetwork: ptr.To(true)}})
			f.Pods = append(f.Pods, corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Namespace: "web", Name: "proxy"},
				Spec:       corev1.PodSpec{NodeName: "one", Containers: []corev1.Container{{Ports: []corev1.ContainerPort{{ContainerPort: 8443, HostPort: 443}}}}},
			})
		}},
		"NSM011": {preflight.Failed, "observability/collector", func(f *preflight.Facts) {
			withMesh(f, nsmv1beta1.NSMSpec{Telemetry: &nsmv1beta1.TelemetrySpec{OpenTelemetry: &nsmv1beta1.OpenTelemetrySpec{Endpoint: endpoint}}})
		}},
		"NSM012": {preflight.Failed, "ends in 3 days", func(f *preflight.Facts) { f.Certificates = map[string][]byte{"one": certificate(t, 3)} }},
		"NSM013": {preflight.Failed, "nsmgr is down", func(f *preflight.Facts) {
			condition := &f.Meshes[0].Input.NSM.Status.Conditions[0]
			condition.Status, condition.Message = metav1.ConditionFalse, "nsmgr is down"
		}},
		"NSM014": {preflight.Warning, "a/1, a/2, a/3, a/4, a/5 and 1 more", func(f *preflight.Facts) {
			f.ExpiredEndpoints = []string{"a/1", "a/2", "a/3", "a/4", "a/5", "a/6"}
		}},
		"NSM015": {preflight.Warning, "is TRACE", func(f *preflight.Facts) { withMesh(f, nsmv1beta1.NSMSpec{LogLevel: "TRACE"}) }},
		"NSM016": {preflight.Failed, "no administrator", func(f *preflight.Facts) { *f = *before(); f.IsAdmin = false }},
		"NSM017": {preflight.Failed, "Helm is v3.7.2; the charts need 3.8.0", func(f *preflight.Facts) { *f = *before(); f.HelmVersion = "v3.7.2" }},
		"NSM018": {preflight.Warning, "1m30s ahead of this machine's", func(f *preflight.Facts) { f.Ahead = 90 * time.Second }},
		"NSM019": {preflight.Warning, "no StorageClass is the default", func(f *preflight.Facts) { *f = *before(); f.StorageClasses = nil }},
		"NSM020": {preflight.Failed, "example.com/of=nobody,kubernetes.io/os=linux, which Deployment nsm-registry selects", func(f *preflight.Facts) {
			withMesh(f, nsmv1beta1.NSMSpec{Registry: &nsmv1beta1.RegistrySpec{ComponentSpec: nsmv1beta1.ComponentSpec{NodeSelector: map[string]string{"example.com/of": "nobody"}}}})
		}},
		"NSM021": {preflight.Warning, "is Cilium: it is not proven", func(f *preflight.Facts) {
			f.Pods = append(f.Pods, corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Image: "quay.io/cilium/cilium:v1.18.0"}}}})
		}},
		"NSM022": {preflight.Warning, "is example.org, and not cluster.local", func(f *preflight.Facts) {
			f.Domain = preflight.DomainOf("x {\n    kubernetes example.org. in-addr.arpa {\n")
		}},
		"NSM023": {preflight.Failed, "node one cannot give what pods request there", func(f *preflight.Facts) {
			f.Nodes[0].Status.Allocatable = corev1.ResourceList{"cpu": resource.MustParse("100m"), "memory": resource.MustParse("64Gi")}
		}},
		"NSM036": {preflight.Failed, "there is no CSIDriver csi.spiffe.io", func(f *preflight.Facts) {
			withMesh(f, nsmv1beta1.NSMSpec{Spire: &nsmv1beta1.SpireSpec{Mount: nsmv1beta1.SpireMountCSI}})
		}},
		"NSM037": {preflight.Warning, "no MachineConfig gives /var/lib/networkservicemesh an SELinux type that containers may use on one:", func(f *preflight.Facts) {
			openShiftWith(f, nsmv1beta1.NSMSpec{CSIDriver: &nsmv1beta1.CSIDriverSpec{}})
		}},
		"NSM038": {preflight.Warning, "no ClusterFederatedTrustDomain is for nsm.cluster2", func(f *preflight.Facts) {
			withMesh(f, nsmv1beta1.NSMSpec{Interdomain: &nsmv1beta1.InterdomainSpec{ServiceType: "NodePort", FederatesWith: []string{"nsm.cluster2"}}})
		}},
		"NSM024": {preflight.Warning, "Service nsmgr-proxy wants a load balancer", func(f *preflight.Facts) {
			withMesh(f, nsmv1beta1.NSMSpec{Interdomain: &nsmv1beta1.InterdomainSpec{}})
		}},
		"NSM025": {preflight.Warning, "the API server of EKS does not reach", func(f *preflight.Facts) { f.Nodes[0].Spec.ProviderID = "aws:///eu/i-1" }},
		"NSM026": {preflight.Failed, "pod nsm/nsmgr-x on node one: container nsmgr ended", func(f *preflight.Facts) {
			f.Pods = append(f.Pods, corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Namespace: "nsm", Name: "nsmgr-x"}, Spec: corev1.PodSpec{NodeName: "one"},
				Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: "nsmgr", LastTerminationState: corev1.ContainerState{
					Terminated: &corev1.ContainerStateTerminated{Message: "inotify_init: too many open files"},
				}}}},
			})
		}},
		"NSM039": {preflight.Warning, "a client's namespace, my-openshift-apps, matches \"openshift-.*\"", func(f *preflight.Facts) {
			f.Namespaces = []corev1.Namespace{{ObjectMeta: metav1.ObjectMeta{Name: "my-openshift-apps", Annotations: map[string]string{"networkservicemesh.io": "kernel://a"}}}}
		}},
		"NSM042": {preflight.Warning, "is older than SPIRE", func(f *preflight.Facts) {
			f.Pods[0].Spec.Containers[0].Image = "ghcr.io/spiffe/spire-agent:1.11.2"
		}},
		"NSM041": {preflight.Warning, "is v2.1.0", func(f *preflight.Facts) { f.Versions = []string{"the operator is v2.1.0"} }},
		"NSM040": {preflight.Failed, "forwarder forwarder-vpp-x on node one is ready", func(f *preflight.Facts) {
			f.Pods = append(f.Pods, forwarder())
			f.LiveEndpoints = []string{"forwarder-vpp-y"}
		}},
	} {
		g := NewWithT(t)
		facts := good()
		test.change(facts)
		results := preflight.Run(facts)
		g.Expect(results).To(ContainElement(HaveField("Code", code)))
		for _, result := range results {
			if result.Code != code {
				g.Expect(result.Outcome).To(BeElementOf(preflight.OK, preflight.Skipped), "%s: %+v", code, result)
				continue
			}
			g.Expect(result.Outcome).To(Equal(test.outcome), code)
			g.Expect(result.Message).To(ContainSubstring(test.says), code)
			g.Expect(result.Hint).NotTo(BeEmpty(), code)
			g.Expect(result.Link).To(HaveSuffix("docs/troubleshooting.md#"+strings.ToLower(code)), code)
		}
	}
	codes, _ := preflight.Codes()
	NewWithT(t).Expect(codes).To(HaveLen(33+trials), "each has a case, here or in trial_test.go")
}

// The image of the vpp forwarder is for amd64 alone, from one release of NSM on.
func TestArchitecturesOfNodes(t *testing.T) {
	t.Parallel()
	const told = "mesh nsm/mesh: no node has the labels kubernetes.io/arch=amd64,kubernetes.io/os=linux, which DaemonSet forwarder-vpp selects"
	for name, test := range map[string]struct {
		version       string
		forwarder     nsmv1beta1.ForwarderType
		architectures []string
		isTold        bool
	}{
		"vpp on arm64":                {"v1.18.0", nsmv1beta1.ForwarderTypeVPP, []string{"arm64"}, true},
		"the first release of those":  {"v1.14.3", nsmv1beta1.ForwarderTypeVPP, []string{"arm64"}, true},
		"a release before":            {"v1.14.2", nsmv1beta1.ForwarderTypeVPP, []string{"arm64"}, false},
		"another forwarder":           {"v1.18.0", nsmv1beta1.ForwarderTypeOVS, []string{"arm64"}, false},
		"some nodes of each, and vpp": {"v1.18.0", nsmv1beta1.ForwarderTypeVPP, []string{"arm64", "amd64"}, false},
	} {
		g := NewWithT(t)
		facts := good()
		node := facts.Nodes[0]
		facts.Nodes = nil
		for _, architecture := range test.architectures {
			one := *node.DeepCopy()
			one.Labels[corev1.LabelArchStable] = architecture
			facts.Nodes = append(facts.Nodes, one)
		}
		withMesh(facts, nsmv1beta1.NSMSpec{Version: test.version, Forwarders: []nsmv1beta1.ForwarderSpec{{Type: test.forwarder}}})
		result := resultOf(preflight.Run(facts), "NSM020")
		if test.isTold {
			g.Expect(result.Outcome).To(Equal(preflight.Failed), name)
			g.Expect(result.Message).To(Equal(told), name)
			g.Expect(result.Link).To(HaveSuffix("docs/troubleshooting.md#nsm020"), name)
		} else {
			g.Expect(result.Outcome).To(Equal(preflight.OK), name)
		}
	}
}

// forwarder is a pod of the mesh that is ready.
func forwarder() corev1.Pod {
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "nsm", Name: "forwarder-vpp-x", Labels: map[string]string{
			mesh.LabelNSM: "mesh", mesh.LabelNamespace: "nsm", mesh.LabelName: "forwarder-vpp",
		}},
		Spec:   corev1.PodSpec{NodeName: "one"},
		Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}},
	}
}

// vppWith is a forwarder that uses huge pages of 2 MiB, if any.
func vppWith(init nsmv1beta1.VPPInit, pages string) nsmv1beta1.ForwarderSpec {
	forwarder := nsmv1beta1.ForwarderSpec{Type: "vpp", VPP: &nsmv1beta1.VPPSpec{Init: init}}
	if pages != "" {
		list := corev1.ResourceList{"hugepages-2Mi": resource.MustParse(pages)}
		forwarder.Resources = &corev1.ResourceRequirements{Requests: list, Limits: list}
	}
	return forwarder
}

// openShift is where the mesh has all constraints that its pods need.
func openShift(f *preflight.Facts) { openShiftWith(f, nsmv1beta1.NSMSpec{}) }

func openShiftWith(f *preflight.Facts, spec nsmv1beta1.NSMSpec) {
	f.Platform.OpenShift = true
	withMesh(f, spec)
	f.Constraints = map[string]mesh.Object{}
	for _, object := range f.Meshes[0].Constraints() {
		f.Constraints[preflight.NameOf(object)] = object.DeepCopyObject().(mesh.Object)
	}
}

// What VPP needs of huge pages, and what of that a node has.
func TestHugePages(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		forwarder nsmv1beta1.ForwarderSpec
		node      string
		outcome   preflight.Outcome
		says      string
	}{
		"more than the node has":    {vppWith("", "64Mi"), "32Mi", preflight.Failed, "forwarder forwarder-vpp requests 64Mi of hugepages-2Mi, and node one has 32Mi"},
		"of a size that it has not": {vppWith("AF_XDP", "64Mi"), "", preflight.Failed, "forwarder forwarder-vpp requests 64Mi of hugepages-2Mi, and node one has 0"},
		"as many as it has":         {vppWith("", "64Mi"), "64Mi", preflight.OK, ""},
		"that VPP may not use":      {vppWith("", ""), "64Mi", preflight.Warning, "node one has hugepages-2Mi, which VPP takes, and resources.limits of forwarder forwarder-vpp has none"},
		"none, and AF_XDP":          {vppWith("AF_XDP", ""), "", preflight.Warning, "node one has no huge pages"},
		"none":                      {vppWith("", ""), "", preflight.OK, ""},
		"of a forwarder without VPP": {
			func() nsmv1beta1.ForwarderSpec { f := vppWith("", "64Mi"); f.Type, f.VPP = "ovs", nil; return f }(), "", preflight.Failed, "forwarder forwarder-ovs requests 64Mi",
		},
	} {
		g := NewWithT(t)
		facts := good()
		withMesh(facts, nsmv1beta1.NSMSpec{Forwarders: []nsmv1beta1.ForwarderSpec{test.forwarder}})
		if test.node != "" {
			facts.Nodes[0].Status.Allocatable = corev1.ResourceList{"hugepages-2Mi": resource.MustParse(test.node)}
		}
		result := resultOf(preflight.Run(facts), "NSM009")
		g.Expect(result.Outcome).To(Equal(test.outcome), name)
		g.Expect(result.Message).To(ContainSubstring(test.says), name)
	}
}

// Each object by which OpenShift lets the pods in is looked for, and for what it grants.
func TestConstraintsAreLookedFor(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	facts := good()
	openShift(facts)
	names := slices.Sorted(maps.Keys(facts.Constraints))
	g.Expect(names).To(ContainElements(
		"SecurityContextConstraints nsm-nsm-forwarder", "SecurityContextConstraints nsm-nsm-nsmgr", "SecurityContextConstraints nsm-nsm-spire-socket",
		"ClusterRole nsm:nsm:scc:forwarder", "RoleBinding nsm/scc:forwarder-vpp", "RoleBinding nsm/scc:nsm-registry",
	))
	for _, name := range names {
		facts := good()
		openShift(facts)
		delete(facts.Constraints, name)
		result := resultOf(preflight.Run(facts), "NSM007")
		g.Expect(result.Outcome).To(Equal(preflight.Failed), name)
		g.Expect(result.Message).To(Equal("mesh nsm/mesh: there is no " + name + ": OpenShift refuses the pods that need it"))
	}
	for name, change := range map[string]func(mesh.Object){
		"RoleBinding nsm/scc:forwarder-vpp": func(live mesh.Object) { live.(*rbacv1.RoleBinding).Subjects[0].Name = "other" },
		"RoleBinding nsm/scc:nsmgr":         func(live mesh.Object) { live.(*rbacv1.RoleBinding).RoleRef.Name = "view" },
		"ClusterRole nsm:nsm:scc:forwarder": func(live mesh.Object) { live.(*rbacv1.ClusterRole).Rules[0].ResourceNames = []string{"other"} },
		"ClusterRole nsm:nsm:scc:nsmgr":     func(live mesh.Object) { live.(*rbacv1.ClusterRole).Rules[0].Verbs = []string{"get"} },
	} {
		facts := good()
		openShift(facts)
		change(facts.Constraints[name])
		g.Expect(resultOf(preflight.Run(facts), "NSM007").Message).To(Equal("mesh nsm/mesh: " + name + " does not grant what the pods need"))
	}
}

// resultOf the one check with a code.
func resultOf(results []preflight.Result, code string) preflight.Result {
	i := slices.IndexFunc(results, func(result preflight.Result) bool { return result.Code == code })
	return results[i]
}

// node with Linux that any part of a mesh may run on, but for its taints.
func node(name string, taints ...corev1.Taint) corev1.Node {
	return corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}},
		Spec:       corev1.NodeSpec{Taints: taints},
	}
}

// Nodes count that the mesh's DaemonSets run on, as their controller decides.
func TestAgentsAreLookedForWhereTheMeshRuns(t *testing.T) {
	t.Parallel()
	ofOthers := corev1.Taint{Key: "example.com/gpu", Value: "yes", Effect: corev1.TaintEffectNoSchedule}
	tolerating := func(tolerations ...corev1.Toleration) nsmv1beta1.NSMSpec {
		return nsmv1beta1.NSMSpec{Tolerations: tolerations}
	}
	for name, test := range map[string]struct {
		spec   nsmv1beta1.NSMSpec
		taints []corev1.Taint
		isUsed bool
	}{
		"no taint":                          {nsmv1beta1.NSMSpec{}, nil, true},
		"one":                               {nsmv1beta1.NSMSpec{}, []corev1.Taint{ofOthers}, false},
		"one that pods do not stay with":    {nsmv1beta1.NSMSpec{}, []corev1.Taint{{Key: "a", Effect: corev1.TaintEffectNoExecute}}, false},
		"one that asks for others first":    {nsmv1beta1.NSMSpec{}, []corev1.Taint{{Key: "a", Effect: corev1.TaintEffectPreferNoSchedule}}, true},
		"one that the mesh tolerates":       {tolerating(corev1.Toleration{Key: "example.com/gpu", Operator: corev1.TolerationOpExists}), []corev1.Taint{ofOthers}, true},
		"one of another value":              {tolerating(corev1.Toleration{Key: "example.com/gpu", Value: "no"}), []corev1.Taint{ofOthers}, false},
		"one that all DaemonSets tolerate":  {nsmv1beta1.NSMSpec{}, []corev1.Taint{{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule}}, true},
		"one for those on the node network": {nsmv1beta1.NSMSpec{}, []corev1.Taint{{Key: corev1.TaintNodeNetworkUnavailable, Effect: corev1.TaintEffectNoSchedule}}, true},
		"two, of which it tolerates one": {
			tolerating(corev1.Toleration{Key: "example.com/gpu", Operator: corev1.TolerationOpExists}), []corev1.Taint{ofOthers, {Key: "a", Effect: corev1.TaintEffectNoSchedule}}, false,
		},
	} {
		facts := good()
		withMesh(facts, test.spec)
		facts.Nodes = append(facts.Nodes, node("two", test.taints...))
		result := resultOf(preflight.Run(facts), "NSM004")
		if test.isUsed {
			NewWithT(t).Expect(result.Message).To(Equal("there is no pod of SPIRE's agent that is ready on two"), name)
		} else {
			NewWithT(t).Expect(result.Outcome).To(Equal(preflight.OK), "%s: %+v", name, result)
		}
	}
}

// A mesh for which nodes have the labels, and a taint as well.
func TestTaintsOfAllNodesAreTold(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	facts := good()
	facts.Nodes[0].Spec.Taints = []corev1.Taint{{Key: "node-role.kubernetes.io/control-plane", Effect: corev1.TaintEffectNoSchedule}}
	g.Expect(messagesOf(facts)).To(ContainElement("mesh nsm/mesh: every node with the labels kubernetes.io/os=linux, which DaemonSet nsmgr selects, has a taint that it does not tolerate"))
	withMesh(facts, nsmv1beta1.NSMSpec{Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}}})
	g.Expect(preflight.Worst(preflight.Run(facts))).To(Equal(preflight.OK), "%v", messagesOf(facts))
	withMesh(facts, nsmv1beta1.NSMSpec{})
	facts.Nodes[0].Spec.Taints = []corev1.Taint{{Key: corev1.TaintNodeNotReady, Effect: corev1.TaintEffectNoSchedule}}
	g.Expect(resultOf(preflight.Run(facts), "NSM020").Outcome).To(Equal(preflight.OK), "it comes back")
}

// What pods mount that are there counts as well as what the mesh is to mount.
func TestKubeletsDirectoryOfPodsIsTold(t *testing.T) {
	t.Parallel()
	const usual, other = "/var/lib/kubelet", "/var/lib/k0s/kubelet"
	pod := func(f *preflight.Facts, directory string) *corev1.Pod {
		one := forwarder()
		in := f.Meshes[0].Input
		in.Platform.KubeletDirectories = directory
		for _, component := range mesh.Components(in) {
			if component.Role == mesh.RoleForwarder {
				one.Spec.Volumes = mesh.PodTemplateOf(component.Workload).Spec.Volumes
			}
		}
		f.LiveEndpoints = []string{one.Name}
		f.Pods = append(f.Pods, one)
		return &f.Pods[len(f.Pods)-1]
	}
	isK0s := func(f *preflight.Facts) {
		f.Nodes[0].Status.NodeInfo.KubeletVersion = "v1.33.0+k0s"
		f.Platform.KubeletDirectories = other
		withMesh(f, nsmv1beta1.NSMSpec{})
	}
	for name, test := range map[string]struct {
		says   string
		change func(*preflight.Facts)
	}{
		"the right one": {"", func(f *preflight.Facts) { pod(f, usual) }},
		"one of before": {"keeps its files in " + other + ", and its pod forwarder-vpp-x mounts " + usual, func(f *preflight.Facts) {
			isK0s(f)
			pod(f, usual)
		}},
		"one of before that goes": {"", func(f *preflight.Facts) {
			isK0s(f)
			pod(f, usual).DeletionTimestamp = &metav1.Time{Time: now}
		}},
		"one of another node": {"", func(f *preflight.Facts) {
			isK0s(f)
			pod(f, usual).Spec.NodeName = "two"
		}},
		"one of somebody else": {"", func(f *preflight.Facts) {
			isK0s(f)
			pod(f, usual).Labels = nil
		}},
		"the one that the user has named since": {"keeps its files in /data, and its pod forwarder-vpp-x mounts " + usual, func(f *preflight.Facts) {
			pod(f, usual)
			withMesh(f, nsmv1beta1.NSMSpec{KubeletDirectory: "/data"})
		}},
		"the one that the mesh is to mount, and is wrong": {"keeps its files in " + other + ", and the mesh mounts " + usual, func(f *preflight.Facts) {
			f.Nodes[0].Status.NodeInfo.KubeletVersion = "v1.33.0+k0s"
			pod(f, usual)
		}},
	} {
		facts := good()
		test.change(facts)
		var said []string
		for _, result := range preflight.Run(facts) {
			if result.Code == "NSM008" && result.Outcome == preflight.Failed {
				said = append(said, result.Message)
			}
		}
		if test.says == "" {
			NewWithT(t).Expect(said).To(BeEmpty(), name)
		} else {
			NewWithT(t).Expect(said).To(ConsistOf("mesh nsm/mesh: the kubelet of node one "+test.says), name)
		}
	}
}

// What is right beside what a check looks for.
func TestChecksDoNotCryWolf(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*preflight.Facts){
		"an old certificate behind a newer one": func(f *preflight.Facts) {
			f.Certificates = map[string][]byte{"one": append(certificate(t, 90), certificate(t, 1)...)}
		},
		"a collector that answers": func(f *preflight.Facts) {
			withMesh(f, nsmv1beta1.NSMSpec{Telemetry: &nsmv1beta1.TelemetrySpec{OpenTelemetry: &nsmv1beta1.OpenTelemetrySpec{Endpoint: "collector:4317"}}})
			f.Collectors = map[string][]discoveryv1.EndpointSlice{"nsm/collector": {{Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.1"}}}}}}
		},
		"a virtual node without an agent": func(f *preflight.Facts) {
			labels := map[string]string{"kubernetes.io/os": "linux", "type": "virtual-kubelet"}
			f.Nodes = append(f.Nodes, corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "two", Labels: labels}})
		},
		"a node without an agent whose taint keeps the mesh off": func(f *preflight.Facts) {
			f.Nodes = append(f.Nodes, node("two", corev1.Taint{Key: "node-role.kubernetes.io/control-plane", Effect: corev1.TaintEffectNoSchedule}))
			f.Nodes[1].Status.NodeInfo.KubeletVersion = "v1.33.0+k0s"
			f.Nodes[1].Status.Allocatable = corev1.ResourceList{"cpu": resource.MustParse("1m"), "hugepages-2Mi": resource.MustParse("64Mi")}
		},
		"a node that is not ready, and has no agent that is": func(f *preflight.Facts) {
			f.Nodes = append(f.Nodes, node("two",
				corev1.Taint{Key: corev1.TaintNodeUnreachable, Effect: corev1.TaintEffectNoSchedule}, corev1.Taint{Key: corev1.TaintNodeUnreachable, Effect: corev1.TaintEffectNoExecute}))
		},
		"a node without an agent that the affinity of all DaemonSets leaves out": func(f *preflight.Facts) {
			f.Nodes = append(f.Nodes, node("two"))
			only := nsmv1beta1.ComponentSpec{Affinity: &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
				NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchFields: []corev1.NodeSelectorRequirement{{Key: "metadata.name", Operator: "In", Values: []string{"one"}}}}},
			}}}}
			withMesh(f, nsmv1beta1.NSMSpec{
				Nsmgr: &nsmv1beta1.NsmgrSpec{ComponentSpec: only}, Forwarders: []nsmv1beta1.ForwarderSpec{{Type: "vpp", ComponentSpec: only}},
			})
		},
		"huge pages on a node that the forwarder does not select": func(f *preflight.Facts) {
			f.Nodes = append(f.Nodes, node("two"))
			f.Nodes[1].Status.Allocatable = corev1.ResourceList{"hugepages-2Mi": resource.MustParse("64Mi")}
			f.Pods = append(f.Pods, f.Pods[0])
			f.Pods[1].Spec.NodeName = "two"
			f.Nodes[0].Labels["example.com/vpp"] = ""
			withMesh(f, nsmv1beta1.NSMSpec{Forwarders: []nsmv1beta1.ForwarderSpec{{Type: "vpp", ComponentSpec: nsmv1beta1.ComponentSpec{NodeSelector: map[string]string{"example.com/vpp": ""}}}}})
		},
		"a Windows node without an agent": func(f *preflight.Facts) {
			f.Nodes = append(f.Nodes, corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "two", Labels: map[string]string{"kubernetes.io/os": "windows"}}})
		},
		"huge pages": func(f *preflight.Facts) {
			withMesh(f, nsmv1beta1.NSMSpec{Forwarders: []nsmv1beta1.ForwarderSpec{vppWith("AF_XDP", "64Mi")}})
			f.Nodes[0].Status.Allocatable = corev1.ResourceList{"hugepages-2Mi": resource.MustParse("64Mi")}
		},
		"a node that tells of no huge pages": func(f *preflight.Facts) {
			f.Nodes[0].Status.Allocatable = corev1.ResourceList{"hugepages-2Mi": resource.MustParse("0")}
		},
		"huge pages beside a forwarder that is not VPP": func(f *preflight.Facts) {
			withMesh(f, nsmv1beta1.NSMSpec{Forwarders: []nsmv1beta1.ForwarderSpec{{Type: "ovs"}}})
			f.Nodes[0].Status.Allocatable = corev1.ResourceList{"hugepages-2Mi": resource.MustParse("64Mi")}
		},
		"OpenShift, with all of its constraints": openShift,
		"OpenShift, with rights that are wider": func(f *preflight.Facts) {
			openShift(f)
			for _, live := range f.Constraints {
				if role, isRole := live.(*rbacv1.ClusterRole); isRole {
					role.Rules = []rbacv1.PolicyRule{{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}}}
				}
			}
		},
		"OpenShift, before the mesh is there": func(f *preflight.Facts) {
			openShift(f)
			f.Meshes[0].Input.NSM.UID, f.Meshes[0].Input.NSM.Status, f.Constraints = "", nsmv1beta1.NSMStatus{}, nil
		},
		"the directory of k0s, said": func(f *preflight.Facts) {
			f.Nodes[0].Status.NodeInfo.KubeletVersion = "v1.33.0+k0s"
			withMesh(f, nsmv1beta1.NSMSpec{KubeletDirectory: "/var/lib/k0s/kubelet"})
		},
		"the directory of k0s, which the operator finds": func(f *preflight.Facts) {
			f.Nodes[0].Status.NodeInfo.KubeletVersion = "v1.33.0+k0s"
			f.Platform.KubeletDirectories = "/var/lib/k0s/kubelet"
			withMesh(f, nsmv1beta1.NSMSpec{})
		},
		"another directory, of which the user knows": func(f *preflight.Facts) {
			withMesh(f, nsmv1beta1.NSMSpec{KubeletDirectory: "/data/kubelet"})
		},
		"a node with room, beside pods that are over": func(f *preflight.Facts) {
			f.Nodes[0].Status.Allocatable = corev1.ResourceList{"cpu": resource.MustParse("4"), "memory": resource.MustParse("8Gi"), "pods": resource.MustParse("20")}
			f.Pods = append(f.Pods, corev1.Pod{
				Spec: corev1.PodSpec{NodeName: "one", Containers: []corev1.Container{{Resources: corev1.ResourceRequirements{
					Requests: corev1.ResourceList{"cpu": resource.MustParse("4")},
				}}}},
				Status: corev1.PodStatus{Phase: corev1.PodSucceeded},
			})
		},
		"a load balancer that serves": func(f *preflight.Facts) {
			withMesh(f, nsmv1beta1.NSMSpec{Interdomain: &nsmv1beta1.InterdomainSpec{}})
			f.LoadBalancers = []corev1.Service{{Status: corev1.ServiceStatus{LoadBalancer: corev1.LoadBalancerStatus{Ingress: []corev1.LoadBalancerIngress{{IP: "10.0.0.1"}}}}}}
		},
		"nodes of AWS with its network plugin": func(f *preflight.Facts) {
			f.Nodes[0].Spec.ProviderID = "aws:///eu/i-1"
			f.Pods = append(f.Pods, corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Image: "602401143452.dkr.ecr.eu-west-1.amazonaws.com/amazon-k8s-cni:v1.19.0"}}}})
		},
		"a node that renews late, and is down": func(f *preflight.Facts) {
			f.Renewed = map[string]time.Time{"one": now.Add(-time.Hour)}
		},
		"a forwarder that is registered": func(f *preflight.Facts) {
			f.Pods = append(f.Pods, forwarder())
			f.LiveEndpoints = []string{"forwarder-vpp-x"}
		},
		"a forwarder that is not ready yet": func(f *preflight.Facts) {
			pod := forwarder()
			pod.Status.Conditions = nil
			f.Pods = append(f.Pods, pod)
		},
		"a forwarder of a registry that cannot be read": func(f *preflight.Facts) {
			withMesh(f, nsmv1beta1.NSMSpec{Registry: &nsmv1beta1.RegistrySpec{Type: nsmv1beta1.RegistryTypeMemory}})
			f.Pods = append(f.Pods, forwarder())
		},
		"the usual domain": func(f *preflight.Facts) {
			f.Domain = preflight.DomainOf(".:53 {\n kubernetes cluster.local in-addr.arpa {\n}\n}")
		},
		"the mesh's own pod on its port": func(f *preflight.Facts) {
			withMesh(f, nsmv1beta1.NSMSpec{AdmissionWebhook: &nsmv1beta1.AdmissionWebhookSpec{HostNetwork: ptr.To(true)}})
			f.Pods = append(f.Pods, corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Namespace: "nsm", Name: "webhook", Labels: map[string]string{mesh.LabelNSM: "mesh", mesh.LabelNamespace: "nsm"}},
				Spec:       corev1.PodSpec{NodeName: "one", Containers: []corev1.Container{{Ports: []corev1.ContainerPort{{HostPort: 443}}}}},
			})
		},
	} {
		facts := good()
		change(facts)
		for _, result := range preflight.Run(facts) {
			NewWithT(t).Expect(result.Outcome).To(BeElementOf(preflight.OK, preflight.Skipped), "%s: %+v", name, result)
		}
	}
}

// A plugin is named that nothing is known against.
func TestNetworkPluginIsNamed(t *testing.T) {
	t.Parallel()
	for image, name := range map[string]string{
		"docker.io/calico/node:v3.30.0": "the network plugin is Calico", "docker.io/kindest/kindnetd:v20250512": "the network plugin is kindnet",
		"ghcr.io/flannel-io/flannel:v0.27.0": "the network plugin is Flannel", "example.com/web:1": "no pod has the image of a network plugin",
	} {
		facts := good()
		facts.Pods = append(facts.Pods, corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Image: image}}}})
		NewWithT(t).Expect(messagesOf(facts)).To(ContainElement(HavePrefix(name)), image)
		NewWithT(t).Expect(preflight.Worst(preflight.Run(facts))).To(Equal(preflight.OK), image)
	}
}

// OpenShift judges a volume by a label of its driver, and SELinux by the node's directory.
func TestVolumesOnOpenShift(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	facts := good()
	openShiftWith(facts, nsmv1beta1.NSMSpec{CSIDriver: &nsmv1beta1.CSIDriverSpec{}, Spire: &nsmv1beta1.SpireSpec{Mount: nsmv1beta1.SpireMountCSI}})
	facts.Nodes[0].Labels["node-role.kubernetes.io/worker"] = ""
	facts.CSIDrivers = []storagev1.CSIDriver{{ObjectMeta: metav1.ObjectMeta{Name: "csi.spiffe.io"}}}
	g.Expect(messagesOf(facts)).To(ContainElement(ContainSubstring("does not have the label security.openshift.io/csi-ephemeral-volume-profile=restricted")))
	facts.CSIDrivers[0].Labels = map[string]string{"security.openshift.io/csi-ephemeral-volume-profile": "restricted"}

	config := unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"config": map[string]any{"systemd": map[string]any{"units": []any{
		map[string]any{"contents": "ExecStart=/usr/bin/chcon -Rt container_file_t /var/lib/networkservicemesh /run/spire/sockets"},
	}}}}}}
	config.SetLabels(map[string]string{"machineconfiguration.openshift.io/role": "infra"})
	facts.SocketRoles = preflight.RolesWithSockets([]unstructured.Unstructured{config})
	g.Expect(preflight.Worst(preflight.Run(facts))).To(Equal(preflight.Warning), "it is for other nodes")
	config.SetLabels(map[string]string{"machineconfiguration.openshift.io/role": "worker"})
	facts.SocketRoles = preflight.RolesWithSockets([]unstructured.Unstructured{config})
	g.Expect(preflight.Worst(preflight.Run(facts))).To(Equal(preflight.OK), "%v", messagesOf(facts))
	other := unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{}}}
	other.SetLabels(config.GetLabels())
	g.Expect(preflight.RolesWithSockets([]unstructured.Unstructured{other})).To(BeEmpty())
}

// An endpoint that does not answer is told, with what came of asking.
func TestBundlesOfOtherDomains(t *testing.T) {
	t.Parallel()
	facts := good()
	withMesh(facts, nsmv1beta1.NSMSpec{Interdomain: &nsmv1beta1.InterdomainSpec{ServiceType: "NodePort", FederatesWith: []string{"nsm.cluster2"}}})
	facts.Bundles = map[string]preflight.Bundle{"nsm.cluster2": {URL: "https://192.0.2.1:8443", Error: "i/o timeout"}}
	NewWithT(t).Expect(messagesOf(facts)).To(ContainElement("mesh nsm/mesh: the bundle endpoint of nsm.cluster2, https://192.0.2.1:8443, does not answer this machine: i/o timeout"))
	facts.Bundles = map[string]preflight.Bundle{"nsm.cluster2": {URL: "https://192.0.2.1:8443"}}
	NewWithT(t).Expect(preflight.Worst(preflight.Run(facts))).To(Equal(preflight.OK))
}

// The kubelet's word counts before that of the cluster's DNS.
func TestDomainOfPods(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		pods, served, says string
		outcome            preflight.Outcome
	}{
		{"cluster.local", "cluster.local", "", preflight.OK},
		{"cluster.local", "", "", preflight.OK},
		{"example.org", "", "the cluster's DNS domain is example.org", preflight.Warning},
		{"example.org", "cluster.local", "pods look names up in example.org, as the kubelet tells them, and the cluster's DNS serves cluster.local", preflight.Warning},
	} {
		facts := good()
		facts.PodDomain, facts.Domain = test.pods, test.served
		NewWithT(t).Expect(messagesOf(facts)).To(ContainElement(HavePrefix(test.says)))
		NewWithT(t).Expect(preflight.Worst(preflight.Run(facts))).To(Equal(test.outcome))
	}
}

// The limits of a machine are those of its containers, such as kind's nodes; those of other
// nodes cannot be read.
func TestInotifyBeforehand(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	facts := before()
	g.Expect(messagesOf(facts)).To(ContainElement("limits of nodes cannot be read before pods run into them"))
	facts.Inotify = &preflight.InotifyLimits{Instances: 128, Watches: 524288}
	g.Expect(messagesOf(facts)).To(ContainElement(ContainSubstring("fs.inotify.max_user_instances=128 and fs.inotify.max_user_watches=524288; kind asks for 512 and 524288")))
	facts.Inotify.Instances = 512
	g.Expect(preflight.Worst(preflight.Run(facts))).To(Equal(preflight.OK))
}

// What the API server says of a webhook is told apart: that nothing answered, or what did.
func TestUnreachedWebhooks(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	for _, said := range []string{
		`Internal error occurred: failed calling webhook "validation.nsm.networkservicemesh.io": failed to call webhook: Post "https://nsm-operator-service.nsm-operator-system.svc:443/validate?timeout=10s": context deadline exceeded`,
		`conversion webhook for nsm.networkservicemesh.io/v1alpha1, Kind=NSM failed: Post "https://nsm-operator-service.nsm-operator-system.svc:443/convert?timeout=30s": dial tcp 10.0.0.1:10250: connect: connection refused`,
		`failed calling webhook "x": failed to call webhook: Post "https://nsm-operator-service.nsm-operator-system.svc:443/x?timeout=10s": Bad Gateway`,
	} {
		found := health.UnreachedOf(said)
		g.Expect(found).NotTo(BeNil(), said)
		g.Expect(found.Namespace + "/" + found.Name).To(Equal("nsm-operator-system/nsm-operator-service"))
	}
	for _, said := range []string{
		`admission webhook "validation.nsm.networkservicemesh.io" denied the request: spec.timeout: too long`,
		`failed calling webhook "x": failed to call webhook: Post "https://nsm-operator-service.nsm-operator-system.svc:443/x?timeout=10s": tls: failed to verify certificate: x509: certificate signed by unknown authority`,
		`failed calling webhook "x": failed to call webhook: Post "https://nsm-operator-service.nsm-operator-system.svc:443/x?timeout=10s": no endpoints available for service "nsm-operator-service"`,
	} {
		g.Expect(health.UnreachedOf(said)).To(BeNil(), said)
	}
	facts := good()
	facts.WebhooksTried = true
	g.Expect(resultOf(preflight.Run(facts), "NSM025").Outcome).To(Equal(preflight.OK))
	facts.Unreached = []health.Unreached{{Namespace: "a", Name: "b", Ports: []int32{10250}, Said: "context deadline exceeded"}}
	g.Expect(messagesOf(facts)).To(ContainElement(And(ContainSubstring("does not reach Service a/b"), ContainSubstring("port 10250 of its pods"), ContainSubstring("context deadline exceeded"))))
	g.Expect(preflight.Worst(preflight.Run(facts))).To(Equal(preflight.Failed))
}

// A webhook that nobody called is no webhook that was reached.
func TestWebhooksThatWereNotTried(t *testing.T) {
	t.Parallel()
	for name, facts := range map[string]*preflight.Facts{"before": before(), "afterwards": good()} {
		result := resultOf(preflight.Run(facts), "NSM025")
		NewWithT(t).Expect(result.Outcome).To(Equal(preflight.Skipped), name)
		NewWithT(t).Expect(result.Message).To(HavePrefix("nobody has tried: that takes --active, the operator,"), name)
	}
}

func TestWhatIsNotSeenIsSkipped(t *testing.T) {
	t.Parallel()
	facts := good()
	facts.Nodes, facts.Pods = nil, nil
	facts.Unseen = map[preflight.Part]string{preflight.PartNodes: "list nodes: forbidden", preflight.PartPods: "list pods: forbidden"}
	results := preflight.Run(facts)
	g := NewWithT(t)
	g.Expect(preflight.Worst(results)).To(Equal(preflight.OK))
	g.Expect(results[3].Code + " " + results[3].Message).To(Equal("NSM004 not seen: list nodes: forbidden"))
}

// What is wrong with the clocks of nodes, and with a load balancer that is asked for.
func TestNodesThatKeepAnotherTimeAreTold(t *testing.T) {
	t.Parallel()
	facts := good()
	facts.Nodes[0].Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	for renewed, says := range map[time.Duration]string{
		time.Minute: "node one is ahead of the API server's by 1m0s", -10 * time.Minute: "node one is behind the API server's by about 10m0s", -time.Minute: "",
	} {
		facts.Renewed = map[string]time.Time{"one": now.Add(renewed)}
		NewWithT(t).Expect(messagesOf(facts)).To(ContainElement(ContainSubstring(says)))
		want := preflight.Warning
		if says == "" {
			want = preflight.OK
		}
		NewWithT(t).Expect(preflight.Worst(preflight.Run(facts))).To(Equal(want))
	}
}

func messagesOf(facts *preflight.Facts) []string {
	var messages []string
	for _, result := range preflight.Run(facts) {
		messages = append(messages, result.Message)
	}
	return messages
}

// A node that is full has no room for a Deployment's pod, and one without enough for its
// DaemonSets is told.
func TestDeploymentsNeedRoomSomewhere(t *testing.T) {
	t.Parallel()
	facts := good()
	withMesh(facts, nsmv1beta1.NSMSpec{Registry: &nsmv1beta1.RegistrySpec{ComponentSpec: nsmv1beta1.ComponentSpec{ContainerSpec: nsmv1beta1.ContainerSpec{
		Resources: &corev1.ResourceRequirements{Requests: corev1.ResourceList{"memory": resource.MustParse("16Gi")}, Limits: corev1.ResourceList{"memory": resource.MustParse("16Gi")}},
	}}}})
	facts.Nodes[0].Status.Allocatable = corev1.ResourceList{"memory": resource.MustParse("8Gi")}
	NewWithT(t).Expect(messagesOf(facts)).To(ContainElement("mesh nsm/mesh: no node has room for a pod of Deployment nsm-registry"))
}

// A refusal in a namespace without labels is that of the whole cluster, as on Talos.
func TestDefaultOfPodSecurityIsTold(t *testing.T) {
	t.Parallel()
	facts := before()
	facts.PrivilegedRefused = "violates PodSecurity \"baseline:latest\""
	NewWithT(t).Expect(messagesOf(facts)).To(ContainElement(ContainSubstring("refused in namespaces without the label pod-security.kubernetes.io/enforce")))
	facts.Meshes[0].NamespaceLabels = map[string]string{mesh.LabelEnforce: "privileged"}
	NewWithT(t).Expect(preflight.Worst(preflight.Run(facts))).To(Equal(preflight.OK))
}

func TestServiceWithoutALoadBalancerIsTold(t *testing.T) {
	t.Parallel()
	facts := good()
	withMesh(facts, nsmv1beta1.NSMSpec{Interdomain: &nsmv1beta1.InterdomainSpec{}})
	facts.LoadBalancers = []corev1.Service{{ObjectMeta: metav1.ObjectMeta{Namespace: "nsm", Name: "nsmgr-proxy"}}}
	NewWithT(t).Expect(messagesOf(facts)).To(ContainElement(ContainSubstring("Service nsm/nsmgr-proxy has no address of a load balancer")))
}

// Each code has a heading that tells more.
func TestCodesAreDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "troubleshooting.md"))
	if err != nil {
		t.Fatal(err)
	}
	codes, titles := preflight.Codes()
	for i, code := range codes {
		if !strings.Contains(string(page), "\n### "+code+"\n") || !strings.Contains(string(page), titles[i]) {
			t.Errorf("docs/troubleshooting.md has no heading %s, or does not say %q", code, titles[i])
		}
	}
}
