// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/yaml"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/hack/internal/deploy"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/preflight"
)

const repository = "../.."

func TestThePlanSaysWhatIsMade(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	p := plan{
		context: "kind-nsm", server: "https://127.0.0.1:6443", kubernetes: "v1.34.0", from: "v1.17.0", to: "v1.18.0", image: "example.com/operator:v2",
		namespaces: []string{"a", "b"}, outside: []string{"ClusterRole one", "RoleBinding apps/two"},
	}
	var text bytes.Buffer
	p.text(&text)
	g.Expect(text.String()).To(And(
		HavePrefix(`This tests the cluster of context "kind-nsm": https://127.0.0.1:6443 (Kubernetes v1.34.0).`),
		ContainSubstring("(example.com/operator:v2), makes a mesh of NSM v1.17.0, pings through it, upgrades it to v1.18.0"),
		ContainSubstring("and removes all of that."), ContainSubstring("Namespaces that it makes: a, b."),
		ContainSubstring("\nOutside of them it makes:\n  ClusterRole one\n  RoleBinding apps/two\nMeanwhile Kubernetes lets whoever has the ClusterRole view, edit or admin read NSMs, too.\nNothing else is changed.\n"), Not(ContainSubstring("OpenShift"))))
	for _, one := range notChecked {
		g.Expect(text.String()).To(ContainSubstring(one))
	}

	p.keep, p.isOpenShift = true, true
	text.Reset()
	p.text(&text)
	g.Expect(text.String()).To(And(ContainSubstring("(OpenShift, Kubernetes v1.34.0)"), ContainSubstring("leaves all of that"),
		ContainSubstring(notTriedOnOpenShift)))
}

// What a mesh makes outside of its namespace follows from its NSM, from both releases and from what
// the cluster offers.
func TestThePlanNamesWhatTheMeshMakes(t *testing.T) {
	t.Parallel()
	// Of every mesh with a registry of type k8s, a manager and a webhook.
	usual := []string{
		"ClusterRole nsm:mesh:admission-webhook-k8s", "ClusterRoleBinding nsm:mesh:admission-webhook-k8s", "MutatingWebhookConfiguration nsm-mutating-webhook-mesh",
		"ClusterRole nsm:mesh:nsm-registry", "ClusterRole nsm:mesh:nsm-registry:namespace", "ClusterRoleBinding nsm:mesh:nsm-registry",
		"ClusterRole nsm:mesh:nsmgr", "ClusterRoleBinding nsm:mesh:nsmgr",
	}
	with := func(more ...string) []string { return append(slices.Clone(usual), more...) }
	const workloads = "ClusterSPIFFEID nsm-mesh-workloads"
	for name, test := range map[string]struct {
		// sample is one of config/samples, without its extension, and spec what replaces fields of it.
		sample, spec string
		spire        string
		offers       mesh.Platform
		want         []string
	}{
		"the usual one":      {sample: "nsm", want: with(workloads)},
		"with another SPIRE": {sample: "nsm", spire: "external", offers: mesh.Platform{ClusterSPIFFEIDs: true}, want: with(workloads)},
		"with another SPIRE, without its controller": {sample: "nsm", spire: "external", want: usual},
		"registered otherwise":                       {sample: "nsm", spec: `{"spire": {"registration": "None"}}`, want: usual},
		"with CSI":                                   {sample: "csi", want: with(workloads, "CSIDriver csi.networkservicemesh.io")},
		"on OpenShift": {
			sample: "openshift", offers: mesh.Platform{OpenShift: true},
			want: with(workloads, "CSIDriver csi.networkservicemesh.io",
				"SecurityContextConstraints nsm-mesh-csi-driver", "SecurityContextConstraints nsm-mesh-forwarder", "SecurityContextConstraints nsm-mesh-nsmgr",
				"ClusterRole nsm:mesh:scc:csi-driver", "ClusterRole nsm:mesh:scc:forwarder", "ClusterRole nsm:mesh:scc:nsmgr"),
		},
		"on OpenShift, with clients that mount directories": {
			sample: "openshift", spec: `{"spire": {}, "csiDriver": null}`, offers: mesh.Platform{OpenShift: true},
			want: with(workloads, "RoleBinding apps/nsm:mesh:client", "ValidatingAdmissionPolicy nsm-mesh-client", "ValidatingAdmissionPolicyBinding nsm-mesh-client",
				"SecurityContextConstraints nsm-mesh-client", "SecurityContextConstraints nsm-mesh-forwarder", "SecurityContextConstraints nsm-mesh-nsmgr",
				"SecurityContextConstraints nsm-mesh-spire-socket", "ClusterRole nsm:mesh:scc:client", "ClusterRole nsm:mesh:scc:forwarder",
				"ClusterRole nsm:mesh:scc:nsmgr", "ClusterRole nsm:mesh:scc:spire-socket"),
		},
		"between domains": {
			sample: "interdomain", offers: mesh.Platform{ClusterProperties: true},
			want: with(workloads, "ClusterProperty id.k8s.io", "ClusterRole nsm:mesh:cluster-info", "ClusterRole nsm:mesh:cluster-info:namespace",
				"ClusterRoleBinding nsm:mesh:cluster-info", "ClusterRole nsm:mesh:nsmgr-proxy", "ClusterRoleBinding nsm:mesh:nsmgr-proxy"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			w := &walk{
				Cluster:  &deploy.Cluster{Client: fake.NewClientBuilder().WithObjects(labelled("apps", "client"), labelled(clients, "client"), labelled("other", "no")).Build()},
				settings: &settings{from: "v1.17.0", to: "v1.18.0", sample: sampleWith(t, test.sample, test.spec), clients: clients},
				plan:     plan{isOpenShift: test.offers.OpenShift, namespaces: []string{"mesh", clients}},
			}
			w.settings.Namespace, w.settings.Spire = "mesh", cmp.Or(test.spire, "lab")
			names, err := w.outsideOfMesh(t.Context(), test.offers)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(names).To(ConsistOf(test.want))
		})
	}
}

