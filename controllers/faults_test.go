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
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/controllers"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// long tells to run the whole of what make test runs a part of, by LONG=1, or, by a
// larger number, one of so many shares of it. 0: the part for make test.
var long = func() int {
	shares, err := strconv.Atoi(os.Getenv("LONG"))
	if err != nil {
		return 0
	}
	return shares
}()

// night tells which one of the shares: each day another one, or that of NIGHT.
var night = func() int {
	chosen, err := strconv.Atoi(os.Getenv("NIGHT"))
	if err != nil {
		return int(time.Now().Unix() / (24 * 60 * 60))
	}
	return chosen
}()

// soon is enough for anything that does not wait for the time to pass, on a busy
// machine too.
const soon = time.Minute

const (
	// longLife is for how long an entry of the registry is good that nobody renews here.
	longLife = time.Hour
	// writtenAt is the annotation that says since when a workload is as it is.
	writtenAt = "nsm.networkservicemesh.io/written-at"
)

// scenario is something that the operator does to a mesh, with a request of which
// something goes wrong.
type scenario struct {
	// begin makes the mesh as it is before; nil for none.
	begin func(context.Context) *nsmv1beta1.NSM
	// act has the operator do it.
	act func(context.Context, *nsmv1beta1.NSM) *nsmv1beta1.NSM
	// isAway: there is no operator while that is done, and it finds it when it starts.
	isAway bool
	// isDone reports whether the operator has done it; nil: the mesh is up.
	isDone func(context.Context, *nsmv1beta1.NSM) bool
	// isRefused: make test has a policy of somebody else refuse it for a while, too.
	isRefused bool
	// isHeld: make test has a finalizer of somebody else on all of the mesh, too.
	isHeld bool
	// removes: something of the mesh goes, unless somebody holds it.
	removes bool
	// restores: in the end there is what there was before.
	restores bool
	// faults are how many requests make test lets go wrong on Kubernetes; on OpenShift one.
	faults int
}

// trial is scenarios on one platform.
type trial struct {
	platform mesh.Platform
	// clients is a namespace whose pods may use the mesh.
	clients string
	o       *operator
	// lag of the caches.
	lag time.Duration
	// holds: somebody puts a finalizer on all that there is of the mesh.
	holds bool
}

func (t *trial) start(asked *requests) {
	GinkgoHelper()
	asked.lag = t.lag
	t.o = startOperatorWith(&controllers.NSMReconciler{Platform: t.platform, Namespace: operatorNamespace, Times: controllers.Times{
		Patience: 200 * time.Millisecond, AskAgain: 500 * time.Millisecond, LookPause: 100 * time.Millisecond,
		Cache: 5 * time.Second, List: 10 * time.Second, Soonest: 100 * time.Millisecond,
	}}, asked)
}

