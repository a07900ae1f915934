// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	fluxstatus "github.com/fluxcd/cli-utils/pkg/kstatus/status"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	kptstatus "sigs.k8s.io/cli-utils/pkg/kstatus/status"

	nsmv1alpha1 "github.com/networkservicemesh/nsm-operator/apis/v1alpha1"
	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/health"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/release"
	"github.com/networkservicemesh/nsm-operator/webhooks"
)

// kstatus, by which Helm, Flux and kpt wait, in its four verdicts on an object
// that is there.
const (
	inProgress  = "InProgress"
	current     = "Current"
	failed      = "Failed"
	terminating = "Terminating"
)

// pass is what one pass of the loop made of a generation.
type pass struct {
	generation int64
	seen       *health.Mesh
	failure    error
}

var (
	errWrite = errors.New("applying DaemonSet nsm/nsmgr: quota exceeded")

	up        = managers(3, 3, true)
	rolling   = managers(2, 2, true)
	rebooting = managers(3, 2, true)
)

// managers are those of a mesh, some of three up to date and ready, or not there.
func managers(updated, ready int32, exist bool) health.Workload {
	meta := metav1.ObjectMeta{Namespace: "nsm", Name: "nsmgr", Labels: map[string]string{mesh.LabelVersion: "v1.18.0"}}
	w := health.Workload{Component: mesh.Component{Role: mesh.RoleManager, Workload: &appsv1.DaemonSet{ObjectMeta: meta}}}
	if exist {
		w.Live = &appsv1.DaemonSet{ObjectMeta: meta, Status: appsv1.DaemonSetStatus{
			DesiredNumberScheduled: 3, CurrentNumberScheduled: 3, UpdatedNumberScheduled: updated, NumberReady: ready,
		}}
	}
	return w
}

func seeing(t *testing.T, w health.Workload, how ...func(*health.Mesh)) *health.Mesh {
	t.Helper()
	seen := &health.Mesh{Release: release.Newest(), Workloads: []health.Workload{w}}
	for _, change := range how {
		change(seen)
	}
	return seen
}