// clients is the namespace of those.
const clients = "nsm-test-clients"

func labelled(namespace, value string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace, Labels: map[string]string{labelClient: value}}}
}

// sampleWith is a file with the NSM of a sample, with other fields in its spec.
func sampleWith(t *testing.T, name, spec string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, "config", "samples", "nsm_v1beta1_"+name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	documents := strings.Split(string(text), "\n---\n")
	var nsm unstructured.Unstructured
	if err := yaml.Unmarshal([]byte(documents[len(documents)-1]), &nsm.Object); err != nil {
		t.Fatal(err)
	}
	fields := map[string]any{}
	if err := yaml.Unmarshal([]byte(spec), &fields); err != nil {
		t.Fatal(err)
	}
	of, _, _ := unstructured.NestedMap(nsm.Object, "spec")
	maps.Copy(of, fields)
	nsm.Object["spec"] = of
	changed, err := yaml.Marshal(nsm.Object)
	file := filepath.Join(t.TempDir(), "nsm.yaml")
	if err = errors.Join(err, os.WriteFile(file, changed, 0o600)); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestTheReportSaysWhatWasFound(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	r := report{
		Result: failed, Server: "https://one", Kubernetes: "v1.34.0", Operator: "example.com/operator:v2", From: "v1.17.0", To: "v1.18.0", Took: seconds(90 * time.Second),
		Steps: []stepped{
			{"one", passed, seconds(1500 * time.Millisecond), "", ""}, {"two", failed, seconds(time.Minute), "it broke", ""}, {"three", skipped, 0, "", "there is no need"},
		},
		Pings: []pinged{{"nsc", "worker", "10.0.0.1", 20, 6, seconds(6600 * time.Millisecond)}},
		Left:  []string{"Namespace spire"}, Support: "support.tar.gz",
	}
	g.Expect(r.find([]preflight.Result{{Code: "NSM001", Outcome: preflight.OK}, {Code: "NSM021", Outcome: preflight.Warning, Message: "is Cilium", Hint: "try it", Link: "there"}})).To(BeFalse())
	g.Expect(r.find([]preflight.Result{{Code: "NSM016", Outcome: preflight.Failed}})).To(BeTrue())
	var text bytes.Buffer
	r.text(&text)
	g.Expect(text.String()).To(And(
		ContainSubstring("Report: failed after 90.0s."), MatchRegexp(`passed +1\.5s  one\n`), MatchRegexp(`failed +60\.0s  two\n +it broke\n`),
		MatchRegexp(`skipped +0\.0s  three\n +there is no need\n`),
		ContainSubstring("pod nsc on node worker had 20 replies of 10.0.0.1; 6 were lost, and the longest time without one was 6.6s"),
		ContainSubstring("warning NSM021: is Cilium\n  -> try it\n  see there"), Not(ContainSubstring("NSM001")),
		ContainSubstring("still there: Namespace spire"), ContainSubstring("Support data: support.tar.gz")))

	file := filepath.Join(t.TempDir(), "report.json")
	g.Expect(r.write(file)).To(Succeed())
	content, err := os.ReadFile(file)
	g.Expect(err).NotTo(HaveOccurred())
	var again report
	g.Expect(json.Unmarshal(content, &again)).To(Succeed())
	g.Expect(again).To(Equal(r))
	g.Expect(string(content)).To(And(ContainSubstring(`"longestGap": 6.6`), ContainSubstring(`"result": "skipped"`), ContainSubstring(`"why": "there is no need"`)))
}

func TestAStepThatDoesNotApplyIsSkippedAndTheNextOneMade(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	w := &walk{plan: plan{isOpenShift: true}, report: report{Result: passed}}
	looking := []step{{"the webhook", time.Minute, w.replaceWebhookPod}}
	g.Expect(w.all(t.Context(), looking)).To(BeTrue())
	g.Expect(w.hasBegun(looking)).To(BeTrue())
	g.Expect(w.all(t.Context(), []step{{"all is well", time.Minute, func(context.Context) error { return nil }}})).To(BeTrue())
	g.Expect(w.report.Result).To(Equal(passed))
	for i := range w.report.Steps {
		w.report.Steps[i].Took = 0
	}
	g.Expect(w.report.Steps).To(Equal([]stepped{{Name: "the webhook", Result: skipped, Why: string(notOnOpenShift)}, {Name: "all is well", Result: passed}}))
}

// A SPIRE that somebody else installs may still be starting.
func TestTheAgentsOfAnotherSPIREAreAwaited(t *testing.T) {
	t.Parallel()
	codes, titles := preflight.Codes()
	NewWithT(t).Expect(titles[slices.Index(codes, agentsCheck)]).To(Equal("SPIRE's agent runs on each node"))
	const (
		missing = `{"checks":[{"code":"NSM001","result":"failed"},{"code":"NSM004","result":"failed","message":"no agent is ready on b","hint":"read it","link":"there"}]}`
		there   = `{"checks":[{"code":"NSM001","result":"failed"},{"code":"NSM004","result":"ok"}]}`
		hidden  = `{"checks":[{"code":"NSM004","result":"skipped","message":"not seen: pods"}]}`
	)
	for what, test := range map[string]struct {
		first, then string
		want        OmegaMatcher
	}{
		"that start":            {missing, there, BeNil()},
		"that are there":        {there, there, BeNil()},
		"that never start":      {missing, missing, MatchError("SPIRE's agents: not ready after 5s: NSM004 no agent is ready on b: read it; see there")},
		"that nobody may see":   {hidden, hidden, MatchError(skip("not seen: pods"))},
		"where the check fails": {"", "", MatchError(ContainSubstring("it is broken"))},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			directory := t.TempDir()
			s := &settings{samples: filepath.Join(repository, "config", "samples"), plugin: filepath.Join(directory, "plugin")}
			s.Namespace, s.Spire = "mesh", "external"
			for name, content := range map[string]string{"first": test.first, "then": test.then, "nsm": ""} {
				g.Expect(os.WriteFile(filepath.Join(directory, name), []byte(content), 0o644)).To(Succeed())
			}
			g.Expect(os.WriteFile(s.plugin, []byte("#!/bin/sh\ncd "+directory+"\necho it is broken >&2\necho \"$@\" >>asked; cat >>nsm; cat first; cp then first; exit 1\n"), 0o755)).To(Succeed())
			w := &walk{Cluster: (&deploy.Cluster{}).Within(5 * time.Second), settings: s}
			looking, _ := w.steps()
			g.Expect(looking[len(looking)-1].do(t.Context())).To(test.want)
			g.Expect(os.ReadFile(filepath.Join(directory, "asked"))).To(WithTransform(func(asked []byte) string { return string(asked) }, HavePrefix("check -n mesh -o json -f -\n")), "for what is there")
			g.Expect(os.ReadFile(filepath.Join(directory, "nsm"))).To(ContainSubstring(`"name":"` + meshName + `"`))
		})
	}
	lab := &settings{}
	lab.Spire = "lab"
	looking, _ := (&walk{settings: lab}).steps()
	NewWithT(t).Expect(looking).To(HaveLen(2), "make deploy waits for its own")
}