// run has a scenario happen, with a fault or with none, and then the mesh deleted, of which
// nothing may be left. It waits for the state that is wanted, or, where none is, until it
// does not change any more. It looks whether all of that came in the right order, and whether
// the NSM told of it as it was.
func (t *trial) run(ctx context.Context, s scenario, one faultAt, want ...outcome) outcome {
	GinkgoHelper()
	told := chronicled(ctx)
	defer told.stop()
	var nsm *nsmv1beta1.NSM
	var before map[string]string
	now := func() map[string]string { return stateOf(ctx, t.platform, nsm) }
	if s.begin != nil {
		nsm = s.begin(ctx)
		t.finish(ctx, nsm, isUp)
		if s.restores && len(want) == 0 {
			before = settled(now)
		}
	}
	asked := t.o.requests
	let := func() {}
	if one.isRefused {
		let = refuseOperator(ctx)
	}
	if t.holds = one.isHeld; t.holds && nsm != nil {
		t.hold(ctx, nsm)
	}
	if s.isAway {
		t.o.stop()
		nsm = s.act(ctx, nsm)
		if t.holds {
			t.hold(ctx, nsm)
		}
		asked = &requests{}
		asked.arm(one.fault, one.after, one.counts)
		t.start(asked)
	} else {
		asked.reset()
		asked.arm(one.fault, one.after, one.counts)
		nsm = s.act(ctx, nsm)
	}
	if one.isRefused {
		t.finish(ctx, nsm, isToldRefused)
	}
	let()
	isDone := s.isDone
	if isDone == nil {
		isDone = isUp
	}
	if one.isHeld {
		isHeldUp := isDone
		if s.removes {
			isHeldUp = isToldHeld
		}
		t.finish(ctx, nsm, isHeldUp)
		t.letGo(ctx, nsm)
	}
	t.finish(ctx, nsm, isDone)
	var end outcome
	if len(want) == 0 {
		end.state = settled(now)
	} else {
		end.state = waitFor(now, want[0].state)
	}
	if before != nil {
		expectRestored(end.state, before)
	}
	end.counted, end.reads = asked.counted()
	end.struck = asked.hit()
	asked.arm(nil, 0, nil)
	if !isGone(ctx, nsm) {
		expectAgreement(told.of(ctx, nsm), one.String())
		if one.isHeld {
			t.hold(ctx, nsm)
		}
		Expect(admin.Delete(ctx, nsm.DeepCopy())).To(Succeed())
		if one.isHeld {
			t.finish(ctx, nsm, isToldHeld)
			t.letGo(ctx, nsm)
		}
		t.finish(ctx, nsm, isGone)
	}
	Expect(stateOf(ctx, t.platform, nsm)).To(BeEmpty(), "nothing is left over")
	expectOrder(told.of(ctx, nsm), one.String())
	return end
}

// refuseOperator has a policy refuse what the operator writes of DaemonSets, until it is let.
func refuseOperator(ctx context.Context) (let func()) {
	GinkgoHelper()
	operator, err := client.New(operatorConfig, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	try := func() error {
		object := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: "refused"}}
		object.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "refused"}}
		object.Spec.Template.Labels = object.Spec.Selector.MatchLabels
		object.Spec.Template.Spec.Containers = []corev1.Container{{Name: "refused", Image: "example.com/refused:1"}}
		return operator.Create(context.Background(), object, client.DryRunAll)
	}
	return refuseBy(ctx, "!request.userInfo.username.startsWith('system:serviceaccount:"+operatorNamespace+":')", admissionregistrationv1.Rule{
		APIGroups: []string{"apps"}, APIVersions: []string{"v1"}, Resources: []string{"daemonsets"},
	}, try, admissionregistrationv1.Create, admissionregistrationv1.Update, admissionregistrationv1.Delete)
}

// isToldRefused reports whether the operator says what a policy has said.
func isToldRefused(ctx context.Context, nsm *nsmv1beta1.NSM) bool {
	GinkgoHelper()
	return strings.Contains(messageOf(ctx, nsm, degraded)(), refusal)
}

// holder is the finalizer of somebody else.
const holder = "example.com/hold"

// hold has somebody put a finalizer on all that there is of a mesh.
func (t *trial) hold(ctx context.Context, nsm *nsmv1beta1.NSM) {
	GinkgoHelper()
	t.holds = true
	t.setFinalizers(ctx, nsm, `["`+holder+`"]`)
}

// letGo has him take it off again.
func (t *trial) letGo(ctx context.Context, nsm *nsmv1beta1.NSM) {
	GinkgoHelper()
	t.holds = false
	t.setFinalizers(ctx, nsm, "null")
}

func (t *trial) setFinalizers(ctx context.Context, nsm *nsmv1beta1.NSM, finalizers string) {
	GinkgoHelper()
	patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":`+finalizers+`}}`))
	for _, object := range allOf(ctx, t.platform, nsm) {
		if isHeld := len(object.GetFinalizers()) > 0; isHeld == t.holds || t.holds && object.GetDeletionTimestamp() != nil {
			continue
		}
		// One that goes at this moment is not held.
		Expect(client.IgnoreNotFound(admin.Patch(ctx, object, patch, client.FieldOwner(somebody)))).To(Or(Succeed(), Satisfy(apierrors.IsInvalid)))
	}
}

