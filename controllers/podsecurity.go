// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/watchfacts"
)

// The operator may not patch namespaces: whoever may, can weaken Pod Security
// everywhere. Where it shall label the namespace of a mesh, an admin binds a role
// for that to it, in that namespace.

const (
	// podSecurityRole is the ClusterRole that lets the operator label a namespace
	// (config/rbac/pod_security_role.yaml), and the name of what binds it there.
	podSecurityRole = "nsm-operator-pod-security"
	// serviceAccount of the operator.
	serviceAccount = "nsm-operator"
)

// podSecurity is what there is to know of how the namespace of a mesh lets pods
// in.
type podSecurity struct {
	namespace string
	platform  mesh.Platform
	// found are those of the namespace's labels that matter; nil where it is not
	// there, or is being deleted.
	found map[string]string
	// allowed: an admin has the operator see to the labels.
	allowed bool
}

// readPodSecurity reads how a mesh's namespace lets pods in.
func (r *NSMReconciler) readPodSecurity(ctx context.Context, nsm *nsmv1beta1.NSM, platform mesh.Platform) (podSecurity, error) {
	p := podSecurity{namespace: nsm.Namespace, platform: platform}
	owner := client.ObjectKeyFromObject(nsm)
	bindings, err := r.watcher.Facts(ctx, owner, podSecurityBindingQuery(nsm.Namespace))
	if err != nil {
		return p, err
	}
	_, p.allowed = bindings[podSecurityRole]
	namespaces, err := r.watcher.Facts(ctx, owner, namespaceQuery(nsm.Namespace))
	if err != nil {
		return p, err
	}
	if text, isThere := namespaces[nsm.Namespace]; isThere && text != namespaceTerminating {
		p.found, err = labels.ConvertSelectorToLabelsMap(text)
	}
	return p, err
}

// object is the namespace with the labels that it should have.
func (p podSecurity) object() *metav1.PartialObjectMetadata {
	return &metav1.PartialObjectMetadata{
		TypeMeta:   metav1.TypeMeta{APIVersion: corev1.SchemeGroupVersion.String(), Kind: "Namespace"},
		ObjectMeta: metav1.ObjectMeta{Name: p.namespace, Labels: mesh.AdmissionLabels(p.platform)},
	}
}

// isRight reports whether the namespace has the labels that it should have.
func (p podSecurity) isRight() bool {
	return labels.SelectorFromSet(mesh.AdmissionLabels(p.platform)).Matches(labels.Set(p.found))
}

// labelNamespace labels the namespace of a mesh. The labels have to go with the mesh, so
// the finalizer is set first. The mesh comes after the labels: without them, its pods
// would be refused.
func (r *NSMReconciler) labelNamespace(ctx context.Context, nsm *nsmv1beta1.NSM, p podSecurity) error {
	if !p.isRight() {
		if err := r.ensureFinalizer(ctx, nsm); err != nil {
			return err
		}
	}
	changes, err := r.applier.Label(ctx, p.object(), p.found)
	r.recordChanges(ctx, nsm, changes)
	if apierrors.IsForbidden(err) {
		return fmt.Errorf("%w; RoleBinding %s/%s should allow that, by binding the ClusterRole %[3]s to the ServiceAccount %[4]s/%[5]s",
			err, p.namespace, podSecurityRole, r.Namespace, serviceAccount)
	}
	return err
}

// unlabelNamespace takes off the labels that are the operator's alone. The NSM
// goes all the same where that is not allowed any more.
func (r *NSMReconciler) unlabelNamespace(ctx context.Context, nsm *nsmv1beta1.NSM) error {
	p, err := r.readPodSecurity(ctx, nsm, r.platform.now())
	if err == nil && p.allowed && len(p.found) > 0 {
		log.FromContext(ctx).Info("Taking the operator's labels off the namespace")
		err = r.applier.Unlabel(ctx, p.object())
	}
	if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) {
		log.FromContext(ctx).Info("The labels of the namespace stay", "why", err.Error())
		return nil
	}
	return err
}

// refusedPods tells which pods the namespace refuses, and the ways to let them
// in; "" where it is not known to refuse any, or the operator sees to it.
func (r *NSMReconciler) refusedPods(p podSecurity) string {
	if p.allowed || !mesh.RefusesForwarders(p.found) {
		return ""
	}
	return fmt.Sprintf("namespace %s has the label %s=%s, which refuses new pods of forwarders, and of other components that use their node. "+
		"To let them in: %s; or to have the operator set the labels: %s",
		p.namespace, mesh.LabelEnforce, p.found[mesh.LabelEnforce], labelCommand(p.namespace, p.platform), r.allowCommand(p.namespace))
}

// labelCommand lets the pods of a mesh into its namespace.
func labelCommand(namespace string, platform mesh.Platform) string {
	decisive := strings.ReplaceAll(labels.Set(mesh.DecisiveLabels(platform)).String(), ",", " ")
	return "kubectl label namespace " + namespace + " " + decisive + " --overwrite"
}

// allowCommand has the operator see to the labels of a namespace.
func (r *NSMReconciler) allowCommand(namespace string) string {
	return fmt.Sprintf("kubectl create rolebinding %[1]s --namespace %[2]s --clusterrole %[1]s --serviceaccount %[3]s:%[4]s",
		podSecurityRole, namespace, r.Namespace, serviceAccount)
}

// podSecurityQueries are what podSecurity asks.
func podSecurityQueries(namespace string) []watchfacts.Query {
	return []watchfacts.Query{podSecurityBindingQuery(namespace), namespaceQuery(namespace)}
}

// podSecurityBindingQuery watches what lets the operator label a namespace. Each
// version of it is a fact of its own: it may name another account now.
func podSecurityBindingQuery(namespace string) watchfacts.Query {
	key := types.NamespacedName{Namespace: namespace, Name: podSecurityRole}
	return metadataQuery(rbacv1.SchemeGroupVersion.WithKind("RoleBinding"), key, func(object client.Object) (watchfacts.Fact, bool) {
		return watchfacts.Fact{Value: object.GetResourceVersion()}, true
	})
}
