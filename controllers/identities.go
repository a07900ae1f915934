// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

const (
	// spirePatience is how long SPIRE's controller manager may take before what it
	// says, or does not say, is told as something that is wrong: it works in the
	// background, and again when a write has failed.
	spirePatience = time.Minute
	// identityTimeout is how long reading a ClusterSPIFFEID from the cache may take:
	// its kind may be going.
	identityTimeout = 2 * time.Second
	// reasonSpireWaiting of SpireReady: it is not known yet.
	reasonSpireWaiting = "Waiting"
)

// identityTroubles remember since when something has been wrong with the
// identities of a mesh.
type identityTroubles struct {
	known sync.Map // of types.NamespacedName, the NSM's: identityTrouble
}

type identityTrouble struct {
	// reason is that of the condition, and object the UID of what it is about.
	reason, object string
	since          time.Time
}

// seeIdentities tells whether SPIRE gives the mesh's workloads their identities: what
// its controller manager says of the ClusterSPIFFEID, and what the pods say.
func (r *NSMReconciler) seeIdentities(ctx context.Context, plan plan, seen *observation) {
	condition := r.registrationWithSPIRE(ctx, plan, seen)
	if waiting := seen.waitsForIdentity(); waiting != "" && condition.Status != metav1.ConditionFalse {
		condition.Status, condition.Reason, condition.Message = metav1.ConditionFalse, "PodsWait", waiting
	}
	condition.Type = nsmv1beta1.ConditionSpireReady
	seen.spire = condition
}

// registrationWithSPIRE tells who registers the workloads, and whether that is
// done where it is the operator's.
func (r *NSMReconciler) registrationWithSPIRE(ctx context.Context, plan plan, seen *observation) metav1.Condition {
	spire := mesh.SpireOf(plan.input)
	identities := mesh.Identities(plan.input)
	switch {
	case spire.Registration == nsmv1beta1.SpireRegistrationNone:
		return spireUnknown("NotManaged", "spec.spire.registration is None: somebody else registers the workloads")
	case len(identities) == 0:
		return spireUnknown("NotServed", "no SPIRE controller manager serves ClusterSPIFFEIDs here: whoever runs SPIRE registers the workloads")
	}
	name := identities[0].GetName()
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(mesh.ClusterSPIFFEIDKind)
	short, cancel := context.WithTimeout(ctx, identityTimeout)
	defer cancel()
	err := r.client.Get(short, client.ObjectKey{Name: name}, live)
	switch {
	case apierrors.IsNotFound(err):
		return spireFailed("NotRegistered", "ClusterSPIFFEID "+name+" does not exist, so new pods get no identity; the condition Degraded says why it could not be created")
	case err != nil:
		return spireUnknown("NotRead", "ClusterSPIFFEID "+name+" cannot be read ("+inShort(err)+")")
	}
	said := identityVerdict(live, spire.ClassName, seen.hasPods())
	return r.patientlyOf(plan.input.NSM, said, live, seen)
}

// identityVerdict is what the controller manager says of a ClusterSPIFFEID in its
// status (github.com/spiffe/spire-controller-manager, api/v1alpha1), without its
// numbers: they move with every pod of the cluster.
func identityVerdict(live *unstructured.Unstructured, class string, hasPods bool) metav1.Condition {
	name := "ClusterSPIFFEID " + live.GetName()
	stats, isHandled, _ := unstructured.NestedMap(live.Object, "status", "stats")
	count := func(field string) int64 {
		n, _, _ := unstructured.NestedInt64(stats, field)
		return n
	}
	switch {
	case !isHandled && class == "":
		return spireFailed("NotHandled", "no SPIRE controller manager handles "+name+", which has no class: "+
			"set spec.spire.className to the className of your controller manager, or watchClassless in its configuration")
	case !isHandled:
		return spireFailed("NotHandled", fmt.Sprintf("no SPIRE controller manager of class %q handles %s: "+
			"spec.spire.className must be the className of one that runs", class, name))
	case count("podEntryRenderFailures") > 0:
		return spireFailed("RenderFailures", "SPIRE's controller manager cannot render entries for pods that "+name+" selects: its log says which, and why")
	case count("entryFailures") > 0:
		return spireFailed("EntryFailures", "the SPIRE server does not take entries for pods that "+name+" selects: the log of its controller manager says why")
	case count("podsSelected") == 0 && hasPods:
		return spireFailed("NoPodSelected", name+" selects no pod: SPIRE's controller manager must not ignore the namespace of the mesh (ignoreNamespaces)")
	case count("podsSelected") == 0:
		return spireUnknown(reasonSpireWaiting, name+" has no pod to register yet")
	default:
		return metav1.Condition{Status: metav1.ConditionTrue, Reason: "Registered", Message: "SPIRE's controller manager registers the pods that " + name + " selects"}
	}
}