// isToldHeld reports whether the operator says what it waits for, and what holds that: what
// goes, by Progressing; what is in the place of what it would make anew, by Degraded.
func isToldHeld(ctx context.Context, nsm *nsmv1beta1.NSM) bool {
	GinkgoHelper()
	return strings.Contains(messageOf(ctx, nsm, progressing)(), "which the finalizer "+holder+" keeps") ||
		strings.Contains(messageOf(ctx, nsm, degraded)(), "its finalizers hold it: "+holder)
}

// settled is the state once it does not change any more.
func settled(now func() map[string]string) (state map[string]string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		state = now()
		g.Consistently(now).WithTimeout(500 * time.Millisecond).WithPolling(100 * time.Millisecond).Should(Equal(state))
	}).WithTimeout(soon).Should(Succeed())
	return state
}

// waitFor a state for some time, and return what has come of that: the caller tells the
// difference.
func waitFor(now func() map[string]string, want map[string]string) map[string]string {
	for deadline := time.Now().Add(soon); ; {
		state := now()
		if maps.Equal(state, want) || time.Now().After(deadline) {
			return state
		}
		<-time.After(50 * time.Millisecond)
	}
}

// outcome of a scenario.
type outcome struct {
	// state that the cluster is in, by object.
	state map[string]string
	// counted is how many requests were made that count, and reads how many have read.
	counted, reads int
	// struck is what went wrong; nil for nothing.
	struck *request
}

// finish has the mesh's pods come up until the operator has done what it has to do. If
// its process ends, another one goes on.
func (t *trial) finish(ctx context.Context, nsm *nsmv1beta1.NSM, isDone func(context.Context, *nsmv1beta1.NSM) bool) {
	GinkgoHelper()
	Eventually(func() bool {
		if t.o.requests.isDead() {
			t.o.stop()
			t.start(&requests{})
		}
		drive(ctx, nsm)
		if t.holds {
			t.hold(ctx, nsm)
		}
		return isDone(ctx, nsm)
	}).WithTimeout(soon).WithPolling(50*time.Millisecond).Should(BeTrue(), func() string {
		return "the operator does not get there: " + stateOf(ctx, t.platform, nsm)["NSM"]
	})
}

// isUp reports whether a mesh is up as its NSM says now.
func isUp(ctx context.Context, nsm *nsmv1beta1.NSM) bool {
	GinkgoHelper()
	now := reread(ctx, nsm)
	return isAvailableNow(now) && meta.IsStatusConditionFalse(now.Status.Conditions, progressing)
}

// isTakenBack reports whether the mesh is up as it was before.
func isTakenBack(ctx context.Context, nsm *nsmv1beta1.NSM) bool {
	GinkgoHelper()
	return isUp(ctx, nsm) && reasonOf(ctx, nsm)() == "RolledBack"
}

