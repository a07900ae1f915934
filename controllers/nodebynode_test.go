// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// daemon plays the DaemonSet controller for one DaemonSet with OnDelete, and the kubelets
// of its nodes.
type daemon struct {
	nsm   *nsmv1beta1.NSM
	name  string
	nodes []string
}

// pods are those of the DaemonSet, by node.
func (d *daemon) pods(ctx context.Context) map[string]*corev1.Pod {
	GinkgoHelper()
	var list corev1.PodList
	Expect(admin.List(ctx, &list, client.InNamespace(d.nsm.Namespace), client.MatchingLabels{mesh.LabelName: d.name})).To(Succeed())
	found := map[string]*corev1.Pod{}
	for i := range list.Items {
		found[list.Items[i].Spec.NodeName] = &list.Items[i]
	}
	return found
}

// names are the names of the pods by node.
func (d *daemon) names(ctx context.Context) map[string]string {
	GinkgoHelper()
	found := map[string]string{}
	for node, pod := range d.pods(ctx) {
		found[node] = pod.Name
	}
	return found
}

// deleted are the nodes whose pod somebody has deleted, since the last run.
func (d *daemon) deleted(ctx context.Context) func() []string {
	return func() []string {
		GinkgoHelper()
		var nodes []string
		for _, node := range d.nodes {
			if pod := d.pods(ctx)[node]; pod != nil && pod.DeletionTimestamp != nil {
				nodes = append(nodes, node)
			}
		}
		return nodes
	}
}

// run ends pods that were deleted, gives nodes without one a pod that is not ready, and
// counts.
func (d *daemon) run(ctx context.Context) {
	GinkgoHelper()
	live := daemonSetOf(ctx, d.nsm, d.name)
	hash := d.revise(ctx, live)
	before := d.pods(ctx)
	for _, node := range d.nodes {
		pod := before[node]
		if pod != nil && pod.DeletionTimestamp != nil {
			Expect(admin.Delete(ctx, pod, client.GracePeriodSeconds(0))).To(Succeed())
			pod = nil
		}
		if pod == nil {
			d.start(ctx, live, node, hash)
		}
	}
	d.count(ctx, hash)
}

// count tells how the pods are, and ends none: somebody may have deleted one meanwhile.
func (d *daemon) count(ctx context.Context, hash string) {
	GinkgoHelper()
	counts := pods{desired: int32(len(d.nodes)), current: int32(len(d.nodes))}
	for _, pod := range d.pods(ctx) {
		if pod.Labels["controller-revision-hash"] == hash {
			counts.updated++
		}
		if isReadyPod(pod) {
			counts.ready++
		}
	}
	setDaemonSetStatus(ctx, d.nsm, d.name, counts)
}

func isReadyPod(pod *corev1.Pod) bool {
	return len(pod.Status.Conditions) > 0 && pod.Status.Conditions[0].Status == corev1.ConditionTrue
}

// revise makes the definition the newest revision, also one that has come back.
func (d *daemon) revise(ctx context.Context, live *appsv1.DaemonSet) string {
	GinkgoHelper()
	template, err := json.Marshal(live.Spec.Template)
	Expect(err).NotTo(HaveOccurred())
	sum := fnv.New32a()
	_, _ = sum.Write(template)
	hash := fmt.Sprintf("%x", sum.Sum32())
	var all appsv1.ControllerRevisionList
	Expect(admin.List(ctx, &all, client.InNamespace(d.nsm.Namespace), client.MatchingLabels{mesh.LabelName: d.name})).To(Succeed())
	newest, known := int64(0), &appsv1.ControllerRevision{}
	for i := range all.Items {
		newest = max(newest, all.Items[i].Revision)
		if all.Items[i].Labels["controller-revision-hash"] == hash {
			known = &all.Items[i]
		}
	}
	switch {
	case known.Name == "":
		known.Namespace, known.Name, known.Revision = d.nsm.Namespace, d.name+"-"+hash, newest+1
		known.Labels = labels.Merge(live.Spec.Template.Labels, labels.Set{"controller-revision-hash": hash})
		known.OwnerReferences = ownedBy(live)
		known.Data = runtime.RawExtension{Raw: []byte("{}")}
		Expect(admin.Create(ctx, known)).To(Succeed())
	case known.Revision < newest:
		known.Revision = newest + 1
		Expect(admin.Update(ctx, known)).To(Succeed())
	}
	return hash
}

