// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package e2e

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	"github.com/onsi/gomega/gexec"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/networkservicemesh/nsm-operator/test/documents"
)

const (
	testNamespace   = "nsm-test"
	testClients     = "nsm-test-clients"
	testClusterPage = "docs/test_cluster.md"
)

// The whole of "make test-cluster" where nothing runs in pods but the operator: their
// programs, NSM's webhook and the result of the pods of "helm test" are the test's.
var _ = Describe("make test-cluster", Ordered, SpecPriority(2), func() {
	var programs string

	BeforeAll(func(ctx SpecContext) {
		programs = GinkgoT().TempDir()
		standIn(programs, "log", "2026-01-02T03:04:05.000000000Z stdout F OK\n")
		standIn(programs, "ip", "#!/bin/sh\n"+
			`case $1 in addr) echo "    inet 172.16.1.1/32 scope global nsm-1";; route) echo "172.16.1.0 scope link";; esac`+"\n")
		webhook := startNSMWebhook()
		startWithPods(ctx, shippedImage, func(address string) string {
			switch {
			case strings.HasPrefix(address, "localhost:"):
				return address // of the kubelets
			case strings.HasSuffix(address, ":443"):
				return webhook
			default:
				return ""
			}
		}, "--exec-programs", programs)
		putOnNode(ctx)
		inBackground(ctx, endTests)
	})

	BeforeEach(func() {
		standIn(programs, "ping", "#!/bin/sh\ni=0; while echo \"64 bytes from $3: seq=$i ttl=64 time=0.1 ms\"; do i=$((i+1)); /bin/sleep 0.2; done\n")
	})

	It("says what it will do, and changes nothing unasked", func(ctx SpecContext) {
		said, err := tryMake(ctx, "test-cluster", "3m", "SPIRE_STORAGE=emptyDir")
		Expect(err).To(HaveOccurred())
		Expect(said).To(And(
			ContainSubstring(`This tests the cluster of context`), ContainSubstring("makes a mesh of NSM v1.17.0, pings through it, upgrades it to v1.18.0"),
			ContainSubstring("Namespaces that it makes: nsm-test, nsm-operator-system, spire, nsm-test-clients."),
			ContainSubstring("  CustomResourceDefinition nsms.nsm.networkservicemesh.io\n"), ContainSubstring("  MutatingWebhookConfiguration nsm-mutating-webhook-nsm-test\n"),
			ContainSubstring("set YES=1")))
		Expect(installed(ctx)).To(BeEmpty())
	}, NodeTimeout(10*time.Minute))

	It("refuses a cluster in which something is in its way", func(ctx SpecContext) {
		kubectl(ctx, "create", "namespace", testClients)
		kubectl(ctx, "create", "configmap", "left", "-n", "default")
		kubectl(ctx, "label", "configmap", "left", "-n", "default", "app.kubernetes.io/managed-by=make-deploy")
		said, err := tryMake(ctx, "test-cluster", "3m", "SPIRE_STORAGE=emptyDir", "YES=1")
		Expect(err).To(HaveOccurred())
		Expect(said).To(ContainSubstring("nothing was changed, because there is already: ConfigMap default/left, Namespace " + testClients))
		Expect(installed(ctx)).To(BeEmpty())
		kubectl(ctx, "delete", "configmap", "left", "-n", "default")
		kubectl(ctx, "delete", "namespace", testClients, "--timeout=3m")
	}, NodeTimeout(10*time.Minute))

	It("walks to a ping and through an upgrade, leaves nothing, and reports", func(ctx SpecContext) {
		before := others(ctx)
		file, output := filepath.Join(GinkgoT().TempDir(), "report.json"), filepath.Join(GinkgoT().TempDir(), "output")
		blocks := blocksOfKind(testClusterPage, documents.Cluster)
		Expect(blocks).To(HaveLen(1))
		blocks[0].Commands = "{ " + blocks[0].Commands + "} 2>&1 | tee " + output
		shell := reader(documentedImage, shippedImage)
		shell.Environment = append(shell.Environment, "YES=1", "TIMEOUT=3m", "SPIRE_STORAGE=emptyDir", "REPORT="+file)
		ended := make(chan error, 1)
		go func() { ended <- shell.Run(ctx, blocks[0]) }()
		soFar := func() string {
			text, _ := os.ReadFile(output) // there is none before the first line
			return string(text)
		}
		Eventually(soFar).WithTimeout(15 * time.Minute).Should(Or(ContainSubstring("== clients and an endpoint"), ContainSubstring("Report: ")))

		By("making what it has said, and changing nothing else")
		_, plan, _ := strings.Cut(soFar(), "\nOutside of them it makes:\n")
		plan, _, _ = strings.Cut(plan, "\nMeanwhile Kubernetes lets whoever has the ClusterRole view, edit or admin read NSMs, too.\nNothing else is changed.\n")
		var planned []any
		for line := range strings.Lines(plan) {
			planned = append(planned, strings.TrimSpace(line))
		}
		made, changed := compared(before, others(ctx))
		Expect(made).To(ConsistOf(planned...))
		Expect(changed).To(ConsistOf("ClusterRole view", "ClusterRole edit", "ClusterRole admin"))

		Eventually(ended).WithTimeout(15 * time.Minute).Should(Receive(Succeed()))
		said := soFar()
		report := readReport(file)
		Expect(report.Result).To(Equal("passed"))
		Expect(report.Steps).To(HaveLen(14))
		Expect(report.Steps).To(HaveEach(HaveField("Result", "passed")))
		Expect(report.Pings).To(And(HaveLen(2), HaveEach(And(
			HaveField("Address", "172.16.1.0"), HaveField("Lost", 0), HaveField("Replies", BeNumerically(">", 2))))))
		Expect(report.NotChecked).NotTo(BeEmpty())
		Expect(said).To(ContainSubstring("Report: passed after"))
		Expect(installed(ctx)).To(BeEmpty())
		_, err := tryKubectl(ctx, "get", "namespace", testClients)
		Expect(err).To(MatchError(ContainSubstring("not found")))
		Eventually(func(g Gomega) {
			made, changed := compared(before, others(ctx))
			g.Expect(made).To(BeEmpty())
			g.Expect(changed).To(BeEmpty())
		}).WithTimeout(time.Minute).Should(Succeed())
	}, NodeTimeout(40*time.Minute))

	It("says what has failed, gathers support data, and cleans up", func(ctx SpecContext) {
		Expect(os.Remove(filepath.Join(programs, "ping"))).To(Succeed())
		file, data := filepath.Join(GinkgoT().TempDir(), "report.json"), filepath.Join(GinkgoT().TempDir(), "support.tar.gz")
		said, err := tryMake(ctx, "test-cluster", "3m", "SPIRE_STORAGE=emptyDir", "YES=1", "REPORT="+file, "SUPPORT="+data)
		Expect(err).To(HaveOccurred())
		report := readReport(file)
		Expect(report.Result).To(Equal("failed"), said)
		Expect(report.Steps).To(ContainElement(And(HaveField("Name", ContainSubstring("an upgrade to NSM v1.18.0")), HaveField("Result", "failed"),
			HaveField("Error", ContainSubstring("exec is not possible: ping")))))
		Expect(report.Support).To(Equal(data))
		Expect(data).To(BeAnExistingFile())
		Expect(report.Left).To(BeEmpty())
		Expect(installed(ctx)).To(BeEmpty())
	}, NodeTimeout(20*time.Minute))

	It("cleans up after Ctrl-C", func(ctx SpecContext) {
		command := exec.CommandContext(ctx, filepath.Join(root, "bin", "testcluster"), "--yes", "--spire-storage", "emptyDir", "--namespace", testNamespace,
			"--image", shippedImage, "--timeout", "3m")
		command.Dir = root
		command.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig())
		session, err := gexec.Start(command, GinkgoWriter, GinkgoWriter)
		Expect(err).NotTo(HaveOccurred())
		Eventually(session).WithTimeout(5 * time.Minute).Should(gbytes.Say("== a mesh of NSM"))
		session.Signal(syscall.SIGINT)
		Eventually(session).WithTimeout(10 * time.Minute).Should(gexec.Exit(1))
		Expect(session).To(gbytes.Say("Report: interrupted after"))
		Expect(installed(ctx)).To(BeEmpty())
	}, NodeTimeout(20*time.Minute))
})