var _ = Describe("Guarantee 3: whichever request goes wrong, and however, the end is the same and nothing is left over", longer, func() {
	everything := func(t *trial) nsmv1beta1.NSMSpec {
		spec := nsmv1beta1.NSMSpec{
			Version: oldState, AdmissionWebhook: &nsmv1beta1.AdmissionWebhookSpec{}, CSIDriver: &nsmv1beta1.CSIDriverSpec{},
		}
		if t.platform.OpenShift {
			spec.OpenShift = &nsmv1beta1.OpenShiftSpec{ClientNamespaces: &metav1.LabelSelector{MatchLabels: map[string]string{"example.com/nsm": t.clients}}}
		}
		return spec
	}
	install := func(t *trial) func(context.Context) *nsmv1beta1.NSM {
		return func(ctx context.Context) *nsmv1beta1.NSM {
			GinkgoHelper()
			namespace := newNamespace(ctx)
			letLabel(ctx, namespace)
			return newNSMIn(ctx, namespace, everything(t))
		}
	}
	// edit changes the spec of a mesh that is up.
	edit := func(t *trial, how func(*nsmv1beta1.NSMSpec)) scenario {
		return scenario{begin: install(t), act: func(ctx context.Context, nsm *nsmv1beta1.NSM) *nsmv1beta1.NSM {
			change(ctx, nsm.DeepCopy(), func(nsm *nsmv1beta1.NSM) { how(&nsm.Spec) })
			return nsm
		}}
	}
	scenarios := []struct {
		what string
		of   func(*trial) scenario
	}{
		{"of an installation", func(t *trial) scenario {
			return scenario{faults: 3, isRefused: true, isHeld: true, act: func(ctx context.Context, _ *nsmv1beta1.NSM) *nsmv1beta1.NSM { return install(t)(ctx) }}
		}},
		{"of a change that creates, updates, moves and removes", func(t *trial) scenario {
			s := edit(t, func(spec *nsmv1beta1.NSMSpec) {
				spec.LogLevel, spec.CSIDriver, spec.AdmissionWebhook.Enabled = "DEBUG", nil, ptr.To(false)
				spec.Forwarders = []nsmv1beta1.ForwarderSpec{{Name: "vpp", Type: nsmv1beta1.ForwarderTypeVPP}}
				spec.Registry = &nsmv1beta1.RegistrySpec{Type: nsmv1beta1.RegistryTypeMemory}
				spec.VL3 = &nsmv1beta1.VL3Spec{IPAMs: []nsmv1beta1.VL3IPAMSpec{{}}}
				spec.OpenShift = nil
			})
			s.faults, s.isHeld, s.removes = 2, true, true
			return s
		}},
		{"of a change that is found after a restart", func(t *trial) scenario {
			s := edit(t, func(spec *nsmv1beta1.NSMSpec) { spec.LogLevel, spec.CSIDriver = "DEBUG", nil })
			s.isAway, s.removes, s.faults = true, true, 1
			return s
		}},
		{"of an upgrade", func(t *trial) scenario {
			s := edit(t, func(spec *nsmv1beta1.NSMSpec) { spec.Version = newState })
			// The record of the spec before is made anew.
			s.isRefused, s.isHeld, s.removes, s.faults = true, true, true, 2
			return s
		}},
		{"of a rollback", func(t *trial) scenario {
			s := edit(t, func(spec *nsmv1beta1.NSMSpec) {
				spec.Version = newState
				spec.Nsmgr = &nsmv1beta1.NsmgrSpec{}
				spec.Nsmgr.Image = "example.com/missing:1"
				spec.Upgrade = &nsmv1beta1.UpgradeSpec{
					ProgressDeadline: &metav1.Duration{Duration: time.Second}, OnFailure: nsmv1beta1.UpgradeFailureRollback,
					PrePull: ptr.To(false), // how long that takes is chance
				}
			})
			s.isDone, s.isHeld, s.restores, s.faults = isTakenBack, true, true, 1
			return s
		}},
		{"of taking over what an earlier operator has made", func(*trial) scenario {
			return scenario{isAway: true, removes: true, isHeld: true, faults: 1, act: func(ctx context.Context, _ *nsmv1beta1.NSM) *nsmv1beta1.NSM {
				nsm, _ := earlierMesh(ctx, "memory")
				return nsm
			}}
		}},
		{"of a deletion", func(t *trial) scenario {
			return scenario{begin: install(t), isDone: isGone, isRefused: true, removes: true, faults: 1, act: func(ctx context.Context, nsm *nsmv1beta1.NSM) *nsmv1beta1.NSM {
				Expect(admin.Delete(ctx, nsm.DeepCopy())).To(Succeed())
				return nsm
			}}
		}},
		{"of taking over what NSM's own manifests have made", func(*trial) scenario {
			isTakenOver := func(ctx context.Context, nsm *nsmv1beta1.NSM) bool {
				GinkgoHelper()
				callers := callerOf(nsm.Namespace, manifestsCaller)
				err := admin.Get(ctx, client.ObjectKeyFromObject(callers), callers)
				Expect(client.IgnoreNotFound(err)).To(Succeed())
				return err != nil && isUp(ctx, nsm)
			}
			return scenario{isAway: true, isDone: isTakenOver, removes: true, isRefused: true, faults: 1, act: func(ctx context.Context, _ *nsmv1beta1.NSM) *nsmv1beta1.NSM {
				namespace := newNamespace(ctx)
				manifestsMesh(ctx, namespace)
				return newTakeOver(ctx, namespace)
			}}
		}},
	}
	platforms := []struct {
		where string
		mesh.Platform
	}{
		{"on Kubernetes", mesh.Platform{}},
		{"on OpenShift", mesh.Platform{OpenShift: true}},
	}

	It("of a change, with a write that was done and to which no answer came, or a wrong one, while the caches are late", func(ctx SpecContext) {
		t := newTrial(ctx, mesh.Platform{})
		t.o.stop()
		t.lag = 100 * time.Millisecond
		t.start(&requests{})
		isOfForwarder := func(asked request) bool {
			return asked.isWrite() && strings.HasSuffix(asked.path, "/daemonsets/forwarder-vpp")
		}
		s := edit(t, func(spec *nsmv1beta1.NSMSpec) {
			spec.Forwarders = []nsmv1beta1.ForwarderSpec{{Type: nsmv1beta1.ForwarderTypeVPP}}
			spec.Forwarders[0].PodAnnotations = map[string]string{"example.com/changed": "true"}
		})
		want := t.run(ctx, s, faultAt{})
		for _, way := range []*fault{timedOut, failedAfter} {
			one := faultAt{fault: way, counts: isOfForwarder}
			end := t.run(ctx, s, one, want)
			Expect(end.struck).NotTo(BeNil())
			expectSame(end, want, one)
		}
	}, SpecTimeout(10*time.Minute))

	for i, platform := range platforms {
		for j, one := range scenarios {
			It(one.what+", "+platform.where, func(ctx SpecContext) {
				if long > 1 {
					AddReportEntry("share", fmt.Sprintf("LONG=%d NIGHT=%d", long, night%long))
				}
				t := newTrial(ctx, platform.Platform)
				s := one.of(t)
				want := t.run(ctx, s, faultAt{})
				isRead := func(asked request) bool { return !asked.isWrite() }
				// Reads that fail on one platform, caches that lag on the other one; or, in the
				// long form, both on both.
				isOfReads := (i+j)%2 == 1
				writes := s.faults
				if platform.OpenShift {
					writes = 1
				}
				trials := casesOf(want.counted, writes, 3*i+j, nil)
				switch {
				case long > 0:
					trials = append(trials, casesOf(want.reads, 0, 0, isRead)...)
				case isOfReads:
					trials = append(trials, faultAt{fault: ways[j%len(ways)], after: 5 * j % (want.reads/2 + 1), counts: isRead})
				}
				if s.isRefused && i == 0 || long > 0 {
					trials = append(trials, faultAt{isRefused: true})
				}
				if s.isHeld && i == 0 || long > 0 {
					trials = append(trials, faultAt{isHeld: true})
				}
				Expect(trials).NotTo(BeEmpty(), "there is something to go wrong")
				missed := 0
				for _, one := range trials {
					By(one.String())
					end := t.run(ctx, s, one, want)
					expectSame(end, want, one)
					// How many requests there are is chance: one that is not made any more says nothing.
					for end.struck == nil && one.fault != nil && one.after > 0 && long == 0 {
						one.after /= 2
						By("earlier, " + one.String())
						end = t.run(ctx, s, one, want)
						expectSame(end, want, one)
					}
					// Whether anything is read at all is chance, too.
					if end.struck == nil && one.fault != nil && (one.counts == nil || long > 0) {
						missed++
					}
				}
				if long == 0 {
					Expect(missed).To(BeZero(), "each fault befalls a write")
				} else {
					Expect(2*missed).To(BeNumerically("<", len(trials)), "requests do go wrong")
				}
				if !isOfReads || long > 0 {
					By("caches that hear of everything late")
					t.o.stop()
					if t.lag = 100 * time.Millisecond; long == 0 {
						t.lag = 30 * time.Millisecond // of each event, one after the other
					}
					t.start(&requests{})
					expectSame(t.run(ctx, s, faultAt{}, want), want, faultAt{})
				}
			}, SpecTimeout(3*time.Hour))
		}
	}
})

