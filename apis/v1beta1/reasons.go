// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package v1beta1

// Reasons of the conditions of an NSM. docs/troubleshooting.md has an entry for each.
const (
	// ReasonReady of Available and of the conditions of single parts: it is up.
	ReasonReady = "Ready"
	// ReasonNotReady of the same conditions: the message says what is not up, and why.
	ReasonNotReady = "NotReady"
	// ReasonUnreachable of InterdomainReady: the mesh and other domains do not reach or
	// trust each other.
	ReasonUnreachable = "Unreachable"
	// ReasonRolledOut of Ready: the mesh has come up as the spec describes it.
	ReasonRolledOut = "RolledOut"
	// ReasonAsExpected of Degraded and Stalled: nothing is known to be wrong.
	ReasonAsExpected = "AsExpected"
	// ReasonDeleting: the NSM is being deleted.
	ReasonDeleting = "Deleting"

	// ReasonRollingOut of Progressing: pods are coming up or being replaced.
	ReasonRollingOut = "RollingOut"
	// ReasonPullingImages of Progressing: nodes pull the images of a change that has not
	// begun.
	ReasonPullingImages = "PullingImages"
	// ReasonRetrying of Progressing: a write or a deletion failed, and is tried again.
	ReasonRetrying = "Retrying"
	// ReasonDone of Progressing: nothing is left to do.
	ReasonDone = "Done"

	// ReasonUnreadable of Degraded: the spec has a value of a wrong type.
	ReasonUnreadable = "Unreadable"
	// ReasonInvalidVersion of Degraded: spec.version is no release of NSM.
	ReasonInvalidVersion = "InvalidVersion"
	// ReasonInvalidSpec of Degraded: the mesh could not run as it is described.
	ReasonInvalidSpec = "InvalidSpec"
	// ReasonConflict of Degraded: another NSM was here first.
	ReasonConflict = "Conflict"
	// ReasonApplyFailed of Degraded: the API server refused a write.
	ReasonApplyFailed = "ApplyFailed"
	// ReasonDeletionFailed of Degraded: a part of the mesh of an NSM that is being deleted
	// could not be removed.
	ReasonDeletionFailed = "DeletionFailed"
	// ReasonNotOurs of Degraded: somebody else's object is in the way.
	ReasonNotOurs = "NotOurs"
	// ReasonForeignWebhook of Degraded: somebody else has the admission webhook called, too.
	ReasonForeignWebhook = "ForeignWebhook"
	// ReasonContested of Degraded: somebody else keeps changing an object of the mesh.
	ReasonContested = "Contested"
	// ReasonPodSecurity of Degraded: the namespace refuses privileged pods.
	ReasonPodSecurity = "PodSecurity"
	// ReasonKubeletsDiffer of Degraded: no directory of the kubelet is right for all nodes.
	ReasonKubeletsDiffer = "KubeletsDiffer"
	// ReasonUnknownFields of Degraded: the spec has fields that have no effect.
	ReasonUnknownFields = "UnknownFields"
	// ReasonProgressDeadlineExceeded of Degraded: the mesh takes longer to come up than it may.
	ReasonProgressDeadlineExceeded = "ProgressDeadlineExceeded"
	// ReasonRolledBack of Degraded: the new release did not come up, and the one before runs.
	ReasonRolledBack = "RolledBack"

	// ReasonRegistered of SpireReady: the pods of the mesh get identities.
	ReasonRegistered = "Registered"
	// ReasonNotRegistered of SpireReady: the ClusterSPIFFEID does not exist.
	ReasonNotRegistered = "NotRegistered"
	// ReasonNotHandled of SpireReady: no SPIRE controller manager handles the ClusterSPIFFEID.
	ReasonNotHandled = "NotHandled"
	// ReasonNoPodSelected of SpireReady: the ClusterSPIFFEID selects no pod of the mesh.
	ReasonNoPodSelected = "NoPodSelected"
	// ReasonRenderFailures of SpireReady: the controller manager cannot render entries.
	ReasonRenderFailures = "RenderFailures"
	// ReasonEntryFailures of SpireReady: the SPIRE server refuses entries.
	ReasonEntryFailures = "EntryFailures"
	// ReasonPodsWait of SpireReady: a pod waits for its identity.
	ReasonPodsWait = "PodsWait"
	// ReasonWaiting of SpireReady: it is not known yet. Of Progressing, and of Ready with it:
	// SPIRE's controller manager does not let the ClusterSPIFFEID be written yet.
	ReasonWaiting = "Waiting"
	// ReasonNotRead of SpireReady: the ClusterSPIFFEID cannot be read.
	ReasonNotRead = "NotRead"
	// ReasonNotServed of SpireReady: there is no SPIRE controller manager.
	ReasonNotServed = "NotServed"
	// ReasonNotManaged of SpireReady: spec.spire.registration is None.
	ReasonNotManaged = "NotManaged"
)