func TestRepliesAreCounted(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	now := time.Unix(0, 0)
	r := &replies{clock: func() time.Time { return now }}
	count, lost, gap := r.sum()
	g.Expect([]any{count, lost, gap}).To(Equal([]any{0, 0, time.Duration(0)}), "nothing yet")
	for _, one := range []struct {
		after time.Duration
		text  string
	}{
		{time.Second, "PING 172.16.1.2 (172.16.1.2): 56 data bytes\n64 bytes from 172.16.1.2: seq=0 ttl"},
		{0, "=64 time=0.2 ms\n"}, // a line in two parts
		{time.Second, "64 bytes from 172.16.1.2: icmp_seq=1 ttl=64 time=0.3 ms\n"},
		{time.Second, "From 172.16.1.1 icmp_seq=2 Destination Host Unreachable\n"},
		{4 * time.Second, "64 bytes from 172.16.1.2: seq=6 ttl=64 time=0.3 ms\n64 bytes from 172.16.1.2: seq=7"},
	} {
		now = now.Add(one.after)
		n, err := r.Write([]byte(one.text))
		g.Expect(n, err).To(Equal(len(one.text)))
	}
	count, lost, gap = r.sum()
	g.Expect([]any{count, lost, gap}).To(Equal([]any{3, 4, 5 * time.Second}))
	g.Expect(r.since(time.Unix(2, 0))).To(Equal(1))
}