// faultAt is a fault of one request.
type faultAt struct {
	*fault
	// after so many of those that count.
	after  int
	counts func(request) bool
	// isRefused: a policy refuses requests until that is told.
	isRefused bool
	// isHeld: a finalizer of somebody else is on all of the mesh until that is told.
	isHeld bool
}

func (f faultAt) String() string {
	switch {
	case f.isRefused:
		return "refused by a policy for a while"
	case f.isHeld:
		return "held by somebody else's finalizer for a while"
	case f.fault == nil:
		return "without a fault"
	default:
		return fmt.Sprintf("after %d: %s", f.after, f.name)
	}
}

// ways are those in which a request goes wrong.
var ways = []*fault{lastBefore, conflicting, timedOut, failing, lastAfter, throttled, refused}

// casesOf has each of the requests that count go wrong in every way, or a share of that;
// or, in the short form, some of them in one way each.
func casesOf(counted, some, first int, counts func(request) bool) []faultAt {
	if long > 0 {
		return shareOf(counted, long, night%long, counts)
	}
	var all []faultAt
	for i := range some {
		way := (first + i) % len(ways)
		// With each way elsewhere, not always the first request.
		after := (i*counted + first%len(ways)*counted/len(ways)) / some
		all = append(all, faultAt{fault: ways[way], after: after, counts: counts})
	}
	return all
}