// patientlyOf gives the controller manager a fair time before anything is wrong. What
// was told as wrong before, by the process before this one, stays so.
func (r *NSMReconciler) patientlyOf(nsm *nsmv1beta1.NSM, said metav1.Condition, live client.Object, seen *observation) metav1.Condition {
	key := client.ObjectKeyFromObject(nsm)
	if said.Status != metav1.ConditionFalse {
		r.identityTroubles.known.Delete(key)
		return said
	}
	now := identityTrouble{reason: said.Reason, object: string(live.GetUID()), since: r.now()}
	found, _ := r.identityTroubles.known.Load(key)
	if known, _ := found.(identityTrouble); known.reason == now.reason && known.object == now.object {
		now = known
	}
	r.identityTroubles.known.Store(key, now)
	told := meta.FindStatusCondition(nsm.Status.Conditions, nsmv1beta1.ConditionSpireReady)
	wasTold := told != nil && told.Status == metav1.ConditionFalse && told.Reason == said.Reason
	end := now.since.Add(spirePatience)
	if wasTold || !r.now().Before(end) {
		return said
	}
	seen.wake(end)
	return spireUnknown(reasonSpireWaiting, "SPIRE's controller manager has not registered the pods that ClusterSPIFFEID "+live.GetName()+" selects yet")
}

func spireUnknown(reason, message string) metav1.Condition {
	return metav1.Condition{Status: metav1.ConditionUnknown, Reason: reason, Message: message}
}

func spireFailed(reason, message string) metav1.Condition {
	return metav1.Condition{Status: metav1.ConditionFalse, Reason: reason, Message: message}
}

// hasPods tells whether there is a pod of the mesh for sure.
func (o *observation) hasPods() bool {
	return slices.ContainsFunc(o.workloads, func(w workload) bool { return w.updated > 0 || w.ready > 0 })
}

// waitsForIdentity names the workloads whose pods have found no way to SPIRE, and
// what they say; "" for none.
func (o *observation) waitsForIdentity() string {
	var waiting []string
	for _, w := range o.workloads {
		i := slices.IndexFunc(w.causes, cause.isOfIdentity)
		if i >= 0 && !w.isReady() {
			waiting = append(waiting, w.fullName()+": "+w.causes[i].String())
		}
	}
	return strings.Join(waiting, "; ")
}

// identityMatters lets through of a ClusterSPIFFEID's changes those that matter to a
// mesh. Its status changes with every pod of the cluster that asks for an identity.
func identityMatters() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, isUnstructured := e.ObjectOld.(*unstructured.Unstructured)
		after, _ := e.ObjectNew.(*unstructured.Unstructured)
		if !isUnstructured || after == nil || after.GroupVersionKind() != mesh.ClusterSPIFFEIDKind {
			return true
		}
		return !equality.Semantic.DeepEqual(whatMatters(before), whatMatters(after))
	}}
}

// whatMatters of a ClusterSPIFFEID.
func whatMatters(identity *unstructured.Unstructured) map[string]any {
	matters := map[string]any{"said": []metav1.Condition{identityVerdict(identity, "", true), identityVerdict(identity, "", false)}}
	for key, value := range identity.Object {
		if key != "status" && key != "metadata" {
			matters[key] = value
		}
	}
	metadata, _, _ := unstructured.NestedMap(identity.Object, "metadata")
	delete(metadata, "resourceVersion")
	delete(metadata, "managedFields")
	matters["metadata"] = metadata
	return matters
}
