// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// somebody changes objects that are not his. Of what he owned of them only fields are
// left that the API server fills in, where it does.
const somebody = "somebody"

// drive does for the pods of a mesh what Kubernetes would: each workload that has
// changed comes up, on one node, unless its image is missing.
func drive(ctx context.Context, nsm *nsmv1beta1.NSM) {
	GinkgoHelper()
	var daemonSets appsv1.DaemonSetList
	Expect(admin.List(ctx, &daemonSets, client.InNamespace(nsm.Namespace))).To(Succeed())
	for i := range daemonSets.Items {
		one := &daemonSets.Items[i]
		status := one.Status
		if mesh.IsImagePull(one) {
			continue
		}
		isForwarder := one.Labels[mesh.LabelComponent] == string(mesh.RoleForwarder)
		if isForwarder && !isMissing(one.Spec.Template) && renewals.isDue(one) && registersIn(ctx, nsm) {
			newForwarder(ctx, nsm, one.Name, 0)
			register(ctx, nsm, forwarderPod(one.Name, 0), longLife)
		}
		if isMissing(one.Spec.Template) || status.ObservedGeneration == one.Generation && status.NumberReady == 1 {
			continue
		}
		one.Status = appsv1.DaemonSetStatus{
			ObservedGeneration: one.Generation, DesiredNumberScheduled: 1, CurrentNumberScheduled: 1,
			UpdatedNumberScheduled: 1, NumberReady: 1, NumberAvailable: 1,
		}
		// If it has changed meanwhile, it comes up the next time.
		_ = admin.Status().Update(ctx, one)
	}
	var deployments appsv1.DeploymentList
	Expect(admin.List(ctx, &deployments, client.InNamespace(nsm.Namespace))).To(Succeed())
	for i := range deployments.Items {
		one := &deployments.Items[i]
		wanted := *one.Spec.Replicas
		status := one.Status
		if mesh.IsImagePull(one) || isMissing(one.Spec.Template) || status.ObservedGeneration == one.Generation && status.ReadyReplicas == wanted {
			continue
		}
		one.Status = appsv1.DeploymentStatus{
			ObservedGeneration: one.Generation, Replicas: wanted, UpdatedReplicas: wanted, ReadyReplicas: wanted, AvailableReplicas: wanted,
		}
		_ = admin.Status().Update(ctx, one)
	}
}

// renewals are when forwarders' entries were renewed last, by the DaemonSets' UIDs and
// generations.
type renewed map[string]time.Time

var renewals = renewed{}

// isDue reports whether the entries of a forwarder's pods are to be renewed, and takes
// that for done. NSM renews them every 40 seconds.
func (r renewed) isDue(daemonSet *appsv1.DaemonSet) bool {
	key := fmt.Sprintf("%s/%d", daemonSet.UID, daemonSet.Generation)
	if time.Since(r[key]) < 20*time.Second {
		return false
	}
	r[key] = time.Now()
	return true
}

func isMissing(template corev1.PodTemplateSpec) bool {
	return strings.Contains(template.Spec.Containers[0].Image, "missing")
}

// registersIn reports whether forwarders' entries can be seen.
func registersIn(ctx context.Context, nsm *nsmv1beta1.NSM) bool {
	GinkgoHelper()
	now := &nsmv1beta1.NSM{}
	err := admin.Get(ctx, client.ObjectKeyFromObject(nsm), now)
	return err == nil && now.DeletionTimestamp == nil && (now.Spec.Registry == nil || now.Spec.Registry.Type != nsmv1beta1.RegistryTypeMemory)
}

// stateOf is all that there is of a mesh on a platform, by kind and name, without what differs
// between two meshes of one spec: names of namespaces, UIDs, times, versions, keys, and
// what Kubernetes itself writes.
func stateOf(ctx context.Context, platform mesh.Platform, nsm *nsmv1beta1.NSM) map[string]string {
	GinkgoHelper()
	state := map[string]string{}
	add := func(name string, object map[string]any) {
		state[name] = strings.ReplaceAll(asJSON(object), nsm.Namespace, "NAMESPACE")
	}
	isNSMGone := isGone(ctx, nsm)
	for _, object := range allOf(ctx, platform, nsm) {
		add(strings.ReplaceAll(nameOf(object), nsm.Namespace, "NAMESPACE"), normalized(object, nsm))
	}
	if entries := entriesIn(ctx, nsm.Namespace); entries > 0 {
		state["entries of the registry"] = asJSON(entries)
	}
	if labels := podSecurityLabels(labelsOf(ctx, nsm.Namespace)()); len(labels) > 0 {
		state["labels of the namespace"] = asJSON(labels)
	}
	if !isNSMGone {
		now := reread(ctx, nsm)
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(now)
		Expect(err).NotTo(HaveOccurred())
		add("NSM", map[string]any{"finalizers": now.Finalizers, "status": normalizedStatus(content)})
	}
	return state
}

// notOfKubernetes leaves out the hundred roles and bindings that every API server makes
// for itself.
var notOfKubernetes = &client.ListOptions{Raw: &metav1.ListOptions{LabelSelector: "!kubernetes.io/bootstrapping"}}