func ownedBy(live *appsv1.DaemonSet) []metav1.OwnerReference {
	return []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "DaemonSet", Name: live.Name, UID: live.UID, Controller: ptr.To(true)}}
}

func (d *daemon) start(ctx context.Context, live *appsv1.DaemonSet, node, hash string) {
	GinkgoHelper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: d.nsm.Namespace, GenerateName: d.name + "-", OwnerReferences: ownedBy(live)}}
	pod.Labels = map[string]string{"controller-revision-hash": hash, "pod-template-generation": live.Annotations[appsv1.DeprecatedTemplateGeneration]}
	maps.Copy(pod.Labels, live.Spec.Template.Labels)
	pod.Spec = corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: d.name, Image: "example.com/forwarder:1"}}, Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}}}
	Expect(admin.Create(ctx, pod)).To(Succeed())
}

// ready has the pod on a node be ready, or not.
func (d *daemon) ready(ctx context.Context, node string, status corev1.ConditionStatus) {
	GinkgoHelper()
	pod := d.pods(ctx)[node]
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: status}}
	Expect(admin.Status().Update(ctx, pod)).To(Succeed())
	d.count(ctx, d.revise(ctx, daemonSetOf(ctx, d.nsm, d.name)))
}

// up has the pod on a node be ready and registered.
func (d *daemon) up(ctx context.Context, node string) {
	GinkgoHelper()
	register(ctx, d.nsm, d.pods(ctx)[node].Name, time.Hour)
	d.ready(ctx, node, corev1.ConditionTrue)
}

