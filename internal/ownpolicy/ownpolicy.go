// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package ownpolicy keeps the NetworkPolicy of the operator's own pods. The operator makes
// it itself, so that each way to install it has the same one: the community's catalogs
// refuse bundles with a NetworkPolicy.
package ownpolicy

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// Name of the policy, and of the Deployment that each way to install the operator
	// makes.
	Name = "nsm-operator"

	fieldOwner = client.FieldOwner("nsm-operator")
)

// ports of the operator's pods, by their names in the Deployment, and who may reach them.
// All are open to all sources: none of these can be selected.
var ports = []struct{ name, from string }{
	{"webhooks", "the API server"},
	{"metrics", "whoever may read metrics"},
	{"probes", "the kubelet"},
}

// Policy keeps the NetworkPolicy. The rights on Deployments and NetworkPolicies are those
// that the loop needs.
type Policy struct {
	// Client of the API server.
	Client client.WithWatch
	// Namespace of the operator.
	Namespace string
	// Wanted is false to have none.
	Wanted bool
}

// Start keeps the policy until the context ends: what somebody changes or deletes is put
// right, after a pause that grows where that goes on.
func (p *Policy) Start(ctx context.Context) error {
	pauses := wait.Backoff{Duration: time.Second, Factor: 2, Jitter: 0.1, Steps: 10, Cap: 5 * time.Minute}
	err := pauses.DelayWithReset(clock.RealClock{}, 10*time.Minute).Until(ctx, true, true, func(ctx context.Context) (bool, error) {
		isDone, err := p.keep(ctx)
		if err != nil && ctx.Err() == nil {
			ctrl.Log.WithName("ownpolicy").Error(err, "The NetworkPolicy of the operator is not as it should be; trying again")
		}
		return isDone && err == nil, nil
	})
	if ctx.Err() != nil {
		return nil //nolint:nilerr // it was told to end
	}
	return err
}

// keep puts the policy right, and waits until it changes. It is done where there is
// nothing to keep: an operator outside of the cluster has no Deployment, and pods on the
// network of their node cannot be limited.
func (p *Policy) keep(ctx context.Context) (isDone bool, err error) {
	deployment := &appsv1.Deployment{}
	err = p.Client.Get(ctx, client.ObjectKey{Namespace: p.Namespace, Name: Name}, deployment)
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if !p.Wanted || deployment.Spec.Template.Spec.HostNetwork {
		return true, p.remove(ctx, deployment)
	}
	version, err := p.apply(ctx, policyOf(deployment))
	if err != nil {
		return false, err
	}
	return false, p.awaitChange(ctx, version)
}

// apply returns the resource version of what is stored then.
func (p *Policy) apply(ctx context.Context, policy *networkingv1.NetworkPolicy) (string, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(policy)
	if err != nil {
		return "", err
	}
	applied := &unstructured.Unstructured{Object: content}
	err = p.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(applied), fieldOwner, client.ForceOwnership)
	return applied.GetResourceVersion(), err
}

// awaitChange returns with the first change after a version, or when the watch ends.
func (p *Policy) awaitChange(ctx context.Context, version string) error {
	changes, err := p.Client.Watch(ctx, &networkingv1.NetworkPolicyList{},
		&client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: version}},
		client.InNamespace(p.Namespace), client.MatchingFields{"metadata.name": Name})
	if err != nil {
		return err
	}
	defer changes.Stop()
	select {
	case <-changes.ResultChan():
	case <-ctx.Done():
	}
	return nil
}

// remove deletes the policy that the operator of this Deployment has made, and no other.
func (p *Policy) remove(ctx context.Context, deployment *appsv1.Deployment) error {
	policy := &networkingv1.NetworkPolicy{}
	err := p.Client.Get(ctx, client.ObjectKey{Namespace: p.Namespace, Name: Name}, policy)
	isOurs := slices.ContainsFunc(policy.OwnerReferences, func(owner metav1.OwnerReference) bool { return owner.UID == deployment.UID })
	if err != nil || !isOurs {
		return client.IgnoreNotFound(err)
	}
	return client.IgnoreNotFound(p.Client.Delete(ctx, policy, client.Preconditions{UID: &policy.UID}))
}

// policyOf the pods of a Deployment. Whoever removes that removes the policy, too.
func policyOf(deployment *appsv1.Deployment) *networkingv1.NetworkPolicy {
	var (
		ingress []networkingv1.NetworkPolicyIngressRule
		reasons []string
	)
	for _, one := range ports {
		number := portOf(deployment, one.name)
		if number == 0 {
			continue // it does not listen there
		}
		ingress = append(ingress, networkingv1.NetworkPolicyIngressRule{Ports: []networkingv1.NetworkPolicyPort{{
			Protocol: ptr.To(corev1.ProtocolTCP), Port: ptr.To(intstr.FromInt32(number)),
		}}})
		reasons = append(reasons, fmt.Sprintf("From %s: port %d.", one.from, number))
	}
	reasons = append(reasons, "To the API server: all ports.")
	return &networkingv1.NetworkPolicy{
		TypeMeta: metav1.TypeMeta{APIVersion: networkingv1.SchemeGroupVersion.String(), Kind: "NetworkPolicy"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: deployment.Namespace, Name: Name,
			Labels:      map[string]string{"app.kubernetes.io/name": Name},
			Annotations: map[string]string{"kubernetes.io/description": strings.Join(reasons, " ")},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: appsv1.SchemeGroupVersion.String(), Kind: "Deployment", Name: deployment.Name, UID: deployment.UID,
			}},
		},
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: *deployment.Spec.Selector,
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
			Ingress:     ingress,
			// The API server cannot be selected, and the port behind its Service is not
			// known.
			Egress: []networkingv1.NetworkPolicyEgressRule{{}},
		},
	}
}

// portOf the pods with a name; 0 for none.
func portOf(deployment *appsv1.Deployment, name string) int32 {
	for _, container := range deployment.Spec.Template.Spec.Containers {
		for _, port := range container.Ports {
			if port.Name == name {
				return port.ContainerPort
			}
		}
	}
	return 0
}
