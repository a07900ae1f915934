// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

// Labels of every object that the operator makes.
const (
	LabelName      = "app.kubernetes.io/name"
	LabelInstance  = "app.kubernetes.io/instance"
	LabelComponent = "app.kubernetes.io/component"
	LabelPartOf    = "app.kubernetes.io/part-of"
	LabelManagedBy = "app.kubernetes.io/managed-by"
	LabelVersion   = "app.kubernetes.io/version"
	// LabelNamespace is the namespace of the NSM; together with LabelInstance it
	// tells whose a cluster-scoped object is.
	LabelNamespace = "nsm.networkservicemesh.io/namespace"

	// ManagedBy is the value of LabelManagedBy on all that the operator makes.
	ManagedBy = "nsm-operator"
	// PartOf is the value of LabelPartOf.
	PartOf = "network-service-mesh"

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
		LabelInstance:  nsm.Name,
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
}

// labels of the component's objects.
func (p part) labels() map[string]string {
	labels := OwnerLabels(p.NSM)
	labels[LabelName] = p.name
	labels[LabelComponent] = string(p.role)
	labels[LabelPartOf] = PartOf
	labels[LabelVersion] = p.Release.String()
	return labels
}

// selector finds the pods of the component's workload, and of no other one: a
// name is unique among the workloads of a namespace.
func (p part) selector() map[string]string {
	return map[string]string{LabelName: p.name, LabelComponent: string(p.role)}
}

// podLabels puts ours over the user's.
func (p part) podLabels(user map[string]string) map[string]string {
	labels := mergeMaps(user, p.labels())
	labels[labelApp] = p.app
	labels[labelSpiffeID] = "true"
	return labels
}

// meta of a namespaced object of the component.
func (p part) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name:      name,
		Namespace: p.NSM.Namespace,
		Labels:    p.labels(),
		OwnerReferences: []metav1.OwnerReference{
			*metav1.NewControllerRef(p.NSM, nsmv1beta1.GroupVersion.WithKind("NSM")),
		},
	}
}

// clusterMeta of a cluster-scoped object of the component. It has no owner
// reference, since its owner has a namespace: the finalizer removes it.
func (p part) clusterMeta() metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: p.clusterName(), Labels: p.labels()}
}

// clusterName is unique in the cluster.
func (p part) clusterName() string {
	return "nsm:" + p.NSM.Namespace + ":" + p.name
}

// serviceAccount of the component.
func (p part) serviceAccount() *corev1.ServiceAccount {
	return &corev1.ServiceAccount{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"},
		ObjectMeta: p.meta(p.name),
	}
}
