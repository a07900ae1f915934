// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package health

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

// SpireUnknown is SpireReady where it is not known, or not the operator's to know.
func SpireUnknown(reason, message string) metav1.Condition {
	return metav1.Condition{Type: nsmv1beta1.ConditionSpireReady, Status: metav1.ConditionUnknown, Reason: reason, Message: message}
}

// SpireFailed is SpireReady where something is wrong.
func SpireFailed(reason, message string) metav1.Condition {
	return metav1.Condition{Type: nsmv1beta1.ConditionSpireReady, Status: metav1.ConditionFalse, Reason: reason, Message: message}
}

// SpireOf is SpireReady from what SPIRE's controller manager says of a
// ClusterSPIFFEID in its status (github.com/spiffe/spire-controller-manager,
// api/v1alpha1), without its numbers: they move with every pod of the cluster.
func SpireOf(identity *unstructured.Unstructured, class string, hasPods bool) metav1.Condition {
	name := "ClusterSPIFFEID " + identity.GetName()
	stats, isHandled, _ := unstructured.NestedMap(identity.Object, "status", "stats")
	count := func(field string) int64 {
		n, _, _ := unstructured.NestedInt64(stats, field)
		return n
	}
	switch {
	case !isHandled && class == "":
		return SpireFailed(nsmv1beta1.ReasonNotHandled, "no SPIRE controller manager handles "+name+", which has no class: "+
			"set spec.spire.className to the className of your controller manager, or watchClassless in its configuration")
	case !isHandled:
		return SpireFailed(nsmv1beta1.ReasonNotHandled, fmt.Sprintf("no SPIRE controller manager of class %q handles %s: "+
			"spec.spire.className must be the className of one that runs", class, name))
	case count("podEntryRenderFailures") > 0:
		return SpireFailed(nsmv1beta1.ReasonRenderFailures, "SPIRE's controller manager cannot render entries for pods that "+name+" selects: its log says which, and why")
	case count("entryFailures") > 0:
		return SpireFailed(nsmv1beta1.ReasonEntryFailures, "the SPIRE server does not take entries for pods that "+name+" selects: the log of its controller manager says why"+
			federationOf(identity))
	case count("podsSelected") == 0 && hasPods:
		return SpireFailed(nsmv1beta1.ReasonNoPodSelected, name+" selects no pod: SPIRE's controller manager must not ignore the namespace of the mesh (ignoreNamespaces)")
	case count("podsSelected") == 0:
		return SpireUnknown(nsmv1beta1.ReasonWaiting, name+" has no pod to register yet")
	default:
		return metav1.Condition{
			Type: nsmv1beta1.ConditionSpireReady, Status: metav1.ConditionTrue, Reason: nsmv1beta1.ReasonRegistered,
			Message: "SPIRE's controller manager registers the pods that " + name + " selects",
		}
	}
}

// federationOf a ClusterSPIFFEID is a usual reason why the server takes no entries: it
// has to know whom they federate with.
func federationOf(identity *unstructured.Unstructured) string {
	domains, _, _ := unstructured.NestedStringSlice(identity.Object, "spec", "federatesWith")
	if len(domains) == 0 {
		return ""
	}
	return "; the server takes none of them before it has the bundles of " + strings.Join(domains, ", ")
}

// SetSpire sets SpireReady from who registers the workloads, and from what the pods
// say: those that have found no way to SPIRE are decisive. Clients that may get no
// identity are told of where all else is well.
func (m *Mesh) SetSpire(registration metav1.Condition) {
	m.Spire = registration
	if registration.Status == metav1.ConditionTrue && len(m.IgnoredClients) > 0 {
		m.Spire.Message += "; unless its ignoreNamespaces says otherwise, it ignores these namespaces of clients, whose pods then get no identity: " +
			strings.Join(m.IgnoredClients, ", ")
	}
	if waiting := m.waitsForIdentity(); waiting != "" && registration.Status != metav1.ConditionFalse {
		m.Spire = SpireFailed(nsmv1beta1.ReasonPodsWait, waiting)
	}
}

// AwaitSpire notes that the API server cannot write an object, a ClusterSPIFFEID, since a
// webhook is down; failure is what it says. One that exists goes on serving as it is.
func (m *Mesh) AwaitSpire(object, failure string, exists bool) {
	m.AwaitsSpire = object + " cannot be written yet: " + awaitedWebhook(failure)
	if !exists {
		m.SetSpire(SpireUnknown(nsmv1beta1.ReasonWaiting, m.AwaitsSpire))
	}
}

// namedWebhook is how the API server names a webhook that it could not call
// (k8s.io/apiserver/pkg/util/webhook, ErrCallingWebhook).
var namedWebhook = regexp.MustCompile(`failed calling webhook "([^"]+)"`)

// IsWebhookDown reports whether the API server says that it could not call an admission
// webhook.
func IsWebhookDown(failure string) bool { return namedWebhook.MatchString(failure) }

// awaitedWebhook tells what a webhook that is down waits for, without the addresses and
// times in what the API server says: they move.
func awaitedWebhook(failure string) string {
	if line := untilWebhooksAnswer(failure); line != failure {
		return line[strings.LastIndex(line, "waiting for "):]
	}
	return "waiting for SPIRE's controller manager, which may be starting: the API server cannot call its admission webhook " +
		namedWebhook.FindStringSubmatch(failure)[1]
}

// waitsForIdentity names the workloads whose pods have found no way to SPIRE, and
// what they say; "" for none.
func (m *Mesh) waitsForIdentity() string {
	var waiting []string
	for i := range m.Workloads {
		w := &m.Workloads[i]
		j := slices.IndexFunc(w.Causes, Cause.IsOfIdentity)
		if j >= 0 && !w.IsReady() {
			waiting = append(waiting, w.String()+": "+w.Causes[j].String())
		}
	}
	return strings.Join(waiting, "; ")
}
