// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package rollout

import (
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

// wanted is a mesh of the newest release, that was up with a release, "" for never.
func wanted(t *testing.T, wasUp string, platform mesh.Platform, change ...func(*nsmv1beta1.NSM)) Input {
	t.Helper()
	nsm := &nsmv1beta1.NSM{
		ObjectMeta: metav1.ObjectMeta{Namespace: "nsm", Name: "mesh", UID: "1"}, Status: nsmv1beta1.NSMStatus{Version: wasUp},
	}
	for _, how := range change {
		how(nsm)
	}
	in := mesh.Input{NSM: nsm, Release: release.Newest(), Platform: platform}
	if mesh.NeedsWebhookCertificate(&nsm.Spec, in.Release) {
		in.WebhookCertificate = mesh.Certificate{CertificateChain: []byte("chain"), Key: []byte("key"), CABundle: []byte("ca")}
		in.WebhookServing = wasUp != ""
	}
	if mesh.ClientSelector(in) != nil {
		in.ClientNamespaces = []string{"shop"}
	}
	components := mesh.Components(in)
	constraints := mesh.Constraints(in, components)
	record, err := mesh.Record(in)
	if err != nil {
		t.Fatal(err)
	}
	return Input{
		Record: record, NSM: nsm, Target: in.Release.String(), Platform: platform, Components: components,
		Objects:     slices.Concat(mesh.Identities(in), constraints, mesh.Objects(components), mesh.PodMonitors(in, components)),
		Constrained: len(constraints) > 0, HasCertificate: len(in.WebhookCertificate.CertificateChain) > 0,
		Seen: Seen{HasFinalizer: wasUp != "", IsWebhookCalled: in.WebhookServing},
	}
}

// running adds the live workloads of a mesh, all of a release and ready.
func running(in Input, version string) Input {
	in.Workloads = nil
	for _, component := range in.Components {
		in.Workloads = append(in.Workloads, live(component.Workload, version, 1))
	}
	return in
}

// live is a workload of a release with some pods ready.
func live(workload mesh.Object, version string, ready int32) mesh.Object {
	copied, _ := workload.DeepCopyObject().(mesh.Object)
	all := copied.GetLabels()
	all[mesh.LabelVersion] = version
	copied.SetLabels(all)
	switch copied := copied.(type) {
	case *appsv1.DaemonSet:
		copied.Status.NumberReady = ready
	case *appsv1.Deployment:
		copied.Status.ReadyReplicas = ready
	}
	return copied
}

func forwarder(name string) func(*nsmv1beta1.NSM) {
	return func(nsm *nsmv1beta1.NSM) {
		nsm.Spec.Forwarders = []nsmv1beta1.ForwarderSpec{{Name: name, Type: nsmv1beta1.ForwarderTypeVPP}}
	}
}

func memory(nsm *nsmv1beta1.NSM) {
	nsm.Spec.Registry = &nsmv1beta1.RegistrySpec{Type: nsmv1beta1.RegistryTypeMemory}
}

func takeOver(nsm *nsmv1beta1.NSM) {
	nsm.Annotations = map[string]string{mesh.TakeOverAnnotation: mesh.TakeOverValue}
}

func withoutWebhook(nsm *nsmv1beta1.NSM) {
	off := false
	nsm.Spec.AdmissionWebhook = &nsmv1beta1.AdmissionWebhookSpec{Enabled: &off}
}

func withClients(nsm *nsmv1beta1.NSM) {
	nsm.Spec.OpenShift = &nsmv1beta1.OpenShiftSpec{ClientNamespaces: &metav1.LabelSelector{}}
}

// waves are the lines of a plan that name its waves.
func waves(plan Plan) []string {
	var lines []string
	for line := range strings.SplitSeq(plan.String(), "\n") {
		if _, name, isWave := strings.Cut(line, ". "); isWave && !strings.HasPrefix(line, " ") {
			lines = append(lines, name)
		}
	}
	return lines
}

const (
	certificate = "the admission webhook's certificate"
	trusted     = certificate + ", when MutatingWebhookConfiguration nsm-mutating-webhook-nsm is written"
	trust       = "trust the admission webhook's certificate"
	unwanted    = "what is not wanted any more"
	record      = "the spec to go back to, when all is ready"
	roles       = "roles, identities and all else that makes no pods"
	first       = "Deployment nsm-registry"
	second      = "DaemonSet nsmgr, when Deployment nsm-registry is ready"
	third       = "DaemonSet forwarder-vpp, when Deployment nsm-registry, DaemonSet nsmgr is ready"
	last        = "Deployment admission-webhook-k8s, when Deployment nsm-registry, DaemonSet nsmgr, DaemonSet forwarder-vpp is ready"
)

func TestWhatHappensNext(t *testing.T) {
	newest, before := release.Newest().String(), "v1.17.0"
	openShift := mesh.Platform{OpenShift: true}
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "nsm", Name: mesh.EarlierRegistryService}}
	for what, test := range map[string]struct {
		in   Input
		want []string
	}{
		"a fresh mesh": {wanted(t, "", mesh.Platform{}), []string{certificate, "the whole mesh", unwanted, record}},
		"a fresh mesh on OpenShift": {wanted(t, "", openShift, withClients), []string{
			"revoke the client SCC in namespaces that are not selected any more", certificate,
			"roles, SCCs and all else that makes no pods", "workloads", unwanted, "grant the client SCC in the selected namespaces", record,
		}},
		"a fresh mesh whose release is mended before anything is up": {
			notReady(running(wanted(t, "", mesh.Platform{}), before)), []string{certificate, "the whole mesh", unwanted, record},
		},
		"a changed spec": {running(wanted(t, newest, mesh.Platform{}), newest), []string{trust, trusted, "the whole mesh", unwanted, record}},
		"a registry that keeps its entries elsewhere": {
			withEntries(running(wanted(t, newest, mesh.Platform{}, memory, withoutWebhook), newest)),
			[]string{"the whole mesh", unwanted, record, OldEntries + ", when no old pod of registry is left"},
		},
		"a webhook that goes": {
			withWebhook(t, running(wanted(t, newest, mesh.Platform{}, withoutWebhook), newest)),
			[]string{"the whole mesh", "callers of the webhook that goes", unwanted, record},
		},
		"another release": {running(wanted(t, before, mesh.Platform{}), before), []string{trust, trusted, roles, first, second, third, last, unwanted, record}},
		"another release, of which the status was lost": {
			running(wanted(t, "", mesh.Platform{}), before), []string{certificate, roles, first, second, third, last, unwanted, record},
		},
		"turned back in the middle": {
			half(running(wanted(t, newest, mesh.Platform{}), newest), "v1.16.0"), []string{trust, trusted, roles, first, second, third, last, unwanted, record},
		},
		"another release and a new name for the forwarder": {
			withOldForwarder(running(wanted(t, before, mesh.Platform{}, forwarder("new"), withoutWebhook), before), before),
			[]string{
				roles, first, second, "DaemonSet new, when Deployment nsm-registry, DaemonSet nsmgr is ready",
				"what is not wanted any more, but for forwarders", "forwarders that are not wanted any more, when DaemonSet new is ready", record,
			},
		},
		"what is in the way of the managers keeps no other part": {
			blocked(running(wanted(t, before, mesh.Platform{}, withoutWebhook), before), "nsmgr"),
			[]string{roles, first, "DaemonSet forwarder-vpp, when Deployment nsm-registry is ready", unwanted, record},
		},
		"what an earlier operator has made": {
			withOrphans(wanted(t, "", mesh.Platform{}, withoutWebhook), service), []string{
				roles, first, second, third, unwanted, record, "what somebody else has made and has no place in the mesh, when all is ready",
			},
		},
		"a mesh of NSM's own manifests": {
			withOrphans(wanted(t, "", mesh.Platform{}, takeOver), &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "nsm", Name: "registry-k8s"}}),
			[]string{
				certificate, roles, first, second, third, strings.Replace(last, "Deployment admission-webhook-k8s", "callers of the webhook that is replaced", 1), last,
				unwanted, record, "what somebody else has made and has no place in the mesh, when all is ready",
			},
		},
	} {
		t.Run(what, func(t *testing.T) {
			NewWithT(t).Expect(waves(Next(test.in))).To(Equal(test.want))
		})
	}
}