// others are the objects that are in none of the namespaces of "make test-cluster", by kind and
// name: what they are, without who wrote them and when, and without what is seen of them. What
// Kubernetes makes by itself for other objects is left out, and what it always renews.
func others(ctx context.Context) map[string]string {
	GinkgoHelper()
	byItself := []string{
		"events", "events.events.k8s.io", "leases.coordination.k8s.io", "endpoints", "endpointslices.discovery.k8s.io", "componentstatuses",
		"apiservices.apiregistration.k8s.io", "ipaddresses.networking.k8s.io",
	}
	resources := slices.DeleteFunc(strings.Fields(kubectl(ctx, "api-resources", "--verbs=list", "--output=name")),
		func(name string) bool { return slices.Contains(byItself, name) })
	var found unstructured.UnstructuredList
	Expect(json.Unmarshal([]byte(kubectl(ctx, "get", strings.Join(resources, ","), "--all-namespaces", "--output=json")), &found)).To(Succeed())
	ours := []string{testNamespace, testClients, "nsm-operator-system", "spire"}
	seen := map[string]string{}
	for _, object := range found.Items {
		name := object.GetKind() + " " + object.GetName()
		if namespace := object.GetNamespace(); namespace != "" {
			name = object.GetKind() + " " + namespace + "/" + object.GetName()
		}
		if slices.Contains(ours, object.GetNamespace()) || object.GetKind() == "Namespace" && slices.Contains(ours, object.GetName()) {
			continue
		}
		object.SetManagedFields(nil)
		object.SetResourceVersion("")
		delete(object.Object, "status")
		text, err := object.MarshalJSON()
		Expect(err).NotTo(HaveOccurred())
		seen[name] = string(text)
	}
	Expect(seen).To(HaveKey("Namespace default"))
	return seen
}

