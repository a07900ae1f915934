// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh

import (
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

const (
	// FieldOwner is the operator's name in managedFields.
	FieldOwner = "nsm-operator"
	// EarlierFieldOwner is that of the operator's releases 1.8 and 1.9: the name of
	// their program.
	EarlierFieldOwner = "manager"
)

// OwnerOf names the NSM whose an object is by its labels, false for none. They
// count where the operator puts them: in the namespace of the NSM, and on its
// cluster-scoped objects and its RoleBindings in the namespaces of clients. A copy
// in another namespace, such as a backup tool makes, is nobody's.
func OwnerOf(object metav1.Object) (types.NamespacedName, bool) {
	owner := labelledOwner(object)
	if owner.Name == "" || owner.Namespace == "" {
		return types.NamespacedName{}, false
	}
	namespace := object.GetNamespace()
	isPlaced := namespace == "" || namespace == owner.Namespace || object.GetName() == clientBindingName(owner.Namespace)
	return owner, isPlaced
}

// IsOf reports whether an object is the NSM's own: the one question to ask before
// an object is changed or deleted. Its labels say so, and no controller of it says
// otherwise. A predecessor of the NSM, of the same name and with another UID, has
// left it to the NSM.
func IsOf(object metav1.Object, nsm *nsmv1beta1.NSM) bool {
	owner, isOwned := OwnerOf(object)
	return isOwned && owner == nameOf(nsm) && !isControlledByOther(object, nsm)
}

// Claim reports whether an object that has not all labels of the NSM's own may
// become the NSM's all the same, since it can be told from it that it was meant to
// be; and if not, whose it is, as far as that can be told. managedFields have to be
// there.
//
// It may where the NSM is its owner, as of what earlier operators have made; where
// the labels say so; where the operator has applied it, and somebody has changed
// the labels; and where it stands in the NSM's namespace with the operator's labels
// for a mesh of another namespace: that is a copy, and nobody else's.
func Claim(object metav1.Object, nsm *nsmv1beta1.NSM) (may bool, whose string) {
	if isControlledByOther(object, nsm) {
		controller := metav1.GetControllerOf(object)
		return false, "it is controlled by " + controller.Kind + " " + controller.Name
	}
	for _, owner := range object.GetOwnerReferences() {
		if owner.UID == nsm.UID {
			return true, ""
		}
	}
	labelled := labelledOwner(object)
	isCopy := object.GetNamespace() == nsm.Namespace && labelled.Namespace != nsm.Namespace
	switch {
	case labelled == nameOf(nsm):
		return true, ""
	case labelled.Name != "" && labelled.Namespace != "" && !isCopy:
		return false, "it belongs to NSM " + labelled.String()
	case isApplied(object):
		return true, ""
	case isCopy && object.GetLabels()[LabelManagedBy] == ManagedBy && labelled.Name != "" && labelled.Namespace != "":
		return true, ""
	}
	return false, traces(object)
}

// HasDeadOwner reports whether an object of the NSM's still names another NSM as its
// controller, a predecessor or that of the mesh that it was copied from, which has
// to go before the NSM can take its place.
func HasDeadOwner(object metav1.Object, nsm *nsmv1beta1.NSM) bool {
	controller := metav1.GetControllerOf(object)
	return controller != nil && controller.UID != nsm.UID && isNSM(controller)
}

// isControlledByOther reports whether the controller of an object is somebody else
// than the NSM or a predecessor of it. An NSM controls nothing outside of its
// namespace, so any that is named there is gone, or the object is a copy.
func isControlledByOther(object metav1.Object, nsm *nsmv1beta1.NSM) bool {
	controller := metav1.GetControllerOf(object)
	switch {
	case controller == nil || controller.UID == nsm.UID:
		return false
	case !isNSM(controller):
		return true
	case object.GetNamespace() == nsm.Namespace && labelledOwner(object).Namespace != nsm.Namespace:
		return false
	default:
		return controller.Name != nsm.Name
	}
}

func isNSM(owner *metav1.OwnerReference) bool {
	group, err := schema.ParseGroupVersion(owner.APIVersion)
	return err == nil && group.Group == nsmv1beta1.GroupVersion.Group && owner.Kind == "NSM"
}

// isApplied reports whether the operator has applied an object, and so made it.
func isApplied(object metav1.Object) bool {
	return slices.ContainsFunc(object.GetManagedFields(), func(entry metav1.ManagedFieldsEntry) bool {
		return entry.Manager == FieldOwner && entry.Operation == metav1.ManagedFieldsOperationApply && entry.Subresource == ""
	})
}

// IsOfEarlierOperator reports whether an object that an NSM controls was made by an
// earlier operator, and this one has not touched it. managedFields have to be there.
func IsOfEarlierOperator(object metav1.Object) bool {
	controller := metav1.GetControllerOf(object)
	return controller != nil && isNSM(controller) && !isApplied(object) &&
		slices.ContainsFunc(object.GetManagedFields(), func(entry metav1.ManagedFieldsEntry) bool {
			return entry.Manager == EarlierFieldOwner && entry.Operation == metav1.ManagedFieldsOperationUpdate && entry.Subresource == ""
		})
}

// traces tell people who may have made an object.
func traces(object metav1.Object) string {
	var found []string
	if release := object.GetAnnotations()["meta.helm.sh/release-name"]; release != "" {
		found = append(found, "it is of the Helm release "+release)
	}
	if manager := object.GetLabels()[LabelManagedBy]; manager != "" && manager != ManagedBy {
		found = append(found, "it is labelled "+LabelManagedBy+"="+manager)
	}
	if part := object.GetLabels()[LabelPartOf]; part != "" && part != PartOf {
		found = append(found, "it is labelled "+LabelPartOf+"="+part)
	}
	writers := map[string]bool{}
	for _, entry := range object.GetManagedFields() {
		if entry.Subresource == "" {
			writers[entry.Manager] = true
		}
	}
	if len(writers) > 0 {
		found = append(found, "it was written by "+strings.Join(slices.Sorted(maps.Keys(writers)), ", "))
	}
	if len(found) == 0 {
		return "nothing on it tells whose it is"
	}
	return strings.Join(found, "; ")
}

func labelledOwner(object metav1.Object) types.NamespacedName {
	labels := object.GetLabels()
	return types.NamespacedName{Namespace: labels[LabelNamespace], Name: labels[LabelNSM]}
}

func nameOf(nsm *nsmv1beta1.NSM) types.NamespacedName {
	return types.NamespacedName{Namespace: nsm.Namespace, Name: nsm.Name}
}