func TestEachPartChangesInItsTurn(t *testing.T) {
	g := NewWithT(t)
	in := running(wanted(t, "v1.17.0", mesh.Platform{}, func(nsm *nsmv1beta1.NSM) {
		nsm.Spec.Interdomain = &nsmv1beta1.InterdomainSpec{}
		nsm.Spec.VL3, nsm.Spec.Dashboard, nsm.Spec.CSIDriver = &nsmv1beta1.VL3Spec{}, &nsmv1beta1.DashboardSpec{}, &nsmv1beta1.CSIDriverSpec{}
	}), "v1.17.0")
	var stages []string
	for _, wave := range Next(in) {
		for _, part := range wave.Parts {
			for _, workload := range only(part.Objects, in.isWorkload) {
				g.Expect(wave.Gate.Ready).To(HaveLen(len(stages)), "it waits for all before it")
				stages = append(stages, workload.GetName())
			}
		}
	}
	g.Expect(stages).To(Equal([]string{
		"nsm-registry", "nsmgr-proxy", "registry-proxy", "vl3-ipam", "nsm-csi", "nsmgr", "forwarder-vpp", "admission-webhook-k8s", "dashboard",
	}))
}

// oldImages has the live workloads of an Input run other images than they should.
func oldImages(in Input) Input {
	for _, workload := range in.Workloads {
		for i := range mesh.PodTemplateOf(workload).Spec.Containers {
			mesh.PodTemplateOf(workload).Spec.Containers[i].Image += "-old"
		}
	}
	return in
}

