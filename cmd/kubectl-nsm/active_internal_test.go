// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gomegatypes "github.com/onsi/gomega/types"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/preflight"
	"github.com/networkservicemesh/nsm-operator/internal/report"
)

// The nodes, SPIRE and what runs in the pods are the test's: it binds them, ends them,
// and says what their containers did.
var _ = Describe("check --active", func() {
	var (
		namespace  string
		nsm        *nsmv1beta1.NSM
		kubeconfig string
		// sick answers requests instead of the API server.
		sick atomic.Pointer[func(http.ResponseWriter, *http.Request) bool]
	)

	BeforeEach(func(ctx SpecContext) {
		server.StartControllers(ctx, "namespace-controller")
		namespace = newNamespace(ctx)
		nsm = newNSM(ctx, namespace, nil)
		reportStatus(ctx, nsm, nil)
		for _, node := range []string{"node-a", "node-b"} {
			for _, role := range []mesh.Role{mesh.RoleManager, mesh.RoleForwarder} {
				addPart(ctx, nsm, role, node)
			}
		}
		sick.Store(nil)
		kubeconfig = between(func(w http.ResponseWriter, r *http.Request) bool {
			if answers := sick.Load(); answers != nil && (*answers)(w, r) {
				return true
			}
			// No kubelet has a log.
			if strings.HasSuffix(r.URL.Path, "/log") {
				_, _ = w.Write([]byte(`time="1" sVID: "spiffe://example.org/ns/a/pod/b"` + "\n"))
				return true
			}
			return false
		})
	})

	outcomes := func(from result) map[string]preflight.Outcome {
		GinkgoHelper()
		all := map[string]preflight.Outcome{}
		for _, check := range decode[report.Checks](from).Checks {
			all[check.Code] = check.Outcome
		}
		return all
	}
	active := func(ctx context.Context, args ...string) result {
		return runAs(ctx, kubeconfig, append([]string{"check", "--active", "-n", namespace, "-o", "json"}, args...)...)
	}
	// count the requests that match, and answer them with a status if there is one.
	count := func(matches func(*http.Request) bool, status *metav1.Status) *atomic.Int32 {
		asked := &atomic.Int32{}
		answers := func(w http.ResponseWriter, r *http.Request) bool {
			if !matches(r) {
				return false
			}
			asked.Add(1)
			if status == nil {
				return false
			}
			status.TypeMeta, status.Status = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, metav1.StatusFailure
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(int(status.Code))
			Expect(json.NewEncoder(w).Encode(status)).To(Succeed())
			return true
		}
		sick.Store(&answers)
		return asked
	}
	hops := func(outcome preflight.Outcome, from, to int) []gomegatypes.GomegaMatcher {
		var all []gomegatypes.GomegaMatcher
		for code := from; code <= to; code++ {
			all = append(all, HaveKeyWithValue(fmt.Sprintf("NSM%03d", code), outcome))
		}
		return all
	}

	DescribeTable("tries a mesh from end to end, and leaves nothing", func(ctx SpecContext, change func(*nsmv1beta1.NSMSpec)) {
		if change != nil {
			change(&nsm.Spec)
			Expect(admin.Update(ctx, nsm)).To(Succeed())
			reportStatus(ctx, nsm, nil)
		}
		play(ctx, player{namespace: namespace, registers: true, ping: &corev1.ContainerStateTerminated{ExitCode: 0}})
		found := active(ctx)
		Expect(outcomes(found)).To(And(hops(preflight.OK, 27, 35)...), found.stdout+found.stderr)
		Expect(found.stderr).To(And(ContainSubstring("trying mesh "+namespace+"/mesh in namespace nsm-check-"), ContainSubstring("removing what was made")))
		expectNothing(ctx, namespace)
	},
		Entry("through host paths", nil),
		// The namespace enforces the level restricted, so that the API server judges the pods by it.
		Entry("through CSI drivers", func(spec *nsmv1beta1.NSMSpec) {
			spec.CSIDriver = &nsmv1beta1.CSIDriverSpec{}
			spec.Spire = &nsmv1beta1.SpireSpec{Mount: nsmv1beta1.SpireMountCSI}
		}),
	)

	It("uses a namespace of the user's, and leaves it as it was", func(ctx SpecContext) {
		users := newNamespace(ctx)
		play(ctx, player{namespace: namespace, registers: true, ping: &corev1.ContainerStateTerminated{ExitCode: 0}})
		found := active(ctx, "--active-namespace", users, "--connect-only")
		Expect(outcomes(found)).To(And(append(hops(preflight.OK, 27, 33), HaveKeyWithValue("NSM034", preflight.Skipped), HaveKeyWithValue("NSM035", preflight.OK))...), found.stdout+found.stderr)
		expectNothing(ctx, namespace)
		Expect(admin.Get(ctx, client.ObjectKey{Name: users}, &corev1.Namespace{})).To(Succeed())
	})

	It("names the hop that fails, in the client's words", func(ctx SpecContext) {
		play(ctx, player{namespace: namespace, registers: true, ping: &corev1.ContainerStateTerminated{
			ExitCode: 1, Message: "connected after 3 s\nFAILED at the ping (node node-b): 172.16.1.96 does not answer packets of 1472 bytes",
		}})
		found := active(ctx)
		Expect(found.code).To(Equal(exitFinding))
		Expect(outcomes(found)).To(And(append(hops(preflight.OK, 27, 33), HaveKeyWithValue("NSM034", preflight.Failed))...), found.stdout+found.stderr)
		Expect(messageOf(found, "NSM034")).To(ContainSubstring("does not answer packets of 1472 bytes"))
		expectNothing(ctx, namespace)
	})

	It("ends in time where no node takes the pods", func(ctx SpecContext) {
		found := active(ctx, "--timeout", "15s")
		Expect(found.code).To(Equal(exitFinding))
		Expect(outcomes(found)).To(And(append(hops(preflight.Skipped, 29, 34), HaveKeyWithValue("NSM027", preflight.OK), HaveKeyWithValue("NSM028", preflight.Failed), HaveKeyWithValue("NSM035", preflight.OK))...), found.stdout+found.stderr)
		expectNothing(ctx, namespace)
	})

	It("says what keeps the pods out of a namespace", func(ctx SpecContext) {
		users := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "strict-", Labels: map[string]string{mesh.LabelEnforce: "restricted"}}}
		Expect(admin.Create(ctx, users)).To(Succeed())
		asked := count(func(r *http.Request) bool {
			return r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/pods")
		}, nil)
		found := active(ctx, "--active-namespace", users.Name)
		Expect(found.code).To(Equal(exitFinding))
		Expect(messageOf(found, "NSM027")).To(ContainSubstring("violates PodSecurity"), found.stdout+found.stderr)
		Expect(asked.Load()).To(BeEquivalentTo(1), "it is not tried again")
		expectNothing(ctx, namespace)
	})

	DescribeTable("asks once for what is refused, and again for what fails", func(ctx SpecContext, code int, reason metav1.StatusReason, times gomegatypes.GomegaMatcher) {
		asked := count(func(r *http.Request) bool {
			return r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/services")
		},
			&metav1.Status{Code: int32(code), Reason: reason, Message: "no such luck"})
		found := active(ctx, "--timeout", "10s")
		Expect(found.code).To(Equal(exitFinding))
		Expect(messageOf(found, "NSM027")).To(ContainSubstring("no such luck"), found.stdout+found.stderr)
		Expect(asked.Load()).To(times)
		expectNothing(ctx, namespace)
	},
		Entry("403", http.StatusForbidden, metav1.StatusReasonForbidden, BeEquivalentTo(1)),
		Entry("404", http.StatusNotFound, metav1.StatusReasonNotFound, BeEquivalentTo(1)),
		Entry("500", http.StatusInternalServerError, metav1.StatusReasonInternalError, BeNumerically(">", 1)),
	)

	It("asks once for what may not be read", func(ctx SpecContext) {
		play(ctx, player{namespace: namespace, registers: true}) // the client never ends
		asked := count(func(r *http.Request) bool {
			return r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/events")
		},
			&metav1.Status{Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden, Message: "no such luck"})
		found := active(ctx, "--timeout", "10s")
		Expect(found.code).To(Equal(exitFinding), found.stdout+found.stderr)
		Expect(asked.Load()).To(BeEquivalentTo(1))
		expectNothing(ctx, namespace)
	})

	It("leaves nothing after Ctrl-C", func(ctx SpecContext) {
		play(ctx, player{namespace: namespace, registers: true}) // the client never ends
		interrupted, interrupt := context.WithCancel(ctx)
		defer interrupt()
		ended := make(chan result, 1)
		go func() { ended <- active(interrupted) }()
		Eventually(ctx, func(g Gomega) {
			list := entryList("NetworkService")
			g.Expect(admin.List(ctx, list, client.InNamespace(namespace))).To(Succeed())
			g.Expect(list.Items).NotTo(BeEmpty())
		}).Should(Succeed())
		interrupt()
		var found result
		Eventually(ctx, ended, 2*time.Minute).Should(Receive(&found))
		Expect(found.code).To(Equal(exitNothing))
		Expect(decode[report.Failure](found).Message).To(Equal("interrupted"), found.stderr)
		expectNothing(ctx, namespace)
	})

	It("leaves nothing after an error of the way to the API server", func(ctx SpecContext) {
		breaks := func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/services") {
				return false
			}
			connection, _, err := http.NewResponseController(w).Hijack()
			Expect(err).NotTo(HaveOccurred())
			_ = connection.Close()
			return true
		}
		sick.Store(&breaks)
		found := active(ctx)
		Expect(found.code).To(Equal(exitNothing))
		Expect(decode[report.Failure](found).Message).To(ContainSubstring("create Service nsm-check-"))
		expectNothing(ctx, namespace)
	})

	It("names what it could not remove", func(ctx SpecContext) {
		play(ctx, player{namespace: namespace, registers: true, ping: &corev1.ContainerStateTerminated{ExitCode: 0}})
		refuses := func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodDelete || !strings.Contains(r.URL.Path, "/networkservices/") {
				return false
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403,"message":"no"}`))
			return true
		}
		sick.Store(&refuses)
		found := active(ctx)
		Expect(found.code).To(Equal(exitFinding))
		Expect(outcomes(found)).To(And(append(hops(preflight.OK, 27, 34), HaveKeyWithValue("NSM035", preflight.Failed))...), found.stdout+found.stderr)
		Expect(messageOf(found, "NSM035")).To(ContainSubstring("NetworkService " + namespace + "/nsm-check-"))
	})

	It("wants a mesh", func(ctx SpecContext) {
		found := runAs(ctx, kubeconfig, "check", "--active", "-n", newNamespace(ctx))
		Expect(found.code).To(Equal(exitNothing))
		Expect(found.stderr).To(ContainSubstring("there is no NSM to try"))
	})
})

// player is what nodes, SPIRE and NSM do to a trial.
type player struct {
	// namespace of the mesh.
	namespace string
	// registers: the endpoint has an entry.
	registers bool
	// ping is how the client's ping ends; nil for not at all.
	ping *corev1.ContainerStateTerminated
}

// play until the end of the spec.
func play(ctx context.Context, p player) {
	GinkgoHelper()
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer GinkgoRecover()
		defer close(ended)
		for ctx.Err() == nil {
			var pods corev1.PodList
			if err := admin.List(ctx, &pods, client.MatchingLabels{mesh.LabelManagedBy: mesh.TrialManagedBy}); err == nil {
				for i := range pods.Items {
					p.act(ctx, &pods.Items[i])
				}
			}
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	DeferCleanup(func() {
		stop()
		<-ended
	})
}

// act as a pod's node; what is overtaken by others is done at the next turn.
func (p player) act(ctx context.Context, pod *corev1.Pod) {
	role := pod.Labels[mesh.LabelComponent]
	switch {
	case pod.DeletionTimestamp != nil:
		_ = admin.Delete(ctx, pod, client.GracePeriodSeconds(0))
	case pod.Spec.NodeName == "":
		node := map[string]string{mesh.TrialEndpoint: "node-a", mesh.TrialClient: "node-b"}[role]
		_ = admin.SubResource("binding").Create(ctx, pod, &corev1.Binding{Target: corev1.ObjectReference{Kind: "Node", Name: node}})
	case len(pod.Status.ContainerStatuses) == 0:
		running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}}
		for _, container := range pod.Spec.Containers {
			state := running
			if role == mesh.TrialClient && p.ping != nil {
				state = corev1.ContainerState{Terminated: p.ping}
			}
			pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, corev1.ContainerStatus{Name: container.Name, Image: container.Image, State: state})
		}
		if role == mesh.TrialEndpoint && p.registers {
			p.register(ctx, pod.Labels["app.kubernetes.io/instance"])
		}
		_ = admin.Status().Update(ctx, pod)
	}
}

// register what the endpoint does: the network service, and itself.
func (p player) register(ctx context.Context, name string) {
	for kind, spec := range map[string]map[string]any{
		"NetworkService": {"name": name, "payload": "ETHERNET"},
		"NetworkServiceEndpoint": {
			"name": name, "network_service_names": []any{name}, "expiration_time": map[string]any{"seconds": time.Now().Add(time.Hour).Unix()},
		},
	} {
		entry := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
		entry.SetGroupVersionKind(registryVersion.WithKind(kind))
		entry.SetNamespace(p.namespace)
		entry.SetName(name)
		if kind == "NetworkServiceEndpoint" {
			entry.SetName(name + "-xyz")
		}
		if err := admin.Create(ctx, entry); err != nil && !apierrors.IsAlreadyExists(err) && ctx.Err() == nil {
			GinkgoWriter.Println(err)
		}
	}
}

// addPart of a mesh that is up on a node.
func addPart(ctx context.Context, nsm *nsmv1beta1.NSM, role mesh.Role, node string) {
	GinkgoHelper()
	labels := mesh.OwnerLabels(nsm)
	labels[mesh.LabelComponent] = string(role)
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: nsm.Namespace, Name: string(role) + "-" + node, Labels: labels},
		Spec: corev1.PodSpec{
			NodeName: node, TerminationGracePeriodSeconds: ptr.To(int64(0)), Containers: []corev1.Container{{Name: "one", Image: "example.com/one"}},
		},
	}
	Expect(admin.Create(ctx, pod)).To(Succeed())
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	Expect(admin.Status().Update(ctx, pod)).To(Succeed())
}

// expectNothing of a trial to be in the cluster.
func expectNothing(ctx context.Context, namespace string) {
	GinkgoHelper()
	labels := client.MatchingLabels{mesh.LabelManagedBy: mesh.TrialManagedBy}
	var namespaces corev1.NamespaceList
	Expect(admin.List(ctx, &namespaces, labels)).To(Succeed())
	Expect(namespaces.Items).To(BeEmpty())
	for _, list := range []client.ObjectList{&corev1.PodList{}, &corev1.ServiceList{}, &corev1.ServiceAccountList{}} {
		Expect(admin.List(ctx, list, labels)).To(Succeed())
		Expect(list).To(HaveField("Items", BeEmpty()))
	}
	for _, kind := range []string{"NetworkService", "NetworkServiceEndpoint"} {
		list := entryList(kind)
		Expect(admin.List(ctx, list, client.InNamespace(namespace))).To(Succeed())
		Expect(list.Items).To(BeEmpty())
	}
}