var _ = Describe("A forwarder that Kubernetes does not roll, since what it loses does not come back by itself", func() {
	var (
		o   *operator
		nsm *nsmv1beta1.NSM
		ovs *daemon
	)

	ovsSpec := func(version string) nsmv1beta1.NSMSpec {
		return nsmv1beta1.NSMSpec{
			Version: version, AdmissionWebhook: &nsmv1beta1.AdmissionWebhookSpec{Enabled: ptr.To(false)},
			Forwarders: []nsmv1beta1.ForwarderSpec{{Name: "forwarder-ovs", Type: nsmv1beta1.ForwarderTypeOVS}},
			Upgrade:    &nsmv1beta1.UpgradeSpec{PrePull: ptr.To(false)},
		}
	}
	restart := func(ctx SpecContext) {
		GinkgoHelper()
		change(ctx, daemonSetOf(ctx, nsm, ovs.name), func(d *appsv1.DaemonSet) {
			d.Spec.Template.Annotations = map[string]string{"kubectl.kubernetes.io/restartedAt": "2026-11-28T12:00:00Z"}
		})
		ovs.run(ctx)
	}
	// upgrade begins a change of release and lets it come as far as the forwarder.
	upgrade := func(ctx SpecContext, spec nsmv1beta1.NSMSpec) {
		GinkgoHelper()
		setSpec(ctx, nsm, spec)
		Eventually(releases(ctx, nsm)).Should(HaveKeyWithValue("nsm-registry", newState))
		setDeployment(ctx, nsm, "nsm-registry", oneUp)
		Eventually(releases(ctx, nsm)).Should(HaveKeyWithValue("nsmgr", newState))
		settle(o)
		Expect(ovs.deleted(ctx)()).To(BeEmpty(), "the managers come first")
		setDaemonSet(ctx, nsm, "nsmgr", threeUp)
		Eventually(releases(ctx, nsm)).Should(HaveKeyWithValue("forwarder-ovs", newState))
		ovs.run(ctx)
	}

	BeforeEach(func(ctx SpecContext) {
		o = impatient(mesh.Platform{})
		nsm = newNSM(ctx, ovsSpec(oldState))
		Eventually(func() []string { return names(ctx, nsm) }).Should(HaveLen(len(wholeMesh)))
		setDeployment(ctx, nsm, "nsm-registry", oneUp)
		setDaemonSet(ctx, nsm, "nsmgr", threeUp)
		ovs = &daemon{nsm: nsm, name: "forwarder-ovs"}
		for range 3 {
			node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{GenerateName: "node-"}}
			Expect(admin.Create(ctx, node)).To(Succeed())
			DeferCleanup(func(ctx context.Context) { Expect(client.IgnoreNotFound(admin.Delete(ctx, node))).To(Succeed()) })
			setNodeReady(ctx, node.Name, corev1.ConditionTrue)
			ovs.nodes = append(ovs.nodes, node.Name)
		}
		slices.Sort(ovs.nodes)
		ovs.run(ctx)
		for _, node := range ovs.nodes {
			ovs.up(ctx, node)
		}
		Eventually(condition(ctx, nsm, available)).Should(Equal("True"))
		settle(o)
	})

	It("changes to another release node by node, each with a live entry before the next, also across a restart", func(ctx SpecContext) {
		first, second, third := ovs.nodes[0], ovs.nodes[1], ovs.nodes[2]
		upgrade(ctx, ovsSpec(newState))
		Eventually(ovs.deleted(ctx)).Should(Equal([]string{first}))
		Eventually(messageOf(ctx, nsm, progressing)).Should(Equal(
			"stage 3 of 3, DaemonSet " + nsm.Namespace + "/forwarder-ovs: 0 of 3 pods are new and ready, now on node " + first))

		By("a pod that is not ready")
		ovs.run(ctx)
		settle(o)
		Expect(ovs.deleted(ctx)()).To(BeEmpty())
		By("one that is ready, and nobody finds")
		ovs.ready(ctx, first, corev1.ConditionTrue)
		settle(o)
		Expect(ovs.deleted(ctx)()).To(BeEmpty())
		By("one that serves, which a new process sees")
		o.stop()
		ovs.up(ctx, first)
		o = impatient(mesh.Platform{})
		Eventually(ovs.deleted(ctx)).Should(Equal([]string{second}))
		ovs.run(ctx)
		ovs.up(ctx, second)
		Eventually(ovs.deleted(ctx)).Should(Equal([]string{third}))
		ovs.run(ctx)
		Expect(reread(ctx, nsm).Status.Version).To(Equal(oldState))
		ovs.up(ctx, third)
		Eventually(func() string { return reread(ctx, nsm).Status.Version }).Should(Equal(newState))
		Eventually(condition(ctx, nsm, available)).Should(Equal("True"))
		settle(o)
		reconcileOften(ctx, o, nsm)
	})

	It("goes back the same way where the first node does not come up, and touches no other", func(ctx SpecContext) {
		before := ovs.names(ctx)
		first := ovs.nodes[0]
		spec := ovsSpec(newState)
		spec.Upgrade.OnFailure = nsmv1beta1.UpgradeFailureRollback
		upgrade(ctx, spec)
		Eventually(ovs.deleted(ctx)).Should(Equal([]string{first}))
		ovs.run(ctx)
		failed := ovs.pods(ctx)[first].Name
		change(ctx, nsm.DeepCopy(), func(nsm *nsmv1beta1.NSM) { nsm.Spec.Upgrade.ProgressDeadline = &metav1.Duration{Duration: time.Second} })
		Eventually(releases(ctx, nsm)).Should(HaveKeyWithValue("nsm-registry", oldState))
		Expect(messageOf(ctx, nsm, degraded)()).To(And(ContainSubstring("DaemonSet "+nsm.Namespace+"/forwarder-ovs"), ContainSubstring(oldState+" runs again")))
		setDeployment(ctx, nsm, "nsm-registry", oneUp)
		Eventually(releases(ctx, nsm)).Should(HaveKeyWithValue("nsmgr", oldState))
		setDaemonSet(ctx, nsm, "nsmgr", threeUp)
		Eventually(releases(ctx, nsm)).Should(HaveKeyWithValue("forwarder-ovs", oldState))
		ovs.run(ctx)
		Eventually(ovs.deleted(ctx)).Should(Equal([]string{first}))
		ovs.run(ctx)
		Expect(ovs.pods(ctx)[first].Name).NotTo(Equal(failed))
		ovs.up(ctx, first)
		Eventually(condition(ctx, nsm, available)).Should(Equal("True"))
		after := ovs.names(ctx)
		delete(before, first)
		delete(after, first)
		Expect(after).To(Equal(before))
	})

	It("does not wait for a node that is down, whose turn comes when it is back", func(ctx SpecContext) {
		first := ovs.nodes[0]
		setNodeReady(ctx, first, corev1.ConditionUnknown)
		ovs.ready(ctx, first, corev1.ConditionFalse)
		Eventually(messageOf(ctx, nsm, available)).Should(ContainSubstring("node " + first + " is down"))
		Expect(condition(ctx, nsm, available)()).To(Equal("True"))
		restart(ctx)
		for _, node := range ovs.nodes[1:] {
			Eventually(ovs.deleted(ctx)).Should(Equal([]string{node}))
			ovs.run(ctx)
			ovs.up(ctx, node)
		}
		Eventually(condition(ctx, nsm, available)).Should(Equal("True"))
		settle(o)
		Expect(ovs.deleted(ctx)()).To(BeEmpty())

		setNodeReady(ctx, first, corev1.ConditionTrue)
		Eventually(ovs.deleted(ctx)).Should(Equal([]string{first}))
		ovs.run(ctx)
		ovs.up(ctx, first)
		Eventually(messageOf(ctx, nsm, available)).Should(Equal("NSM " + oldState + " is ready"))
	})

	It("follows kubectl rollout restart, a node's manager first", func(ctx SpecContext) {
		first, second := ovs.nodes[0], ovs.nodes[1]
		managers := &daemon{nsm: nsm, name: "nsmgr", nodes: ovs.nodes}
		managers.run(ctx)
		managers.ready(ctx, second, corev1.ConditionTrue)
		Eventually(func() string { return reread(ctx, nsm).Status.Managers }).Should(Equal("1/3"))
		restart(ctx)
		Eventually(ovs.deleted(ctx)).Should(Equal([]string{second}))
		Eventually(messageOf(ctx, nsm, progressing)).Should(Equal("waiting for DaemonSet " + nsm.Namespace + "/nsmgr, DaemonSet " + nsm.Namespace +
			"/forwarder-ovs; forwarder-ovs now on node " + second + ", waiting for the manager on node " + first))
		ovs.run(ctx)
		ovs.up(ctx, second)
		settle(o)
		Expect(ovs.deleted(ctx)()).To(BeEmpty())
		managers.ready(ctx, first, corev1.ConditionTrue)
		Eventually(ovs.deleted(ctx)).Should(Equal([]string{first}))
		Expect(daemonSetOf(ctx, nsm, ovs.name).Spec.Template.Annotations).To(HaveKey("kubectl.kubernetes.io/restartedAt"))
	})

	It("reports that it may not delete pods", func(ctx SpecContext) {
		forbid(ctx, "pods", "delete")
		restart(ctx)
		Eventually(messageOf(ctx, nsm, degraded)).Should(And(ContainSubstring("deleting Pod "+nsm.Namespace+"/forwarder-ovs-"), ContainSubstring("forbidden")))
		Expect(ovs.deleted(ctx)()).To(BeEmpty())
	})
})