func TestNothingIsTouchedUntilItsImagesAreOnTheNodes(t *testing.T) {
	g := NewWithT(t)
	const inTheEnd = "the new images are on the nodes"
	in := oldImages(running(wanted(t, "v1.17.0", mesh.Platform{}, withoutWebhook), "v1.17.0"))
	plan := `1. pull the new images
   write Deployment nsm-registry-image-pull, DaemonSet nsmgr-image-pull, DaemonSet forwarder-vpp-image-pull
2. what no image is to be pulled for any more
   delete DaemonSet, Deployment but for 3 that are wanted
3. the change: not before the images are on the nodes
`
	g.Expect(Next(in).String()).To(HavePrefix(plan))
	in.Pulled = map[string]bool{"nsmgr": true, "forwarder-vpp": true}
	g.Expect(Next(in).String()).To(HavePrefix(plan), "one is missing")
	in.Avoided = map[string][]string{"nsm-registry-image-pull": {"down"}}
	g.Expect(mesh.AvoidedNodes(Next(in)[0].Parts[0].Objects[0])).To(Equal([]string{"down"}), "any other node will do")

	in.Pulled["nsm-registry"] = true
	g.Expect(waves(Next(in))).To(Equal([]string{inTheEnd, roles, first, second, third, unwanted, record}))
	keeps := func() []mesh.Object { return slices.Concat(Next(in)[5].Delete.Keep) }
	g.Expect(list(keeps())).To(ContainSubstring("DaemonSet nsmgr-image-pull"), "until it is changed, a new process knows that they are there")
	in.Workloads[1] = live(in.Components[1].Workload, "v1.18.0", 1)
	g.Expect(list(keeps())).NotTo(ContainSubstring("nsmgr-image-pull"))
}