// TestToolsThatWaitSeeTheTruth takes every state that the operator can report, in
// both versions and with the conditions in any order, to both libraries that
// tools judge by.
func TestToolsThatWaitSeeTheTruth(t *testing.T) {
	refusedFor := func(reason string) *health.Mesh {
		return &health.Mesh{Refusal: health.Refusal{Reason: reason, Message: "it cannot be run"}}
	}
	come := pass{1, seeing(t, up), nil}
	overdue := func(o *health.Mesh) { o.Overdue = "within spec.upgrade.progressDeadline" }
	inTheWay := func(o *health.Mesh) { o.InTheWay = []health.InTheWay{{}} }
	rollBack := func(o *health.Mesh) { overdue(o); o.RollBackTo = "v1.17.0" }
	rolledBack := func(o *health.Mesh) { o.RolledBack = true }
	called := func(o *health.Mesh) {
		o.Callers = []health.Caller{{Kind: "MutatingWebhookConfiguration", Name: "theirs"}}
	}
	kubelets := func(o *health.Mesh) {
		o.KubeletDirectories, o.KubeletDirectory = "/var/lib/k0s/kubelet,/var/lib/kubelet", "/var/lib/kubelet"
	}
	entriesLeft := func(o *health.Mesh) { o.FailedApart = []string{"deleting NetworkServiceEndpoint nsm/old: forbidden"} }
	stale := func(o *health.Mesh) { o.StaleClients = &health.StaleClients{Sample: health.Sample{Count: 3}} }
	mounted := func(o *health.Mesh) { o.DriverMounts = &health.DriverMounts{Sample: health.Sample{Count: 3}} }
	pulling := func(o *health.Mesh) {
		o.Pulls = []health.ImagePull{{Workload: "DaemonSet nsm/nsmgr", Images: []string{"nsmgr:new"}, Desired: 3, Done: 1, Pods: 3, Nodes: []string{"b", "c"}}}
	}
	cannotPull := func(o *health.Mesh) {
		pulling(o)
		o.Pulls[0].Failures = []health.PullFailure{{Cause: health.Cause{What: "the image nsmgr:new cannot be pulled"}, Nodes: []string{"b"}}}
	}
	notBegun := func(o *health.Mesh) { o.NotBegun = "the nodes have no room" }
	staged := func(o *health.Mesh) { o.Staged = true }
	awaitsSpire := func(o *health.Mesh) {
		o.AwaitSpire("ClusterSPIFFEID nsm", `failed calling webhook "vclusterspiffeid.kb.io": no endpoints available for service "spire-server"`, true)
	}
	spire := func(condition metav1.Condition) func(*health.Mesh) {
		return func(o *health.Mesh) { o.SetSpire(condition) }
	}
	registered := metav1.Condition{
		Type: nsmv1beta1.ConditionSpireReady, Status: metav1.ConditionTrue, Reason: nsmv1beta1.ReasonRegistered, Message: "SPIRE registers the pods",
	}
	noAddress := func(o *health.Mesh) { o.NoAddress = []string{"nsm/nsmgr-proxy"} }
	notFederated := func(o *health.Mesh) { o.NotFederated, o.FederationUnseen = []string{"example.org"}, "forbidden" }

	held := changed(func(w *health.Workload) { w.Held, w.Intent = true, "another" })
	nodeByNode := changed(func(w *health.Workload) {
		w.NodeByNode, w.Now, w.NoManager = true, []string{"a"}, []string{"b"}
		w.Live.(*appsv1.DaemonSet).Status.UpdatedNumberScheduled = 1
	})
	lostAndCounted := changed(func(w *health.Workload) {
		w.Live.(*appsv1.DaemonSet).Status.NumberReady = 2
		w.Lost = &health.Lost{Nodes: []string{"c"}, Why: "it is not ready", Counted: []string{"c"}, Others: health.Pods{Desired: 2, Updated: 2, Ready: 2}}
	})
	unregistered := changed(func(w *health.Workload) { w.Registration = &health.Registration{IsRead: true, Registered: 1} })
	unserved := changed(func(w *health.Workload) { w.Registration = &health.Registration{Unserved: true} })
	notCalled := changed(func(w *health.Workload) { w.Role, w.Webhook = mesh.RoleWebhook, &health.Webhook{Unregistered: true} })
	blocked := changed(func(w *health.Workload) { w.BlockedBy = "Service nsm/registry" })
	heldBack := changed(func(w *health.Workload) { w.HeldBack = true })
	going := changed(func(w *health.Workload) { w.Live.SetDeletionTimestamp(new(metav1.Now())) })
	nowhere := changed(func(w *health.Workload) { w.Live.(*appsv1.DaemonSet).Status = appsv1.DaemonSetStatus{} })
	domains := changed(func(w *health.Workload) { w.Role = mesh.RoleInterdomain })
	told := map[string]bool{}
	states := map[string]struct {
		passes []pass
		// generation is that of the object when it is judged; 0 for the last pass'.
		generation int64
		deleted    bool
		want       string
	}{
		"not seen yet":                  {nil, 1, false, inProgress},
		"coming up":                     {[]pass{{1, seeing(t, rolling), nil}}, 0, false, inProgress},
		"nothing made yet":              {[]pass{{1, seeing(t, managers(0, 0, false)), nil}}, 0, false, inProgress},
		"up":                            {[]pass{{1, seeing(t, rolling), nil}, come}, 0, false, current},
		"being deleted":                 {[]pass{come}, 0, true, terminating},
		"not deleted":                   {[]pass{come, {1, seeing(t, up), errWrite}}, 0, true, terminating},
		"a node reboots":                {[]pass{come, {1, seeing(t, rebooting), nil}}, 0, false, current},
		"changed, and not seen yet":     {[]pass{come}, 2, false, inProgress},
		"changed, and rolling out":      {[]pass{come, {2, seeing(t, rolling), nil}}, 0, false, inProgress},
		"changed while a node reboots":  {[]pass{come, {2, seeing(t, rebooting), nil}}, 0, false, inProgress},
		"changed, and up":               {[]pass{come, {2, seeing(t, rolling), nil}, {2, seeing(t, up), nil}}, 0, false, current},
		"changed, and a node reboots":   {[]pass{come, {2, seeing(t, up), nil}, {2, seeing(t, rebooting), nil}}, 0, false, current},
		"rolled by a newer operator":    {[]pass{come, {1, seeing(t, rolling), nil}}, 0, false, inProgress},
		"not written":                   {[]pass{{1, nil, errWrite}}, 0, false, inProgress},
		"not all written":               {[]pass{{1, seeing(t, rolling), errWrite}}, 0, false, inProgress},
		"not written, then up":          {[]pass{{1, nil, errWrite}, come}, 0, false, current},
		"up, and a repair is refused":   {[]pass{come, {1, seeing(t, up), errWrite}}, 0, false, current},
		"down, and a repair is refused": {[]pass{come, {1, seeing(t, rebooting), errWrite}}, 0, false, inProgress},
		"changed, and not written":      {[]pass{come, {2, seeing(t, up), errWrite}}, 0, false, inProgress},
		"changed, and not even planned": {[]pass{come, {2, nil, errWrite}}, 0, false, inProgress},
		"of a release that is none":     {[]pass{{1, refusedFor("InvalidVersion"), nil}}, 0, false, failed},
		"in conflict with another":      {[]pass{{1, refusedFor(nsmv1beta1.ReasonConflict), nil}}, 0, false, failed},
		"in conflict, that is over":     {[]pass{{1, refusedFor(nsmv1beta1.ReasonConflict), nil}, {1, seeing(t, rolling), nil}}, 0, false, inProgress},
		"unreadable":                    {[]pass{come, {1, refusedFor("Unreadable"), nil}}, 0, false, failed},
		"overdue":                       {[]pass{{1, seeing(t, rolling, overdue), nil}}, 0, false, failed},
		"overdue, then up":              {[]pass{{1, seeing(t, rolling, overdue), nil}, come}, 0, false, current},
		"overdue, then changed":         {[]pass{{1, seeing(t, rolling, overdue), nil}, {2, seeing(t, rolling), nil}}, 0, false, inProgress},
		"being taken back":              {[]pass{come, {2, seeing(t, rolling, rollBack), nil}}, 0, false, failed},
		"taken back, the old coming up": {[]pass{come, {2, seeing(t, rolling, rollBack), nil}, {2, seeing(t, rolling, rolledBack), nil}}, 0, false, failed},
		"taken back, the old up":        {[]pass{come, {2, seeing(t, rolling, rollBack), nil}, {2, seeing(t, up, rolledBack), nil}}, 0, false, failed},
		"taken back, a write refused":   {[]pass{come, {2, seeing(t, rolling, rollBack), nil}, {2, seeing(t, up, rolledBack), errWrite}}, 0, false, failed},
		"taken back, then changed":      {[]pass{come, {2, seeing(t, rolling, rollBack), nil}, {3, seeing(t, rolling), nil}}, 0, false, inProgress},
		"its namespace refuses pods":    {[]pass{{1, seeing(t, rolling, func(o *health.Mesh) { o.RefusedPods = "baseline" }), nil}}, 0, false, inProgress},
		"something is in its way":       {[]pass{{1, seeing(t, rolling, inTheWay), nil}}, 0, false, inProgress},
		"up, and something in the way of what no workload needs":  {[]pass{{1, seeing(t, up, inTheWay), nil}}, 0, false, inProgress},
		"was up, and something comes in its way":                  {[]pass{come, {1, seeing(t, up, inTheWay), nil}}, 0, false, inProgress},
		"something stays in its way":                              {[]pass{{1, seeing(t, rolling, inTheWay, overdue), nil}}, 0, false, failed},
		"nothing is in its way any more":                          {[]pass{{1, seeing(t, rolling, inTheWay, overdue), nil}, come}, 0, false, current},
		"of a spec that is invalid":                               {[]pass{{1, refusedFor("InvalidSpec"), nil}}, 0, false, failed},
		"up, and contested":                                       {[]pass{{1, seeing(t, up, func(o *health.Mesh) { o.Contested = []string{"Service nsm/registry"} }), nil}}, 0, false, current},
		"up, and clients refused":                                 {[]pass{{1, seeing(t, up, func(o *health.Mesh) { o.FailedApart = []string{"quota"} }), nil}}, 0, false, current},
		"up, with fields nobody knows":                            {[]pass{{1, seeing(t, up, func(o *health.Mesh) { o.UnknownFields = []string{"spec.size"} }), nil}}, 0, false, current},
		"up, and a part is not installed":                         {[]pass{{1, seeing(t, up, func(o *health.Mesh) { o.Missing = map[mesh.Role]string{mesh.RoleInterdomain: "x"} }), nil}}, 0, false, inProgress},
		"rolling out, and a foreign webhook calls":                {[]pass{{1, seeing(t, rolling, called), nil}}, 0, false, inProgress},
		"up, and a foreign webhook calls":                         {[]pass{come, {1, seeing(t, up, called), nil}}, 0, false, current},
		"a foreign webhook calls for too long":                    {[]pass{{1, seeing(t, rolling, called, overdue), nil}}, 0, false, failed},
		"rolling out, and kubelets differ":                        {[]pass{{1, seeing(t, rolling, kubelets), nil}}, 0, false, inProgress},
		"up, and kubelets differ":                                 {[]pass{{1, seeing(t, up, kubelets), nil}}, 0, false, current},
		"up, and old entries are left":                            {[]pass{{1, seeing(t, up, entriesLeft), nil}}, 0, false, current},
		"up, and clients are stale":                               {[]pass{{1, seeing(t, up, stale), nil}}, 0, false, current},
		"up, and pods mount volumes of a driver that goes":        {[]pass{come, {2, seeing(t, up, mounted), nil}}, 0, false, current},
		"changed, and nodes pull":                                 {[]pass{come, {2, seeing(t, up, pulling), nil}}, 0, false, inProgress},
		"changed, and an image cannot be pulled":                  {[]pass{come, {2, seeing(t, up, cannotPull), nil}}, 0, false, inProgress},
		"changed, and an image cannot be pulled for too long":     {[]pass{come, {2, seeing(t, up, cannotPull, overdue), nil}}, 0, false, failed},
		"changed, pulled, and up":                                 {[]pass{come, {2, seeing(t, up, pulling), nil}, {2, seeing(t, rolling), nil}, {2, seeing(t, up), nil}}, 0, false, current},
		"changed, and not begun":                                  {[]pass{come, {2, seeing(t, up, notBegun), nil}}, 0, false, inProgress},
		"changed, and waits for its turn":                         {[]pass{come, {2, seeing(t, held), nil}}, 0, false, inProgress},
		"changed, in stages":                                      {[]pass{come, {2, seeing(t, rolling, staged), nil}}, 0, false, inProgress},
		"changed, node by node":                                   {[]pass{come, {2, seeing(t, nodeByNode, staged), nil}}, 0, false, inProgress},
		"up, and a node is lost":                                  {[]pass{come, {1, seeing(t, withoutNode(2)), nil}}, 0, false, current},
		"up, and a node is lost that is counted":                  {[]pass{come, {1, seeing(t, lostAndCounted), nil}}, 0, false, current},
		"coming up on all nodes but one that is lost":             {[]pass{{1, seeing(t, withoutNode(1)), nil}}, 0, false, inProgress},
		"come up on all nodes but one that is lost":               {[]pass{{1, seeing(t, withoutNode(1)), nil}, {1, seeing(t, withoutNode(2)), nil}}, 0, false, current},
		"up, and pods do not register":                            {[]pass{{1, seeing(t, unregistered), nil}}, 0, false, inProgress},
		"was up, and pods lose their entries":                     {[]pass{come, {1, seeing(t, unregistered), nil}}, 0, false, current},
		"up, and nobody can register":                             {[]pass{{1, seeing(t, unserved), nil}}, 0, false, inProgress},
		"up, and the API server does not call its webhook":        {[]pass{{1, seeing(t, notCalled), nil}}, 0, false, inProgress},
		"not changed, since something is in its way":              {[]pass{{1, seeing(t, blocked, inTheWay), nil}}, 0, false, inProgress},
		"held back, since somebody keeps changing it":             {[]pass{come, {2, seeing(t, heldBack), nil}}, 0, false, inProgress},
		"deleted by somebody, and not gone":                       {[]pass{{1, seeing(t, going), nil}}, 0, false, inProgress},
		"with no node to run on":                                  {[]pass{{1, seeing(t, nowhere), nil}}, 0, false, inProgress},
		"up, and other domains do not reach it":                   {[]pass{{1, seeing(t, domains, noAddress), nil}}, 0, false, current},
		"up, and SPIRE does not know the other domains":           {[]pass{{1, seeing(t, domains, notFederated), nil}}, 0, false, current},
		"up, and pods wait for an identity":                       {[]pass{{1, seeing(t, up, spire(health.SpireFailed(nsmv1beta1.ReasonPodsWait, "nsmgr waits"))), nil}}, 0, false, current},
		"coming up, and pods wait for an identity":                {[]pass{{1, seeing(t, rolling, spire(health.SpireFailed(nsmv1beta1.ReasonPodsWait, "nsmgr waits"))), nil}}, 0, false, inProgress},
		"pods wait for an identity for too long":                  {[]pass{{1, seeing(t, rolling, spire(health.SpireFailed(nsmv1beta1.ReasonPodsWait, "nsmgr waits")), overdue), nil}}, 0, false, failed},
		"changed, and SPIRE's webhook does not answer":            {[]pass{come, {2, seeing(t, up, awaitsSpire), nil}}, 0, false, inProgress},
		"coming up, and SPIRE's webhook does not answer":          {[]pass{{1, seeing(t, rolling, awaitsSpire), nil}}, 0, false, inProgress},
		"SPIRE's webhook answers again":                           {[]pass{come, {2, seeing(t, up, awaitsSpire), nil}, {2, seeing(t, up), nil}}, 0, false, current},
		"up, and registered":                                      {[]pass{{1, seeing(t, up, spire(registered)), nil}}, 0, false, current},
		"rolled by a newer operator, and up while a node is lost": {[]pass{come, {1, seeing(t, rolling), nil}, {1, seeing(t, withoutNode(2)), nil}}, 0, false, current},
	}
	// Who registers the workloads, and how, is not what tools wait for.
	for _, reason := range []string{nsmv1beta1.ReasonWaiting, nsmv1beta1.ReasonNotRead, nsmv1beta1.ReasonNotServed, nsmv1beta1.ReasonNotManaged} {
		state := states["up, and registered"]
		state.passes = []pass{{1, seeing(t, up, spire(health.SpireUnknown(reason, "it is not known"))), nil}}
		states["up, and of SPIRE: "+reason] = state
	}
	for _, reason := range []string{
		nsmv1beta1.ReasonNotRegistered, nsmv1beta1.ReasonNotHandled, nsmv1beta1.ReasonNoPodSelected, nsmv1beta1.ReasonRenderFailures, nsmv1beta1.ReasonEntryFailures,
	} {
		state := states["up, and registered"]
		state.passes = []pass{{1, seeing(t, up, spire(health.SpireFailed(reason, "it is wrong"))), nil}}
		states["up, and of SPIRE: "+reason] = state
	}
	for name, state := range states {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			nsm := newlyCreated()
			for _, pass := range state.passes {
				nsm.Generation = pass.generation
				nsm.Status = health.Status(nsm, pass.seen, pass.failure)
				note(told, nsm)
			}
			if state.generation != 0 {
				nsm.Generation = state.generation
			}
			if state.deleted {
				nsm.DeletionTimestamp = new(metav1.Now())
				nsm.Status = health.DeletionStatus(nsm, []string{"ClusterRole nsm:nsm:nsmgr"}, state.passes[len(state.passes)-1].failure)
				note(told, nsm)
				g.Expect(nsm.Status.Components).To(BeEmpty())
				for _, concern := range mesh.Concerns() {
					g.Expect(meta.IsStatusConditionTrue(nsm.Status.Conditions, concern.Condition)).To(BeFalse(), "nobody looks at the parts any more")
				}
			}
			for _, object := range inBothVersions(t, nsm) {
				random := rand.New(rand.NewPCG(1, 2))
				for range 20 {
					g.Expect(verdicts(t, object)).To(HaveEach(state.want), "%v", object)
					shuffle(object, random)
				}
			}
			for _, condition := range nsm.Status.Conditions {
				g.Expect(condition.Type).NotTo(Equal(string(kptstatus.ConditionReconciling)), "kstatus would take it as its own")
				g.Expect(condition.Message).NotTo(BeEmpty())
			}
		})
	}
	// Every reason that docs/troubleshooting.md lists is among those states.
	for section, rows := range documentedReasons(t) {
		NewWithT(t).Expect(len(rows)).To(BeNumerically(">", 1), section)
		for _, row := range rows {
			isTold := slices.ContainsFunc(strings.Split(section, ", "), func(condition string) bool { return told[condition+" "+row] })
			NewWithT(t).Expect(isTold).To(BeTrue(), "no state has %s %s", section, row)
		}
	}
}