// compared names what is new, and what has changed or is gone.
func compared(before, after map[string]string) (made, changed []string) {
	for name := range after {
		if _, was := before[name]; !was {
			made = append(made, name)
		}
	}
	for name, was := range before {
		if after[name] != was {
			changed = append(changed, name)
		}
	}
	return made, changed
}

// standIn writes a program, or what it prints.
func standIn(directory, name, content string) {
	GinkgoHelper()
	Expect(os.WriteFile(filepath.Join(directory, name), []byte(content), 0o755)).To(Succeed())
}

// testReport is the part of a report that is looked at.
type testReport struct {
	Result     string
	Steps      []struct{ Name, Result, Error string }
	NotChecked []string
	Pings      []struct {
		Address       string
		Replies, Lost int
	}
	Support string
	Left    []string
}

func readReport(file string) *testReport {
	GinkgoHelper()
	text, err := os.ReadFile(file)
	Expect(err).NotTo(HaveOccurred())
	report := &testReport{}
	Expect(json.Unmarshal(text, report)).To(Succeed())
	return report
}

// endTests lets the pods of "helm test" succeed once they run, as their program would.
func endTests(ctx context.Context) error {
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		var pods corev1.PodList
		if admin.List(ctx, &pods, client.MatchingLabels{"app.kubernetes.io/component": "test"}) != nil {
			continue
		}
		for i := range pods.Items {
			if pods.Items[i].Status.Phase == corev1.PodRunning {
				pods.Items[i].Status.Phase = corev1.PodSucceeded
				_ = admin.Status().Update(ctx, &pods.Items[i]) // or the next time
			}
		}
	}
}

// startNSMWebhook serves as NSM's webhook does, with the certificate that the operator
// has issued for it, and returns its address.
func startNSMWebhook() string {
	GinkgoHelper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(addClient))
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS13, GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		issued := &corev1.Secret{}
		if err := admin.Get(hello.Context(), client.ObjectKey{Namespace: testNamespace, Name: "admission-webhook-tls"}, issued); err != nil {
			return nil, err
		}
		pair, err := tls.X509KeyPair(issued.Data[corev1.TLSCertKey], issued.Data[corev1.TLSPrivateKeyKey])
		return &pair, err
	}}
	server.StartTLS()
	DeferCleanup(server.Close)
	return server.Listener.Addr().String()
}

// addClient adds a container to pods that ask for a client.
func addClient(w http.ResponseWriter, r *http.Request) {
	var review admissionv1.AdmissionReview
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
	if strings.Contains(string(review.Request.Object.Raw), `"networkservicemesh.io":`) {
		kind := admissionv1.PatchTypeJSONPatch
		review.Response.PatchType = &kind
		review.Response.Patch = []byte(`[{"op":"add","path":"/spec/containers/-","value":{"name":"cmd-nsc","image":"example.com/cmd-nsc"}}]`)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(review)
}