func TestImagesArePulledForWhatServesAndChanges(t *testing.T) {
	all := func() Input {
		return oldImages(running(wanted(t, "v1.17.0", mesh.Platform{}, withoutWebhook), "v1.17.0"))
	}
	for what, test := range map[string]struct {
		change func(*Input)
		want   []string
	}{
		"all":                             {func(*Input) {}, []string{"nsm-registry", "nsmgr", "forwarder-vpp"}},
		"unless prePull is off":           {func(in *Input) { in.NSM.Spec.Upgrade = &nsmv1beta1.UpgradeSpec{PrePull: new(bool)} }, nil},
		"not for what nobody uses":        {func(in *Input) { in.Workloads[1] = live(in.Workloads[1], "v1.17.0", 0) }, []string{"nsm-registry", "forwarder-vpp"}},
		"nor what is not there":           {func(in *Input) { in.Workloads = in.Workloads[:2] }, []string{"nsm-registry", "nsmgr"}},
		"nor what somebody else is in":    {func(in *Input) { in.Blocked = map[string]bool{"nsmgr": true} }, []string{"nsm-registry", "forwarder-vpp"}},
		"nor what somebody has changed":   {func(in *Input) { in.Current = map[string]bool{"nsmgr": true} }, []string{"nsm-registry", "forwarder-vpp"}},
		"but for what is taken over, too": {func(in *Input) { in.Orphans, in.Workloads = in.Workloads[1:], in.Workloads[:1] }, []string{"nsm-registry", "nsmgr", "forwarder-vpp"}},
	} {
		t.Run(what, func(t *testing.T) {
			in := all()
			test.change(&in)
			var names []string
			for _, pull := range in.Pulls() {
				names = append(names, pull.Name())
			}
			NewWithT(t).Expect(names).To(Equal(test.want))
		})
	}
}

func TestPodsThatPullForATakenOverMeshHaveTheirAccounts(t *testing.T) {
	in := oldImages(running(wanted(t, "", mesh.Platform{}, takeOver, withoutWebhook), "v1.17.0"))
	in.Orphans, in.Workloads = in.Workloads, nil
	NewWithT(t).Expect(Next(in).String()).To(HavePrefix("1. pull the new images\n   write ServiceAccount nsm-registry, ServiceAccount nsmgr, ServiceAccount forwarder-vpp, Deployment"))
}

func notReady(in Input) Input {
	for i, workload := range in.Workloads {
		in.Workloads[i] = live(workload, workload.GetLabels()[mesh.LabelVersion], 0)
	}
	return in
}

func withEntries(in Input) Input { in.MayHaveEntries = true; return in }

func half(in Input, version string) Input {
	in.Workloads[0] = live(in.Workloads[0], version, 1)
	return in
}

func withWebhook(t *testing.T, in Input) Input {
	t.Helper()
	all := wanted(t, "", mesh.Platform{})
	in.Workloads = append(in.Workloads, live(all.Components[len(all.Components)-1].Workload, in.Target, 1))
	return in
}

func withOldForwarder(in Input, version string) Input {
	for _, component := range in.Components {
		if component.Role == mesh.RoleForwarder {
			old := live(component.Workload, version, 1)
			old.SetName("old")
			in.Workloads = append(in.Workloads, old)
		}
	}
	return in
}

func blocked(in Input, name string) Input { in.Blocked = map[string]bool{name: true}; return in }

func withOrphans(in Input, orphans ...mesh.Object) Input { in.Orphans = orphans; return in }

func TestAFreshMeshWaitsForNothingButItsFinalizer(t *testing.T) {
	NewWithT(t).Expect(Next(wanted(t, "", mesh.Platform{}, memory, withoutWebhook)).String()).To(Equal(`1. the whole mesh
   write ServiceAccount nsm-registry, Service registry, Deployment nsm-registry, ServiceAccount nsmgr, DaemonSet nsmgr, ServiceAccount forwarder-vpp, DaemonSet forwarder-vpp
   add the finalizer, write ClusterRole nsm:nsm:nsmgr, ClusterRoleBinding nsm:nsm:nsmgr
2. what is not wanted any more
   delete DaemonSet, ControllerRevision, Deployment, ConfigMap, Secret, Service, ServiceAccount, PodDisruptionBudget, NetworkPolicy, MutatingWebhookConfiguration, RoleBinding, ClusterRole, ClusterRoleBinding, CSIDriver but for 11 that are wanted
3. the spec to go back to, when all is ready
   write ControllerRevision nsm-last-available
`))
}