// note what the conditions of an NSM tell: their types, statuses and reasons.
func note(told map[string]bool, nsm *nsmv1beta1.NSM) {
	for _, condition := range nsm.Status.Conditions {
		told[condition.Type+" "+string(condition.Status)+" "+condition.Reason] = true
	}
}

// documentedReasons are the statuses and reasons of docs/troubleshooting.md, by the
// conditions in the headings.
func documentedReasons(t *testing.T) map[string][]string {
	t.Helper()
	g := NewWithT(t)
	page, err := os.ReadFile(filepath.Join("..", "docs", "troubleshooting.md"))
	g.Expect(err).NotTo(HaveOccurred())
	_, rest, isFound := strings.Cut(string(page), "\n## Conditions and their reasons\n")
	chapter, _, isEnded := strings.Cut(rest, "\n## ")
	g.Expect(isFound && isEnded).To(BeTrue())
	row := regexp.MustCompile(`(?m)^\| (True|False|Unknown) \| ([^|]*) \|`)
	reason := regexp.MustCompile("`([A-Z][A-Za-z]+)`")
	documented := map[string][]string{}
	for _, section := range strings.Split(chapter, "\n### ")[1:] {
		heading, text, _ := strings.Cut(section, "\n")
		for _, match := range row.FindAllStringSubmatch(text, -1) {
			for _, name := range reason.FindAllStringSubmatch(match[2], -1) {
				documented[heading] = append(documented[heading], match[1]+" "+name[1])
			}
		}
	}
	g.Expect(documented).To(HaveLen(7))
	return documented
}

