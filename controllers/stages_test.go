// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"context"
	"encoding/json"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/controllers"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// How a workload stands, and the releases that it goes from and to.
var (
	oneUp    = pods{current: 1, updated: 1, ready: 1}
	twoUp    = pods{current: 2, updated: 2, ready: 2}
	threeUp  = pods{desired: 3, current: 3, updated: 3, ready: 3}
	oneDown  = pods{desired: 3, current: 3, updated: 1, ready: 2}
	oldState = "v1.17.0"
	newState = "v1.18.0"
)

// releases are the releases that the workloads of a mesh have been told to run.
func releases(ctx context.Context, nsm *nsmv1beta1.NSM) func() map[string]string {
	return func() map[string]string {
		found := map[string]string{}
		for _, object := range owned(ctx, nsm) {
			if mesh.IsImagePull(object) {
				continue
			}
			switch object.(type) {
			case *appsv1.DaemonSet, *appsv1.Deployment:
				found[object.GetName()] = object.GetLabels()[mesh.LabelVersion]
			}
		}
		return found
	}
}

var _ = Describe("Guarantee 6: a release change goes stage by stage, each ready before the next", func() {
	const stageStart = "nsm_mesh_stage_start_timestamp_seconds"
	var (
		o        *operator
		nsm      *nsmv1beta1.NSM
		registry *prometheus.Registry
	)

	BeforeEach(func(ctx SpecContext) {
		registry = prometheus.NewPedanticRegistry()
		o = startOperatorWith(&controllers.NSMReconciler{Namespace: operatorNamespace, Metrics: registry}, &requests{})
		nsm = newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{Version: oldState})
	})

	upgrade := func(ctx SpecContext, how nsmv1beta1.UpgradeSpec) {
		GinkgoHelper()
		setSpec(ctx, nsm, nsmv1beta1.NSMSpec{Version: newState, AdmissionWebhook: nsm.Spec.AdmissionWebhook, Upgrade: &how})
	}

	It("registry, managers, forwarders", func(ctx SpecContext) {
		managersBefore := metric("nsm_upgrade_stage_duration_seconds", "stage", "nsmgr")
		upgrade(ctx, nsmv1beta1.UpgradeSpec{})
		Eventually(releases(ctx, nsm)).Should(Equal(map[string]string{"nsm-registry": newState, "nsmgr": oldState, "forwarder-vpp": oldState}))
		settle(o)
		Expect(releases(ctx, nsm)()).To(HaveKeyWithValue("nsmgr", oldState), "the managers wait for the registry")

		setDeployment(ctx, nsm, "nsm-registry", oneUp)
		Eventually(releases(ctx, nsm)).Should(Equal(map[string]string{"nsm-registry": newState, "nsmgr": newState, "forwarder-vpp": oldState}))
		step(ctx, nsm, "nsmgr", oneDown)
		settle(o)
		Expect(releases(ctx, nsm)()).To(HaveKeyWithValue("forwarder-vpp", oldState), "the forwarders wait for the managers")
		Eventually(messageOf(ctx, nsm, progressing)).WithTimeout(time.Minute).Should(
			Equal("stage 2 of 3, DaemonSet " + nsm.Namespace + "/nsmgr: 1 of 3 pods are new and ready"))
		Expect(reread(ctx, nsm).Status.Version).To(Equal(oldState))
		Expect(series(registry, nsm, stageStart)).To(HaveLen(1))
		Expect(series(registry, nsm, stageStart)).To(HaveKeyWithValue("stage=nsmgr", BeNumerically("~", time.Now().Unix(), 120)))

		setDaemonSet(ctx, nsm, "nsmgr", threeUp)
		Eventually(releases(ctx, nsm)).Should(HaveKeyWithValue("forwarder-vpp", newState))
		setDaemonSet(ctx, nsm, "forwarder-vpp", threeUp)
		Eventually(func() string { return reread(ctx, nsm).Status.Version }).Should(Equal(newState))
		Expect(condition(ctx, nsm, available)()).To(Equal("True"))
		Eventually(func() map[string]float64 { return series(registry, nsm, stageStart) }).Should(BeEmpty())

		Eventually(eventsOf(ctx, nsm)).WithTimeout(time.Minute).Should(ContainElements(
			ContainSubstring("PullingImages: "), ContainSubstring("ImagesPulled: the new images are on the nodes after "),
			Equal("StageBegun: stage 1 of 3: Deployment "+nsm.Namespace+"/nsm-registry changes from v1.17.0 to v1.18.0"),
			HavePrefix("StageEnded: stage 1 of 3: Deployment "+nsm.Namespace+"/nsm-registry runs v1.18.0 after "),
			HavePrefix("StageEnded: stage 2 of 3: "), HavePrefix("StageEnded: stage 3 of 3: ")))
		// The roles and accounts, the registry with its Service, the managers, the forwarders: the
		// first two in more than one event where a pass has broken off.
		managers, forwarders := "Updated: Updated DaemonSet "+nsm.Namespace+"/nsmgr", "Updated: Updated DaemonSet "+nsm.Namespace+"/forwarder-vpp"
		Eventually(eventsOfReason(ctx, nsm, "Updated")).Should(And(
			ContainElement(ContainSubstring("ClusterRole nsm:")), ContainElement(ContainSubstring("ServiceAccount ")),
			ContainElement(ContainSubstring("ClusterRoleBinding ")),
			ContainElement(ContainSubstring("Deployment ")), ContainElement(ContainSubstring("Service ")),
			ContainElements(managers, forwarders)))
		updated := eventsOfReason(ctx, nsm, "Updated")()
		Expect(len(updated)).To(BeNumerically("<", 8), "not one of each object")
		Expect(updated).To(HaveEach(Or(
			Not(Or(ContainSubstring("Deployment "), ContainSubstring("DaemonSet "))),
			And(ContainSubstring("Deployment "), Not(Or(ContainSubstring("DaemonSet "), ContainSubstring("ClusterRole "), ContainSubstring("ServiceAccount ")))),
			Equal(managers), Equal(forwarders))), "each tells of one of the four")
		Expect(metric("nsm_upgrade_stage_duration_seconds", "stage", "nsmgr") - managersBefore).To(Equal(1.0))
	})

	It("which is told, too, while something else of the mesh cannot be written", func(ctx SpecContext) {
		forbid(ctx, "services", "patch")
		upgrade(ctx, nsmv1beta1.UpgradeSpec{PrePull: new(bool)})
		Eventually(messageOf(ctx, nsm, progressing)).Should(ContainSubstring("tries again"))
		Eventually(eventsOf(ctx, nsm)).WithTimeout(time.Minute).Should(
			ContainElement("StageBegun: stage 1 of 3: Deployment " + nsm.Namespace + "/nsm-registry changes from v1.17.0 to v1.18.0"))
	})

	It("with many nodes, counts are reported once a second", func(ctx SpecContext) {
		setDaemonSet(ctx, nsm, "nsmgr", pods{desired: 40, current: 40, updated: 40, ready: 40})
		Eventually(func() string { return reread(ctx, nsm).Status.Managers }).WithTimeout(time.Minute).Should(Equal("40/40"))
		settle(o)
		begun := time.Now()
		for down := range int32(30) {
			setDaemonSetStatus(ctx, nsm, "nsmgr", pods{desired: 40, current: 40, updated: 40, ready: 10 + down})
		}
		Eventually(func() string { return reread(ctx, nsm).Status.Managers }).WithTimeout(time.Minute).Should(Equal("39/40"))
		written := o.requests.count(request{"PATCH", "/apis/nsm.networkservicemesh.io/v1beta1/namespaces/" + nsm.Namespace + "/nsms/" + nsm.Name + "/status"})
		// One tells that it is not Available, one what it waits for after a while.
		Expect(written).To(BeNumerically("<=", 3+int(time.Since(begun).Seconds())))
	})

	It("and halts at one that does not come up in time, saying which", func(ctx SpecContext) {
		upgrade(ctx, nsmv1beta1.UpgradeSpec{ProgressDeadline: &metav1.Duration{Duration: time.Second}, PrePull: new(bool)})
		Eventually(condition(ctx, nsm, degraded)).Should(Equal("True"))
		Expect(messageOf(ctx, nsm, degraded)()).To(ContainSubstring("Deployment " + nsm.Namespace + "/nsm-registry"))
		Expect(releases(ctx, nsm)()).To(HaveKeyWithValue("nsmgr", oldState))

		setDeployment(ctx, nsm, "nsm-registry", oneUp)
		Eventually(releases(ctx, nsm)).Should(HaveKeyWithValue("nsmgr", newState), "it goes on when the obstacle is gone")
	})

	// refuseManagers has the API server refuse the managers' stage of an upgrade for longer than
	// its deadline, which is not the registry's: that may take a while to come up.
	refuseManagers := func(ctx SpecContext, how nsmv1beta1.UpgradeSpec) {
		GinkgoHelper()
		forbid(ctx, "daemonsets", "patch")
		upgrade(ctx, how)
		Eventually(releases(ctx, nsm)).Should(HaveKeyWithValue("nsm-registry", newState))
		setDeployment(ctx, nsm, "nsm-registry", oneUp)
		Eventually(messageOf(ctx, nsm, degraded)).Should(ContainSubstring("applying DaemonSet " + nsm.Namespace + "/nsmgr: "))
		change(ctx, nsm.DeepCopy(), func(nsm *nsmv1beta1.NSM) { nsm.Spec.Upgrade.ProgressDeadline = &metav1.Duration{Duration: time.Second} })
	}

	It("and halts at one that is refused for as long, saying by whom", func(ctx SpecContext) {
		refuseManagers(ctx, nsmv1beta1.UpgradeSpec{PrePull: new(bool)})
		Eventually(messageOf(ctx, nsm, degraded)).Should(And(
			HavePrefix("the mesh has not come up within spec.upgrade.progressDeadline, 1s: applying DaemonSet "+nsm.Namespace+"/nsmgr: "),
			ContainSubstring("forbidden"), ContainSubstring("; to go back, set spec.version to "+oldState)))
		Expect(reasonOf(ctx, nsm)()).To(Equal("ProgressDeadlineExceeded"))
		Expect(condition(ctx, nsm, nsmv1beta1.ConditionStalled)()).To(Equal("True"))
	})

	It("which is taken back, if it shall be", func(ctx SpecContext) {
		refuseManagers(ctx, nsmv1beta1.UpgradeSpec{OnFailure: nsmv1beta1.UpgradeFailureRollback, PrePull: new(bool)})
		Eventually(messageOf(ctx, nsm, degraded)).Should(And(ContainSubstring("forbidden"), HaveSuffix(oldState+" runs again until the spec changes")))
		Eventually(releases(ctx, nsm)).Should(HaveEach(oldState))
		setDeployment(ctx, nsm, "nsm-registry", oneUp)
		Eventually(condition(ctx, nsm, available)).Should(Equal("True"))
	})

	It("a record of the spec that somebody's finalizer holds does not keep the next one from being Available", func(ctx SpecContext) {
		Eventually(func() error {
			return admin.Get(ctx, client.ObjectKey{Namespace: nsm.Namespace, Name: mesh.RecordName}, &appsv1.ControllerRevision{})
		}).Should(Succeed())
		hold := func(ctx context.Context, finalizers ...string) {
			GinkgoHelper()
			change(ctx, get(ctx, nsm, mesh.RecordName, &appsv1.ControllerRevision{}), func(record *appsv1.ControllerRevision) { record.Finalizers = finalizers })
		}
		hold(ctx, "example.com/held")
		DeferCleanup(func(ctx SpecContext) { hold(ctx) })
		setSpec(ctx, nsm, nsmv1beta1.NSMSpec{Version: oldState, AdmissionWebhook: nsm.Spec.AdmissionWebhook, LogLevel: "DEBUG"})
		Eventually(condition(ctx, nsm, available)).Should(Equal("False"))
		bringAllUp(ctx, nsm)
		Eventually(messageOf(ctx, nsm, degraded)).Should(ContainSubstring("its finalizers hold it: example.com/held"))
		Consistently(condition(ctx, nsm, available)).WithTimeout(2 * time.Second).Should(Equal("True"))
		Expect(condition(ctx, nsm, nsmv1beta1.ConditionStalled)()).To(Equal("False"))

		hold(ctx)
		Eventually(condition(ctx, nsm, degraded)).Should(Equal("False"))
		Expect(string(get(ctx, nsm, mesh.RecordName, &appsv1.ControllerRevision{}).Data.Raw)).To(ContainSubstring("DEBUG"))
	})

	// takeBack lets the upgrade fail, and the release before come up again.
	takeBack := func(ctx SpecContext) {
		GinkgoHelper()
		upgrade(ctx, nsmv1beta1.UpgradeSpec{
			ProgressDeadline: &metav1.Duration{Duration: time.Second}, OnFailure: nsmv1beta1.UpgradeFailureRollback, PrePull: new(bool),
		})
		// The workload itself may be back before anybody looks.
		Eventually(eventsOf(ctx, nsm)).Should(ContainElement(HavePrefix("StageBegun: stage 1 of 3: Deployment " + nsm.Namespace + "/nsm-registry changes")))
		Eventually(messageOf(ctx, nsm, degraded)).Should(And(ContainSubstring(newState), ContainSubstring(oldState+" runs again")))
		Eventually(releases(ctx, nsm)).Should(HaveKeyWithValue("nsm-registry", oldState))
		Eventually(eventsOf(ctx, nsm)).Should(ContainElement(And(HavePrefix("RolledBack: "), ContainSubstring(oldState+" runs again"))))
		Expect(condition(ctx, nsm, nsmv1beta1.ConditionStalled)()).To(Equal("True"))
		setDeployment(ctx, nsm, "nsm-registry", oneUp)
		Eventually(condition(ctx, nsm, available)).Should(Equal("True"))
	}

	It("or goes back to the release before, until the spec changes", func(ctx SpecContext) {
		takeBack(ctx)
		Expect(condition(ctx, nsm, degraded)()).To(Equal("True"), "people are told until they change the spec")
		upgrade(ctx, nsmv1beta1.UpgradeSpec{})
		Eventually(releases(ctx, nsm)).Should(HaveKeyWithValue("nsm-registry", newState))
	})

	It("and does not forget that when a write fails", func(ctx SpecContext) {
		takeBack(ctx)
		forbid(ctx, "daemonsets", "patch")
		change(ctx, get(ctx, nsm, "nsmgr", &appsv1.DaemonSet{}), func(daemonSet *appsv1.DaemonSet) {
			daemonSet.Spec.Template.Spec.Containers[0].Image = "example.com/other:1"
		})
		Eventually(messageOf(ctx, nsm, progressing)).Should(ContainSubstring("tries again"))
		Expect(messageOf(ctx, nsm, degraded)()).To(ContainSubstring(oldState + " runs again"))
		Expect(releases(ctx, nsm)()).To(HaveKeyWithValue("nsm-registry", oldState))
	})

	It("nor when the status is lost, and tells it again", func(ctx SpecContext) {
		takeBack(ctx)
		Eventually(func() map[string]string {
			return get(ctx, nsm, mesh.RecordName, &appsv1.ControllerRevision{}).Annotations
		}).
			Should(HaveKey("nsm.networkservicemesh.io/taken-back"))
		lost := reread(ctx, nsm)
		lost.Status = nsmv1beta1.NSMStatus{ObservedGeneration: -1}
		Expect(admin.Status().Update(ctx, lost)).To(Succeed())
		Eventually(messageOf(ctx, nsm, degraded)).Should(Equal("the spec was tried and has not come up in time; NSM " + oldState + " runs again until the spec changes"))
		Expect(reasonOf(ctx, nsm)()).To(Equal("RolledBack"))
		Expect(releases(ctx, nsm)()).To(HaveEach(oldState))
	})

	Describe("what runs is read from the workloads:", func() {
		// begin lets the change come as far as the managers.
		begin := func(ctx SpecContext) {
			GinkgoHelper()
			upgrade(ctx, nsmv1beta1.UpgradeSpec{})
			Eventually(releases(ctx, nsm)).Should(HaveKeyWithValue("nsm-registry", newState))
			setDeployment(ctx, nsm, "nsm-registry", oneUp)
			Eventually(releases(ctx, nsm)).Should(HaveKeyWithValue("nsmgr", newState))
			step(ctx, nsm, "nsmgr", oneDown)
		}

		It("turned back half way, a change goes back stage by stage", func(ctx SpecContext) {
			begin(ctx)
			change(ctx, nsm.DeepCopy(), func(nsm *nsmv1beta1.NSM) { nsm.Spec.Version = oldState })
			Eventually(releases(ctx, nsm)).Should(Equal(map[string]string{"nsm-registry": oldState, "nsmgr": newState, "forwarder-vpp": oldState}))
			settle(o)
			Expect(releases(ctx, nsm)()).To(HaveKeyWithValue("nsmgr", newState), "the managers wait for the registry")
			setDeployment(ctx, nsm, "nsm-registry", oneUp)
			Eventually(releases(ctx, nsm)).Should(HaveKeyWithValue("nsmgr", oldState))
		})

		It("a status that is lost comes back at once, and the next change goes stage by stage", func(ctx SpecContext) {
			lost := reread(ctx, nsm)
			lost.Status = nsmv1beta1.NSMStatus{ObservedGeneration: -1}
			Expect(admin.Status().Update(ctx, lost)).To(Succeed())
			Eventually(condition(ctx, nsm, available)).Should(Equal("True"))
			Expect(reread(ctx, nsm).Status.Version).To(Equal(oldState))

			By("also where no operator has seen that it was")
			o.stop()
			lost = reread(ctx, nsm)
			lost.Status = nsmv1beta1.NSMStatus{ObservedGeneration: -1}
			Expect(admin.Status().Update(ctx, lost)).To(Succeed())
			upgrade(ctx, nsmv1beta1.UpgradeSpec{})
			o = startOperator()
			Eventually(releases(ctx, nsm)).Should(Equal(map[string]string{"nsm-registry": newState, "nsmgr": oldState, "forwarder-vpp": oldState}))
			settle(o)
			Expect(releases(ctx, nsm)()).To(HaveKeyWithValue("nsmgr", oldState), "the managers wait for the registry")
		})

		It("an old workload that is ready is not taken for the new one that cannot be written", func(ctx SpecContext) {
			mutate(ctx, "stubborn", admissionregistrationv1.Rule{
				APIGroups: []string{"apps"}, APIVersions: []string{"v1"}, Resources: []string{"deployments"},
			}, func(raw []byte) ([]byte, error) {
				// Whoever keeps a backup of it puts it back as it was, mark and all.
				kept := get(context.Background(), nsm, "nsm-registry", &appsv1.Deployment{})
				return json.Marshal([]map[string]any{
					{"op": "replace", "path": "/spec", "value": kept.Spec}, {"op": "replace", "path": "/metadata/annotations", "value": kept.Annotations},
				})
			})
			upgrade(ctx, nsmv1beta1.UpgradeSpec{})
			Eventually(messageOf(ctx, nsm, available)).Should(ContainSubstring("nsm-registry"))
			Consistently(releases(ctx, nsm)).WithTimeout(2 * time.Second).Should(HaveKeyWithValue("nsmgr", oldState))
			Expect(reread(ctx, nsm).Status.Version).To(Equal(oldState))
		})
	})

	It("a forwarder that gets another name at the same time serves until its successor does", func(ctx SpecContext) {
		setSpec(ctx, nsm, nsmv1beta1.NSMSpec{
			Version: newState, AdmissionWebhook: nsm.Spec.AdmissionWebhook,
			Forwarders: []nsmv1beta1.ForwarderSpec{{Name: "vpp", Type: nsmv1beta1.ForwarderTypeVPP}},
		})
		Eventually(releases(ctx, nsm)).Should(HaveKeyWithValue("nsm-registry", newState))
		setDeployment(ctx, nsm, "nsm-registry", oneUp)
		Eventually(releases(ctx, nsm)).Should(HaveKeyWithValue("nsmgr", newState))
		setDaemonSet(ctx, nsm, "nsmgr", threeUp)
		Eventually(releases(ctx, nsm)).Should(HaveKeyWithValue("vpp", newState))
		setDaemonSetStatus(ctx, nsm, "vpp", threeUp)
		settle(o)
		Expect(names(ctx, nsm)).To(ContainElements("DaemonSet forwarder-vpp", "ServiceAccount forwarder-vpp"), "nobody has registered the new one's pods")
		setDaemonSet(ctx, nsm, "vpp", threeUp)
		Eventually(func() []string { return names(ctx, nsm) }).ShouldNot(ContainElement(HaveSuffix(" forwarder-vpp")))
		Eventually(condition(ctx, nsm, available)).Should(Equal("True"))
	})

	It("it does not begin with a mesh that is not healthy, unless it shall", func(ctx SpecContext) {
		setDaemonSet(ctx, nsm, "nsmgr", pods{desired: 3, current: 3, updated: 3, ready: 2})
		Eventually(condition(ctx, nsm, available)).Should(Equal("False"))
		upgrade(ctx, nsmv1beta1.UpgradeSpec{})
		Eventually(messageOf(ctx, nsm, available)).Should(And(
			HavePrefix("the change from v1.17.0 to v1.18.0 has not begun, since the mesh is not healthy: DaemonSet "+nsm.Namespace+"/nsmgr has pods that are not ready"),
			ContainSubstring("nsm.networkservicemesh.io/upgrade-anyway=v1.18.0")))
		Expect(condition(ctx, nsm, nsmv1beta1.ConditionRegistryReady)()).To(Equal("True"))
		settle(o)
		Expect(releases(ctx, nsm)()).To(HaveEach(oldState))

		change(ctx, nsm.DeepCopy(), func(nsm *nsmv1beta1.NSM) { nsm.Annotations = map[string]string{mesh.UpgradeAnywayAnnotation: newState} })
		Eventually(releases(ctx, nsm)).Should(HaveKeyWithValue("nsm-registry", newState))
	})

	It("nor where the status was lost", func(ctx SpecContext) {
		o.stop()
		setDaemonSetStatus(ctx, nsm, "nsmgr", pods{desired: 3, current: 3, updated: 3, ready: 2})
		upgrade(ctx, nsmv1beta1.UpgradeSpec{PrePull: new(bool)})
		lost := reread(ctx, nsm)
		lost.Status = nsmv1beta1.NSMStatus{ObservedGeneration: -1}
		Expect(admin.Status().Update(ctx, lost)).To(Succeed())
		o = startOperator()
		Eventually(messageOf(ctx, nsm, available)).Should(HavePrefix("the change from v1.17.0 to v1.18.0 has not begun"))
		settle(o)
		Expect(releases(ctx, nsm)()).To(HaveEach(oldState))
	})

	It("a change that waits for a healthy mesh is not taken back, and begins when the mesh is healthy", func(ctx SpecContext) {
		setDaemonSet(ctx, nsm, "nsmgr", pods{desired: 3, current: 3, updated: 3, ready: 2})
		upgrade(ctx, nsmv1beta1.UpgradeSpec{
			ProgressDeadline: &metav1.Duration{Duration: time.Second}, OnFailure: nsmv1beta1.UpgradeFailureRollback, PrePull: new(bool),
		})
		Eventually(messageOf(ctx, nsm, degraded)).Should(And(
			HavePrefix("the mesh has not come up within spec.upgrade.progressDeadline, 1s: the change from v1.17.0 to v1.18.0 has not begun"),
			HaveSuffix("; to keep v1.17.0, set spec.version to that")))
		Expect(reasonOf(ctx, nsm)()).To(Equal("ProgressDeadlineExceeded"))
		settle(o)
		Expect(releases(ctx, nsm)()).To(HaveEach(oldState))
		setDaemonSet(ctx, nsm, "nsmgr", threeUp)
		Eventually(eventsOf(ctx, nsm)).Should(ContainElement(HavePrefix("StageBegun: stage 1 of 3: Deployment " + nsm.Namespace + "/nsm-registry changes")))
	})

	It("a change within a release that does not come up tells the way back", func(ctx SpecContext) {
		how := &nsmv1beta1.UpgradeSpec{ProgressDeadline: &metav1.Duration{Duration: time.Second}}
		setSpec(ctx, nsm, nsmv1beta1.NSMSpec{Version: oldState, AdmissionWebhook: nsm.Spec.AdmissionWebhook, LogLevel: "DEBUG", Upgrade: how})
		Eventually(messageOf(ctx, nsm, degraded)).Should(HaveSuffix("; to go back, set spec.logLevel as in the spec that was available last: " +
			"kubectl get controllerrevision nsm-last-available -n " + nsm.Namespace + " -o jsonpath={.data.spec}"))
	})

	It("a Deployment that somebody has paused holds the change up, which is told", func(ctx SpecContext) {
		registry := get(ctx, nsm, "nsm-registry", &appsv1.Deployment{})
		change(ctx, registry, func(registry *appsv1.Deployment) { registry.Spec.Paused = true })
		setDeployment(ctx, nsm, "nsm-registry", oneUp)
		upgrade(ctx, nsmv1beta1.UpgradeSpec{PrePull: new(bool)})
		Eventually(releases(ctx, nsm)).Should(HaveKeyWithValue("nsm-registry", newState))
		setDeployment(ctx, nsm, "nsm-registry", pods{current: 1, updated: 0, ready: 1})
		Eventually(messageOf(ctx, nsm, available)).Should(HavePrefix("Deployment " + nsm.Namespace + "/nsm-registry: somebody has set its spec.paused, so it does not roll out: " +
			"kubectl rollout resume -n " + nsm.Namespace + " deployment/nsm-registry"))
		Expect(get(ctx, nsm, "nsm-registry", &appsv1.Deployment{}).Spec.Paused).To(BeTrue(), "that is his")
	})

	It("it begins when the mesh is healthy again, and names what is known to go wrong", func(ctx SpecContext) {
		setDaemonSet(ctx, nsm, "nsmgr", pods{desired: 3, current: 3, updated: 3, ready: 2})
		setSpec(ctx, nsm, nsmv1beta1.NSMSpec{Version: "v1.16.0", AdmissionWebhook: nsm.Spec.AdmissionWebhook})
		Eventually(messageOf(ctx, nsm, available)).Should(ContainSubstring("has not begun"))
		setDaemonSet(ctx, nsm, "nsmgr", threeUp)
		Eventually(releases(ctx, nsm)).Should(HaveKeyWithValue("nsm-registry", "v1.16.0"))
		Eventually(eventsOf(ctx, nsm)).Should(ContainElement(And(HavePrefix("RiskyUpgrade: From v1.17.0 to v1.16.0: "), ContainSubstring("IPv6"))))
	})

	It("a rollback brings back the whole spec that was available last, through the same stages", func(ctx SpecContext) {
		pinned := func(tag string) *nsmv1beta1.NsmgrSpec {
			spec := &nsmv1beta1.NsmgrSpec{}
			spec.Image = "mirror.example.com/cmd-nsmgr:" + tag
			return spec
		}
		image := func() string { return daemonSetOf(ctx, nsm, "nsmgr").Spec.Template.Spec.Containers[0].Image }
		how := &nsmv1beta1.UpgradeSpec{OnFailure: nsmv1beta1.UpgradeFailureRollback, PrePull: new(bool)}
		setSpec(ctx, nsm, nsmv1beta1.NSMSpec{Version: oldState, AdmissionWebhook: nsm.Spec.AdmissionWebhook, Nsmgr: pinned(oldState)})
		Eventually(image).Should(Equal("mirror.example.com/cmd-nsmgr:" + oldState))
		bringAllUp(ctx, nsm)
		settle(o)

		setSpec(ctx, nsm, nsmv1beta1.NSMSpec{Version: newState, AdmissionWebhook: nsm.Spec.AdmissionWebhook, Nsmgr: pinned(newState), Upgrade: how})
		Eventually(releases(ctx, nsm)).Should(HaveKeyWithValue("nsm-registry", newState))
		setDeployment(ctx, nsm, "nsm-registry", oneUp)
		Eventually(image).Should(HaveSuffix(newState))
		step(ctx, nsm, "nsmgr", oneDown)
		By("the deadline of the managers' stage, and of no other")
		change(ctx, nsm.DeepCopy(), func(nsm *nsmv1beta1.NSM) { nsm.Spec.Upgrade.ProgressDeadline = &metav1.Duration{Duration: time.Second} })
		Eventually(releases(ctx, nsm)).Should(HaveKeyWithValue("nsm-registry", oldState))
		Expect(releases(ctx, nsm)()).To(HaveKeyWithValue("nsmgr", newState), "the managers wait for the registry")
		o.stop()
		o = startOperator()
		setDeployment(ctx, nsm, "nsm-registry", oneUp)
		Eventually(image).Should(Equal("mirror.example.com/cmd-nsmgr:"+oldState), "and a new process knows")
		bringAllUp(ctx, nsm)
		Expect(messageOf(ctx, nsm, degraded)()).To(ContainSubstring("NSM " + oldState + " runs again until the spec changes"))
	})
})

var _ = Describe("A status that somebody else has written", func() {
	DescribeTable("chooses no release", func(ctx SpecContext, version string) {
		o := startOperator()
		nsm := newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{Version: newState})
		settle(o)
		before := releases(ctx, nsm)()
		forged := reread(ctx, nsm)
		forged.Status.Version = version
		meta.SetStatusCondition(&forged.Status.Conditions, metav1.Condition{
			Type: nsmv1beta1.ConditionDegraded, Status: metav1.ConditionTrue, Reason: "RolledBack", ObservedGeneration: forged.Generation,
		})
		Expect(admin.Status().Update(ctx, forged)).To(Succeed())
		change(ctx, forged, func(nsm *nsmv1beta1.NSM) { nsm.Annotations = map[string]string{"example.com/wake": "up"} })
		Eventually(func() string { return reread(ctx, nsm).Status.Version }).Should(Equal(newState))
		Expect(condition(ctx, nsm, degraded)()).To(Equal("False"))
		Expect(releases(ctx, nsm)()).To(Equal(before))
	},
		Entry("that there is", "v1.0.0"),
		Entry("that there is not", "nonsense"),
		Entry("that is too large a number", "v99999999999999999999.0.0"),
	)
})