func TestAWebhookWaitsForItsCertificateAndNothingElseDoes(t *testing.T) {
	const gate = ", when Secret admission-webhook-tls is written"
	for what, in := range map[string]Input{
		"fresh":           wanted(t, "", mesh.Platform{}),
		"changed":         running(wanted(t, "v1.18.0", mesh.Platform{}), "v1.18.0"),
		"another release": running(wanted(t, "v1.17.0", mesh.Platform{}), "v1.17.0"),
	} {
		t.Run(what, func(t *testing.T) {
			g := NewWithT(t)
			for line := range strings.SplitSeq(Next(in).String(), "\n") {
				if !strings.Contains(line, "write ") || strings.HasSuffix(line, "write Secret admission-webhook-tls") ||
					strings.HasSuffix(line, "write MutatingWebhookConfiguration nsm-mutating-webhook-nsm") {
					continue
				}
				isWebhook := strings.Contains(line, "write Deployment admission-webhook-k8s") || strings.Contains(line, "Secret") ||
					strings.Contains(line, "MutatingWebhookConfiguration")
				g.Expect(strings.HasSuffix(line, gate)).To(Equal(isWebhook), line)
			}
		})
	}
}

func TestServicesGoWithTheirWorkloadsInStages(t *testing.T) {
	plan := Next(running(wanted(t, "v1.17.0", mesh.Platform{}, withoutWebhook), "v1.17.0")).String()
	NewWithT(t).Expect(plan).To(ContainSubstring("write Deployment nsm-registry, Service registry\n"))
}

func TestTheEarlierOperatorsServiceLeadsToTheNewRegistry(t *testing.T) {
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "nsm", Name: mesh.EarlierRegistryService}}
	plan := Next(withOrphans(wanted(t, "", mesh.Platform{}, withoutWebhook), service)).String()
	NewWithT(t).Expect(plan).To(And(
		ContainSubstring("have Service nsm-registry-svc find app.kubernetes.io/component=registry,app.kubernetes.io/name=nsm-registry\n"),
		ContainSubstring("   delete Service nsm-registry-svc\n")))
}

func TestADeletionTakesCallersFirstAndTheFinalizerLast(t *testing.T) {
	const rest = "DaemonSet, ControllerRevision, Deployment, ConfigMap, Secret, Service, ServiceAccount, PodDisruptionBudget, NetworkPolicy, MutatingWebhookConfiguration, RoleBinding"
	const others = rest + ", ClusterRoleBinding, CSIDriver"
	const all = rest + ", ClusterRole, ClusterRoleBinding, CSIDriver"
	nsm := &nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Namespace: "nsm", Name: "mesh"}}
	g := NewWithT(t)
	g.Expect(DeletionPlan(nsm, nil, false, false).String()).To(Equal(`1. callers of the admission webhook
   delete what calls the admission webhook
2. all but roles
   delete ` + others + `
3. what the cache does not show, when nothing is left of ` + others + `
   delete what the cache does not show of MutatingWebhookConfiguration, ClusterRoleBinding, RoleBinding, CSIDriver
4. entries of the registry, when nothing is left of ` + others + `
   delete the registry's entries
5. roles, when nothing is left of ` + others + `
   delete ClusterRole
6. roles that the cache does not show, when nothing is left of ` + all + `
   delete what the cache does not show of ClusterRole
7. Pod Security, when nothing is left of ` + all + `
   remove the operator's labels
8. the NSM, when nothing is left of ` + all + `
   remove the finalizer
`))
	g.Expect(DeletionPlan(nsm, nil, false, true).String()).To(Equal(`1. callers of the admission webhook
   delete what calls the admission webhook
2. all but roles and the CSI driver, whose volumes pods mount
   delete ` + others + ` but for 2 that are wanted, not of [csi-driver]
`))
	memory(nsm)
	g.Expect(waves(DeletionPlan(nsm, nil, false, false))).NotTo(ContainElement(HavePrefix("entries")))
	g.Expect(waves(DeletionPlan(nsm, nil, true, false))).To(ContainElement(HavePrefix("entries")), "those of the registry before")
	g.Expect(CleanupPlan(nsm, mesh.Platform{}, true).String()).To(Equal(`1. callers of the admission webhook
   delete what calls the admission webhook
2. what no owner reference removes, but for roles
   delete MutatingWebhookConfiguration, ClusterRoleBinding, RoleBinding, CSIDriver
3. entries of the registry
   delete the registry's entries
4. Pod Security
   remove the operator's labels
5. roles
   delete ClusterRole
`))
	g.Expect(waves(CleanupPlan(nsm, mesh.Platform{}, false))).NotTo(ContainElement(HavePrefix("entries")))
}

