// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package olm

import (
	"context"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	operatorsv1alpha1 "github.com/operator-framework/api/pkg/operators/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

// failWithState has each failure say in what state the cluster is: who reads of it may
// see nothing but its message.
func failWithState(message string, callerSkip ...int) {
	skip := 1
	if len(callerSkip) > 0 {
		skip += callerSkip[0]
	}
	Fail(message+"\n"+clusterState(), skip)
}

// clusterState is what OLM, the operator and the meshes say about themselves. What
// cannot be read is said as well.
func clusterState() string {
	if admin == nil {
		return "there is no cluster yet"
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var text strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&text, format+"\n", args...) }
	list := func(list client.ObjectList) {
		if err := admin.List(ctx, list); err != nil {
			say("%T: %v", list, err)
		}
	}
	var namespaces corev1.NamespaceList
	list(&namespaces)
	for _, found := range namespaces.Items {
		if found.DeletionTimestamp != nil {
			say("Namespace %s is being deleted: %v", found.Name, found.Status.Conditions)
		}
	}
	var subscriptions operatorsv1alpha1.SubscriptionList
	list(&subscriptions)
	for _, found := range subscriptions.Items {
		say("Subscription %s/%s is %s: %v", found.Namespace, found.Name, found.Status.State, found.Status.Conditions)
	}
	var plans operatorsv1alpha1.InstallPlanList
	list(&plans)
	for _, found := range plans.Items {
		say("InstallPlan %s/%s for %v is %s: %s", found.Namespace, found.Name, found.Spec.ClusterServiceVersionNames, found.Status.Phase, found.Status.Message)
	}
	var csvs operatorsv1alpha1.ClusterServiceVersionList
	list(&csvs)
	for _, found := range csvs.Items {
		if !found.IsCopied() {
			say("CSV %s/%s, of %s, deleted %v, is %s: %s", found.Namespace, found.Name, found.CreationTimestamp.UTC().Format(time.TimeOnly),
				found.DeletionTimestamp, found.Status.Phase, found.Status.Message)
		}
	}
	var pods corev1.PodList
	list(&pods)
	for _, found := range pods.Items {
		if found.Labels["app.kubernetes.io/name"] == packageName {
			say("Pod %s/%s, deleted %v, is %s", found.Namespace, found.Name, found.DeletionTimestamp, found.Status.Phase)
			for _, container := range found.Status.ContainerStatuses {
				say("  ready: %t, restarts: %d, waiting: %v", container.Ready, container.RestartCount, container.State.Waiting)
			}
		}
	}
	definition := &apiextensionsv1.CustomResourceDefinition{}
	if err := admin.Get(ctx, client.ObjectKey{Name: nsmDefinition}, definition); err != nil {
		say("%s: %v", nsmDefinition, err)
	} else {
		say("%s, deleted %v, stored in %v", nsmDefinition, definition.DeletionTimestamp, definition.Status.StoredVersions)
		for _, version := range definition.Spec.Versions {
			say("  %s is served: %t", version.Name, version.Served)
		}
	}
	var meshes nsmv1beta1.NSMList
	list(&meshes)
	for _, found := range meshes.Items {
		say("NSM %s/%s, deleted %v", found.Namespace, found.Name, found.DeletionTimestamp)
		for _, condition := range found.Status.Conditions {
			say("  %s is %s, %s: %s", condition.Type, condition.Status, condition.Reason, condition.Message)
		}
	}
	say("At %s", time.Now().UTC().Format(time.TimeOnly))
	return text.String()
}