func TestTheFarEndIsNotTheClient(t *testing.T) {
	t.Parallel()
	const addresses = "2: nsm-1: <UP>\n    inet 172.16.1.1/32 scope global nsm-1\n    inet6 fe80::1/64 scope link"
	for routes, want := range map[string]string{
		"172.16.1.0 scope link\n":                           "172.16.1.0",
		"172.16.1.1 scope link\n172.16.1.2/32 scope link\n": "172.16.1.2",
		"default via 10.0.0.1\n":                            "",
		"":                                                  "",
	} {
		NewWithT(t).Expect(farEnd(addresses, routes)).To(Equal(want), routes)
	}
}

func TestAMeshRunsAReleaseWhenAllOfItDoes(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	nsm := &nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Generation: 2}}
	g.Expect(lacks(nsm, "v1.18.0")).To(Equal("the operator has not looked at it yet"))
	nsm.Status.ObservedGeneration, nsm.Status.Version = 2, "v1.17.0"
	set := func(kind string, status metav1.ConditionStatus) {
		nsm.Status.Conditions = append(nsm.Status.Conditions, metav1.Condition{Type: kind, Status: status, Message: kind + " says"})
	}
	set(nsmv1beta1.ConditionAvailable, metav1.ConditionTrue)
	set(nsmv1beta1.ConditionReady, metav1.ConditionFalse)
	g.Expect(lacks(nsm, "v1.18.0")).To(Equal("Ready says"))
	nsm.Status.Conditions[1].Status = metav1.ConditionTrue
	g.Expect(lacks(nsm, "v1.18.0")).To(Equal("it runs v1.17.0"))
	nsm.Status.Version = "v1.18.0"
	g.Expect(lacks(nsm, "v1.18.0")).To(BeEmpty())
	nsm.Status.Conditions[0].Status = metav1.ConditionFalse
	g.Expect(lacks(nsm, "v1.18.0")).To(Equal("Available says"))
}

// The values of the chart follow from the sample that fits the cluster.
func TestClientsFitTheMesh(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	s := &settings{samples: filepath.Join(repository, "config", "samples"), from: "v1.17.0"}
	s.Namespace = "mesh"
	for isOpenShift, want := range map[bool][]string{
		false: {"release=v1.17.0", "meshNamespace=mesh"},
		true: {
			"release=v1.17.0", "meshNamespace=mesh", "sockets.spireAgent=unix:///run/spire/agent-sockets/spire-agent.sock", "sockets.mount=CSI", "openshift=true",
		},
	} {
		w := &walk{settings: s, plan: plan{isOpenShift: isOpenShift}}
		nsm, err := w.readMesh()
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(nsm.GetName()).To(Equal(meshName))
		g.Expect(chartValues(nsm, isOpenShift)).To(Equal(want))
	}
	s.sample = filepath.Join(s.samples, "nsm_v1alpha1_nsm.yaml")
	_, err := (&walk{settings: s}).readMesh()
	g.Expect(err).To(MatchError(ContainSubstring("must hold one NSM of nsm.networkservicemesh.io/v1beta1")))
}