// allOf a mesh on a platform is what there is of it, whoever has made it.
func allOf(ctx context.Context, platform mesh.Platform, nsm *nsmv1beta1.NSM) []*unstructured.Unstructured {
	GinkgoHelper()
	var all []*unstructured.Unstructured
	for _, kind := range mesh.KindsOn(platform) {
		gvk, err := apiutil.GVKForObject(kind, scheme)
		Expect(err).NotTo(HaveOccurred())
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(gvk)
		Expect(admin.List(ctx, list, notOfKubernetes)).To(Succeed())
		for i := range list.Items {
			if object := &list.Items[i]; isOfMesh(object, nsm) {
				all = append(all, object)
			}
		}
	}
	return all
}

// isOfMesh reports whether an object is in the mesh's namespace, and not there in every
// one, or has the mesh's labels.
func isOfMesh(object *unstructured.Unstructured, nsm *nsmv1beta1.NSM) bool {
	labels := object.GetLabels()
	if labels[mesh.LabelNSM] == nsm.Name && labels[mesh.LabelNamespace] == nsm.Namespace {
		return true
	}
	switch object.GetName() {
	case "default", "kube-root-ca.crt", podSecurityRole:
		return false
	default:
		return object.GetNamespace() == nsm.Namespace || strings.Contains(object.GetName(), nsm.Namespace)
	}
}

// podSecurityLabels are those of a namespace's labels that let privileged pods in.
func podSecurityLabels(labels map[string]string) []string {
	var found []string
	for key, value := range labels {
		if strings.HasPrefix(key, "pod-security.kubernetes.io/") || strings.HasPrefix(key, "security.openshift.io/") {
			found = append(found, key+"="+value)
		}
	}
	slices.Sort(found)
	return found
}

// normalized is an object without what differs between two of one intent.
func normalized(object *unstructured.Unstructured, nsm *nsmv1beta1.NSM) map[string]any {
	GinkgoHelper()
	// Who owns what, of all that is not a status, in one order.
	var owners []string
	for _, entry := range object.GetManagedFields() {
		if entry.Subresource == "" && entry.Manager != somebody {
			fields := strings.ReplaceAll(entry.FieldsV1.GetRawString(), string(nsm.UID), "UID")
			owners = append(owners, entry.Manager+" "+string(entry.Operation)+" "+fields)
		}
	}
	slices.Sort(owners)
	for _, owner := range object.GetOwnerReferences() {
		Expect(owner.UID).To(Equal(nsm.UID), nameOf(object)+" has an owner that is there")
	}
	annotations := object.GetAnnotations()
	for _, moving := range []string{mesh.AppliedAnnotation, writtenAt, appsv1.DeprecatedTemplateGeneration} {
		delete(annotations, moving)
	}
	for key, value := range annotations {
		annotations[key] = strings.ReplaceAll(value, string(nsm.UID), "UID")
	}
	content := map[string]any{
		"labels": object.GetLabels(), "annotations": annotations, "finalizers": object.GetFinalizers(), "owners": owners,
	}
	for field, value := range object.Object {
		switch field {
		case "metadata", "status":
		case "data":
			if object.GetKind() == "Secret" {
				value = len(value.(map[string]any))
			}
			content[field] = value
		default:
			content[field] = withoutMoving(value)
		}
	}
	return content
}

// withoutMoving takes out of a value what is another one in each mesh.
func withoutMoving(value any) any {
	switch value := value.(type) {
	case map[string]any:
		kept := map[string]any{}
		for key, inner := range value {
			switch key {
			case "clusterIP", "clusterIPs", "healthCheckNodePort", "nodePort", "caBundle", "nsm.networkservicemesh.io/certificate":
			default:
				kept[key] = withoutMoving(inner)
			}
		}
		return kept
	case []any:
		kept := make([]any, 0, len(value))
		for _, inner := range value {
			kept = append(kept, withoutMoving(inner))
		}
		return kept
	default:
		return value
	}
}

// overdue is the part of a message that says what was waited for, and why, when there
// was no more time: that is chance.
var overdue = regexp.MustCompile(`(progressDeadline, [^:]*): .*(; NSM )`)

// normalizedStatus is the status of an NSM without times.
func normalizedStatus(nsm map[string]any) map[string]any {
	GinkgoHelper()
	status, _, err := unstructured.NestedMap(nsm, "status")
	Expect(err).NotTo(HaveOccurred())
	delete(status, "observedGeneration")
	conditions := map[string]any{}
	list, _, err := unstructured.NestedSlice(status, "conditions")
	Expect(err).NotTo(HaveOccurred())
	for _, item := range list {
		condition, ok := item.(map[string]any)
		Expect(ok).To(BeTrue())
		message, ok := condition["message"].(string)
		Expect(ok).To(BeTrue())
		kind, ok := condition["type"].(string)
		Expect(ok).To(BeTrue())
		conditions[kind] = []any{condition["status"], condition["reason"], overdue.ReplaceAllString(message, "$1$2")}
	}
	status["conditions"] = conditions
	return status
}