// changed are managers that are up, but for a change.
func changed(change func(*health.Workload)) health.Workload {
	w := managers(3, 3, true)
	change(&w)
	return w
}

// withoutNode are managers with a node that is down, which Kubernetes does not count, and so
// many ready ones on the two others.
func withoutNode(ready int32) health.Workload {
	w := managers(2, ready, true)
	status := &w.Live.(*appsv1.DaemonSet).Status
	status.DesiredNumberScheduled, status.CurrentNumberScheduled = 2, 2
	w.Lost = &health.Lost{Nodes: []string{"c"}, Why: "Kubelet stopped posting node status.", Others: health.Pods{Desired: 2, Updated: 2, Ready: ready}}
	return w
}

// newlyCreated is an NSM as the API server gives it back before anybody has seen
// it: with the CRD's default for the status.
func newlyCreated() *nsmv1beta1.NSM {
	return &nsmv1beta1.NSM{
		TypeMeta:   metav1.TypeMeta{APIVersion: nsmv1beta1.GroupVersion.String(), Kind: "NSM"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "nsm", Name: "mesh", Generation: 1},
		Status:     nsmv1beta1.NSMStatus{ObservedGeneration: -1},
	}
}

// inBothVersions is an NSM as both versions serve it.
func inBothVersions(t *testing.T, nsm *nsmv1beta1.NSM) []*unstructured.Unstructured {
	t.Helper()
	g := NewWithT(t)
	stored, err := json.Marshal(nsm)
	g.Expect(err).NotTo(HaveOccurred())
	review, err := json.Marshal(apiextensionsv1.ConversionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: apiextensionsv1.SchemeGroupVersion.String(), Kind: "ConversionReview"},
		Request: &apiextensionsv1.ConversionRequest{
			UID: "1", DesiredAPIVersion: nsmv1alpha1.GroupVersion.String(), Objects: []runtime.RawExtension{{Raw: stored}},
		},
	})
	g.Expect(err).NotTo(HaveOccurred())
	handler, err := webhooks.NewConversionHandler()
	g.Expect(err).NotTo(HaveOccurred())
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodPost, webhooks.ConversionPath, bytes.NewReader(review)))
	var converted apiextensionsv1.ConversionReview
	g.Expect(json.Unmarshal(answer.Body.Bytes(), &converted)).To(Succeed())
	g.Expect(converted.Response.ConvertedObjects).To(HaveLen(1))

	var objects []*unstructured.Unstructured
	for _, raw := range [][]byte{stored, converted.Response.ConvertedObjects[0].Raw} {
		object := &unstructured.Unstructured{}
		g.Expect(object.UnmarshalJSON(raw)).To(Succeed())
		objects = append(objects, object)
	}
	return objects
}

// verdicts are those of both libraries.
func verdicts(t *testing.T, object *unstructured.Unstructured) []string {
	t.Helper()
	g := NewWithT(t)
	flux, err := fluxstatus.Compute(object)
	g.Expect(err).NotTo(HaveOccurred())
	kpt, err := kptstatus.Compute(object)
	g.Expect(err).NotTo(HaveOccurred())
	return []string{flux.Status.String(), kpt.Status.String()}
}

// shuffle puts the conditions into another order.
func shuffle(object *unstructured.Unstructured, random *rand.Rand) {
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	random.Shuffle(len(conditions), func(i, j int) { conditions[i], conditions[j] = conditions[j], conditions[i] })
	if len(conditions) > 0 {
		_ = unstructured.SetNestedSlice(object.Object, conditions, "status", "conditions")
	}
}
