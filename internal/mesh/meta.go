// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh

import (
	"maps"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

// Labels of every object that the operator makes.
const (
	LabelName      = "app.kubernetes.io/name"
	LabelComponent = "app.kubernetes.io/component"
	LabelPartOf    = "app.kubernetes.io/part-of"
	LabelManagedBy = "app.kubernetes.io/managed-by"
	LabelVersion   = "app.kubernetes.io/version"
	// LabelNSM and LabelNamespace are the name and the namespace of the NSM: they
	// tell whose an object is. The keys are our own, since other tools write
	// app.kubernetes.io/instance: Argo CD tracks applications by it.
	LabelNSM       = "nsm.networkservicemesh.io/name"
	LabelNamespace = "nsm.networkservicemesh.io/namespace"

	// ManagedBy is the value of LabelManagedBy on all that the operator makes.
	ManagedBy = "nsm-operator"
	// PartOf is the value of LabelPartOf.
	PartOf = "network-service-mesh"

	// ownDomain begins the keys that are the operator's own.
	ownDomain = "nsm.networkservicemesh.io/"

	// labelInstance is on pods only, for people and dashboards. On any other object
	// it could make Argo CD take the object for a part of an application of that
	// name, and prune it.
	labelInstance = "app.kubernetes.io/instance"
	// labelApp is the label by which NSM's own documentation finds pods.
	labelApp = "app"
	// labelSpiffeID asks SPIRE for an identity (deployments-k8s,
	// examples/spire: ClusterSPIFFEID nsm-workloads); without it a component is
	// never ready.
	labelSpiffeID = "spiffe.io/spiffe-id"
)

// OwnerLabels are the labels that all objects of one NSM share, and no other
// objects have.
func OwnerLabels(nsm *nsmv1beta1.NSM) map[string]string {
	return map[string]string{
		LabelManagedBy: ManagedBy,
		LabelNSM:       nsm.Name,
		LabelNamespace: nsm.Namespace,
	}
}

// part names one component while its objects are rendered.
type part struct {
	Input
	role Role
	// name of the workload, its ServiceAccount and its containers' labels.
	name string
	// app is NSM's own label for the pods.
	app string
	// spec is what the NSM says of the component.
	spec nsmv1beta1.ComponentSpec
	// amd64Only: there is no image of it for other machines.
	amd64Only bool
}

// labels of the component's objects: ours over the user's.
func (p part) labels() map[string]string {
	return mergeMaps(users(p.NSM.Spec.Labels, p.spec.Labels), p.ownLabels())
}

// annotations of the component's objects; nil for none.
func (p part) annotations() map[string]string {
	return users(p.NSM.Spec.Annotations, p.spec.Annotations)
}

// ownLabels of the component's objects and pods.
func (p part) ownLabels() map[string]string {
	labels := OwnerLabels(p.NSM)
	labels[LabelName] = p.name
	labels[LabelComponent] = string(p.role)
	labels[LabelPartOf] = PartOf
	labels[LabelVersion] = p.Release.String()
	return labels
}

// users are labels or annotations that the NSM asks for, the later ones over those
// before. Keys of the operator's own domain are the operator's alone: what it
// finds under them it acts on.
func users(all ...map[string]string) map[string]string {
	var merged map[string]string
	for _, one := range all {
		merged = mergeMaps(merged, one)
	}
	maps.DeleteFunc(merged, func(key, _ string) bool { return strings.HasPrefix(key, ownDomain) })
	return merged
}

// IsOwnLabel reports whether the operator sets a label of objects itself, whatever
// the NSM says.
func IsOwnLabel(key string) bool {
	switch key {
	case LabelName, LabelComponent, LabelPartOf, LabelManagedBy, LabelVersion:
		return true
	default:
		return IsOwnAnnotation(key)
	}
}

// IsOwnPodLabel tells the same of a label of pods.
func IsOwnPodLabel(key string) bool {
	return IsOwnLabel(key) || key == labelApp || key == labelSpiffeID
}

// IsOwnAnnotation reports whether an annotation is the operator's alone.
func IsOwnAnnotation(key string) bool { return strings.HasPrefix(key, ownDomain) }

// selector finds the pods of the component's workload, and of no other one: a
// name is unique among the workloads of a namespace.
func (p part) selector() map[string]string {
	return map[string]string{LabelName: p.name, LabelComponent: string(p.role)}
}

// podLabels puts ours over the user's, but for labelInstance, which the user may
// set.
func (p part) podLabels() map[string]string {
	labels := mergeMaps(map[string]string{labelInstance: p.NSM.Name}, users(p.NSM.Spec.PodLabels, p.spec.PodLabels))
	labels = mergeMaps(labels, p.ownLabels())
	labels[labelApp] = p.app
	labels[labelSpiffeID] = "true"
	return labels
}

// meta of a namespaced object of the component.
func (p part) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name:        name,
		Namespace:   p.NSM.Namespace,
		Labels:      p.labels(),
		Annotations: p.annotations(),
		OwnerReferences: []metav1.OwnerReference{
			*metav1.NewControllerRef(p.NSM, nsmv1beta1.GroupVersion.WithKind("NSM")),
		},
	}
}

// clusterMeta of a cluster-scoped object of the component. It has no owner
// reference, since its owner has a namespace: the finalizer removes it.
func (p part) clusterMeta() metav1.ObjectMeta { return p.clusterMetaNamed(p.clusterName()) }

func (p part) clusterMetaNamed(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Labels: p.labels(), Annotations: p.annotations()}
}

// clusterName is unique in the cluster.
func (p part) clusterName() string {
	return clusterName(p.NSM.Namespace, p.name)
}

func clusterName(namespace, name string) string { return "nsm:" + namespace + ":" + name }

// serviceAccount of the component.
func (p part) serviceAccount() *corev1.ServiceAccount {
	return &corev1.ServiceAccount{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"},
		ObjectMeta: p.meta(p.name),
	}
}

// AppliedAnnotation marks each object with what it was written from last: the hash
// of that, and, after a dot, a hash of what others made of it. internal/apply
// writes it.
const AppliedAnnotation = ownDomain + "applied"

// WrittenAtAnnotation is when a workload was first written from what it was written
// from last; internal/apply writes it.
const WrittenAtAnnotation = ownDomain + "written-at"

// SetWrittenAt sets, on a workload that is about to be written, since when that is
// what is wanted.
func SetWrittenAt(annotations map[string]string, at time.Time) {
	annotations[WrittenAtAnnotation] = at.UTC().Format(time.RFC3339)
}

// WrittenAt is since when a live workload is written from what it was written from
// last; zero where that is not known.
func WrittenAt(live metav1.Object) time.Time {
	at, err := time.Parse(time.RFC3339, live.GetAnnotations()[WrittenAtAnnotation])
	if err != nil {
		return time.Time{}
	}
	return at
}

// UpgradeAnywayAnnotation on an NSM, with a release as its value, lets the change to
// that release begin although the mesh is not healthy.
const UpgradeAnywayAnnotation = ownDomain + "upgrade-anyway"

// IsWrittenFrom reports whether a live object was written last from what has a hash.
func IsWrittenFrom(live metav1.Object, hash string) bool {
	written, _, _ := strings.Cut(live.GetAnnotations()[AppliedAnnotation], ".")
	return written == hash
}