func TestACSIDriverThatPodsUseStaysAndTakesNoPartInAChange(t *testing.T) {
	g := NewWithT(t)
	with := running(wanted(t, "v1.17.0", mesh.Platform{OpenShift: true}, withoutWebhook, func(nsm *nsmv1beta1.NSM) { nsm.Spec.CSIDriver = &nsmv1beta1.CSIDriverSpec{} }), "v1.17.0")
	g.Expect(with.GoingDriver()).To(BeNil(), "it is wanted")
	in := running(wanted(t, release.Newest().String(), mesh.Platform{OpenShift: true}, withoutWebhook), release.Newest().String())
	in.Workloads = append(in.Workloads, with.Workloads[1])
	driver := in.GoingDriver()
	g.Expect(driver).To(HaveField("Name", "nsm-csi"))
	g.Expect(in.IsStaged()).To(BeTrue(), "it is of another release")
	g.Expect(Next(in).String()).NotTo(ContainSubstring("not of"))

	in.KeepDriver(driver)
	g.Expect(in.IsStaged()).To(BeFalse())
	g.Expect(Next(in).String()).To(ContainSubstring(", not of [csi-driver]\n"))
	for _, need := range mesh.CSIDriverNeeds(in.NSM) {
		g.Expect(slices.ContainsFunc(with.Objects, func(o mesh.Object) bool { return isSame(o, need) })).To(BeTrue(), "a mesh with a driver has it: "+need.GetName())
		plan := Next(in)
		g.Expect(list(plan[len(plan)-2].Delete.Keep)).To(ContainSubstring(need.GetName()))
	}
	g.Expect(Next(withOldForwarder(running(in, "v1.17.0"), "v1.17.0")).String()).To(ContainSubstring(", not of [forwarder scc csi-driver]\n"))

	driver.SetDeletionTimestamp(new(metav1.Now()))
	in.Workloads = append(in.Workloads, driver)
	g.Expect(in.GoingDriver()).To(BeNil(), "it goes already")
}

func TestOldForwardersAreSparedWithTheirSCC(t *testing.T) {
	in := withOldForwarder(running(wanted(t, "v1.17.0", mesh.Platform{}, forwarder("new"), withoutWebhook), "v1.17.0"), "v1.17.0")
	NewWithT(t).Expect(Next(in).String()).To(ContainSubstring(", not of [forwarder scc]\n"))
}

func TestWhatIsSparedIsNotSelected(t *testing.T) {
	g := NewWithT(t)
	deletion := Deletion{Labels: map[string]string{"a": "b"}, Spare: []mesh.Role{mesh.RoleForwarder, mesh.RoleSCC}}
	for role, isSelected := range map[mesh.Role]bool{mesh.RoleForwarder: false, mesh.RoleSCC: false, mesh.RoleManager: true} {
		set := labels.Set{"a": "b", mesh.LabelComponent: string(role)}
		g.Expect(deletion.Selector().Matches(set)).To(Equal(isSelected), string(role))
	}
	g.Expect(deletion.Selector().Matches(labels.Set{mesh.LabelComponent: "nsmgr"})).To(BeFalse())
}

func TestWhatAPodThatHasGoneHasRegisteredGoesFirst(t *testing.T) {
	gone := []mesh.Object{&admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "admission-webhook-k8s-1"}}}
	for what, in := range map[string]Input{
		"of a fresh mesh":         wanted(t, "", mesh.Platform{}),
		"before images are there": oldImages(running(wanted(t, "v1.17.0", mesh.Platform{}), "v1.17.0")),
		"before a change begins": func() Input {
			in := running(wanted(t, "v1.17.0", mesh.Platform{}), "v1.17.0")
			in.NotReady = "DaemonSet nsm/nsmgr is down"
			return in
		}(),
	} {
		t.Run(what, func(t *testing.T) {
			in.GoneRegistrations = gone
			NewWithT(t).Expect(Next(in).String()).To(HavePrefix("1. what pods of the admission webhook that have gone have registered\n" +
				"   delete MutatingWebhookConfiguration admission-webhook-k8s-1\n"))
		})
	}
}