// The namespaces of clients that the sample for OpenShift selects include ours.
func TestOpenShiftsSampleSelectsTheClients(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(repository, "config", "samples", "nsm_v1beta1_openshift.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var sample unstructured.Unstructured
	NewWithT(t).Expect(yaml.Unmarshal(text, &sample.Object)).To(Succeed())
	value, _, _ := unstructured.NestedString(sample.Object, "spec", "openshift", "clientNamespaces", "matchLabels", labelClient)
	NewWithT(t).Expect(value).To(Equal("client"))
}

func TestSettingsAreChecked(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"FROM=v1.18.0: must be a release before TO=v1.18.0": {"--from", "v1.18.0"},
		"TO=1.18: must be an NSM release":                   {"--to", "1.18"},
		"CLIENTS=a.b":                                       {"--clients", "a.b"},
		"CLIENTS: must not be the namespace of the mesh":    {"--clients", "nsm"},
		"nowhere: no such file":                             {"--helm", "nowhere"},
	} {
		s := &settings{}
		flags := flag.NewFlagSet("", flag.ContinueOnError)
		s.flags(flags)
		NewWithT(t).Expect(flags.Parse(args)).To(Succeed())
		NewWithT(t).Expect(s.check()).To(MatchError(ContainSubstring(want)))
	}
}

func TestNobodyIsAskedWhereThereIsNoTerminal(t *testing.T) {
	t.Parallel()
	in, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	NewWithT(t).Expect(agree(t.Context(), false, in)).To(MatchError(ContainSubstring("set YES=1")))
	NewWithT(t).Expect(agree(t.Context(), true, in)).To(Succeed())
}

// Somebody who changes the context meanwhile does not lead the test to another cluster.
func TestTheContextIsKept(t *testing.T) {
	g := NewWithT(t)
	config := clientcmdapi.NewConfig()
	for _, name := range []string{"one", "other"} {
		config.Clusters[name] = &clientcmdapi.Cluster{Server: "https://" + name}
		config.Contexts[name] = &clientcmdapi.Context{Cluster: name}
	}
	config.CurrentContext = "one"
	file := filepath.Join(t.TempDir(), "kubeconfig")
	g.Expect(clientcmd.WriteToFile(*config, file)).To(Succeed())
	t.Setenv("KUBECONFIG", file)
	unpin, err := pin()
	g.Expect(err).NotTo(HaveOccurred())
	config.CurrentContext = "other"
	g.Expect(clientcmd.WriteToFile(*config, file)).To(Succeed())
	kept, err := clientcmd.NewDefaultClientConfigLoadingRules().Load()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(kept.CurrentContext).To(Equal("one"))
	g.Expect(kept.Clusters).To(HaveLen(1))
	unpin()
	g.Expect(os.Getenv("KUBECONFIG")).NotTo(BeAnExistingFile())
}

// The clusters of kind that the documents name have nodes for packets to cross between.
func TestKindsConfiguration(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("kind.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Kind, APIVersion string
		Nodes            []struct{ Role string }
	}
	NewWithT(t).Expect(yaml.Unmarshal(text, &config)).To(Succeed())
	NewWithT(t).Expect(config.APIVersion).To(Equal("kind.x-k8s.io/v1alpha4"))
	NewWithT(t).Expect(config.Nodes).To(HaveLen(3))
}

// A pod that never starts has no log.
func TestPodsThatNeverStartedAreExplained(t *testing.T) {
	t.Parallel()
	event := func(pod, reason, message string, second int64) corev1.Event {
		return corev1.Event{
			InvolvedObject: corev1.ObjectReference{UID: types.UID(pod)}, Reason: reason, Message: message, LastTimestamp: metav1.Unix(second, 0),
		}
	}
	pods := []corev1.Pod{{ObjectMeta: metav1.ObjectMeta{Name: "ping-1", UID: "1"}}, {ObjectMeta: metav1.ObjectMeta{Name: "ping-2", UID: "2"}}}
	NewWithT(t).Expect(complaints(pods, []corev1.Event{
		event("1", "FailedMount", "the driver is not there", 2), event("1", "FailedMount", "not yet", 1),
		event("2", "Failed", "the image is not there", 1), event("3", "Failed", "somebody else's", 1),
	})).To(MatchError("pod ping-1: FailedMount: the driver is not there\npod ping-2: Failed: the image is not there"))
	NewWithT(t).Expect(complaints(pods, nil)).To(Succeed())
}