// shareOf is one of so many shares of all ways in which each of the requests that count can
// go wrong. All of them together have each once. One of as many as there are ways has each
// request, and the ways in turn.
func shareOf(counted, shares, which int, counts func(request) bool) []faultAt {
	var all []faultAt
	for i := which; i < counted*len(ways); i += shares {
		after := i / len(ways)
		all = append(all, faultAt{fault: ways[(i+after)%len(ways)], after: after, counts: counts})
	}
	return all
}

func newTrial(ctx context.Context, platform mesh.Platform) *trial {
	GinkgoHelper()
	t := &trial{platform: platform}
	if platform.OpenShift {
		serveSCCs(ctx)
		t.clients = newNamespace(ctx)
		label(ctx, t.clients, t.clients)
	}
	t.start(&requests{})
	return t
}

// expectRestored compares what there is with what there was before: all but the NSM, and what
// its record says of the spec that was taken back.
func expectRestored(end, before map[string]string) {
	GinkgoHelper()
	const record = "ControllerRevision " + mesh.RecordName
	of := func(state map[string]string) outcome {
		state = maps.Clone(state)
		delete(state, "NSM")
		var content map[string]any
		Expect(json.Unmarshal([]byte(state[record]), &content)).To(Succeed())
		delete(content, "annotations")
		delete(content, "owners")
		state[record] = asJSON(content)
		return outcome{state: state}
	}
	expectSame(of(end), of(before), faultAt{})
}

// expectSame compares what there is in the end with what there would be without a fault.
func expectSame(end, want outcome, one faultAt) {
	GinkgoHelper()
	why := one.String()
	if end.struck != nil {
		why = end.struck.String() + ", " + why
	}
	Expect(slices.Sorted(maps.Keys(end.state))).To(Equal(slices.Sorted(maps.Keys(want.state))), why)
	for name := range want.state {
		Expect(end.state[name]).To(BeComparableTo(want.state[name]), name+", "+why)
	}
}
