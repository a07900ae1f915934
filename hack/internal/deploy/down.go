// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/networkservicemesh/nsm-operator/internal/installation"
)

const (
	crdNSMs = "nsms.nsm.networkservicemesh.io"
	// CSI drivers, which pods need to end.
	driverSpire = "csi.spiffe.io"
	driverNSM   = "csi.networkservicemesh.io"

	spireServer = "spire-server"
	// spireDirectory of a node has the data of SPIRE's server with SPIRE_STORAGE=hostPath.
	spireDirectory = "/var/lib/nsm-spire-server"
	// The labels of the objects of a mesh, which say whose they are.
	labelMesh          = "nsm.networkservicemesh.io/name"
	labelMeshNamespace = "nsm.networkservicemesh.io/namespace"
)

var (
	kindNamespaces         = corev1.SchemeGroupVersion.WithKind(kindNamespace)
	kindMutating           = admissionregistrationv1.SchemeGroupVersion.WithKind("MutatingWebhookConfiguration")
	kindValidating         = admissionregistrationv1.SchemeGroupVersion.WithKind("ValidatingWebhookConfiguration")
	kindClusterRole        = rbacv1.SchemeGroupVersion.WithKind("ClusterRole")
	kindClusterRoleBinding = rbacv1.SchemeGroupVersion.WithKind("ClusterRoleBinding")
	kindRole               = rbacv1.SchemeGroupVersion.WithKind("Role")
	kindRoleBinding        = rbacv1.SchemeGroupVersion.WithKind("RoleBinding")
)

// ofMeshes are the kinds of which an object may be left of a mesh whose NSM went while
// no operator ran.
var ofMeshes = []schema.GroupVersionKind{
	kindMutating,
	admissionregistrationv1.SchemeGroupVersion.WithKind("ValidatingAdmissionPolicyBinding"),
	admissionregistrationv1.SchemeGroupVersion.WithKind("ValidatingAdmissionPolicy"),
	kindClusterRoleBinding, kindClusterRole, kindRoleBinding, kindCSIDriver,
	{Group: "spire.spiffe.io", Version: "v1alpha1", Kind: "ClusterSPIFFEID"},
	{Group: "about.k8s.io", Version: "v1alpha1", Kind: "ClusterProperty"},
	{Group: "security.openshift.io", Version: "v1", Kind: "SecurityContextConstraints"},
}

// ofSpire are the kinds that SPIRE is made of, webhooks and workloads first.
var ofSpire = []schema.GroupVersionKind{
	kindValidating, kindDaemonSet, kindStatefulSet, kindCSIDriver,
	corev1.SchemeGroupVersion.WithKind("Service"), kindConfigMap, kindClaim,
	kindClusterRoleBinding, kindClusterRole, kindRoleBinding, kindRole,
	corev1.SchemeGroupVersion.WithKind("ServiceAccount"),
}

// Down removes the meshes, then the operator, then the SPIRE that was installed with it.
// It goes on from what there is, and no step takes for ever.
func Down(ctx context.Context, s *Settings) error {
	c, err := Connect(s)
	if err != nil {
		return err
	}
	m, err := render(ctx, s)
	if err != nil {
		return err
	}
	here, others, err := c.installations(ctx)
	if err != nil {
		return err
	}
	if err := c.checkVolumes(ctx, here, len(others) > 0); err != nil {
		return err
	}
	if err := c.removeMeshes(ctx, here); err != nil {
		return err
	}
	if err := c.removeOperator(ctx, m, others); err != nil {
		return err
	}
	if len(others) > 0 {
		fmt.Printf("Another operator works in namespace %s: definitions, roles, its NSMs and SPIRE stay.\n", strings.Join(others, ", "))
		return c.Remove(ctx, "namespaces", objects{named(kindNamespaces, operatorNamespace)})
	}
	if err := c.removeDefinitions(ctx, "the definitions of NSM", definitionNames(m.definitions)); err != nil {
		return err
	}
	if err := c.removeSpire(ctx); err != nil {
		return err
	}
	return c.removeNamespaces(ctx)
}

// installations are this one, and the namespaces of the others.
func (c *Cluster) installations(ctx context.Context) (here installation.Member, others []string, err error) {
	here.Namespace = operatorNamespace
	definition, err := c.find(ctx, kindCRD, "", crdNSMs)
	if definition == nil || err != nil {
		return here, nil, err
	}
	var members []installation.Member
	// Without the list, this is the only one.
	_ = json.Unmarshal([]byte(definition.GetAnnotations()[installation.Annotation]), &members)
	for _, member := range members {
		if member.Namespace == operatorNamespace {
			here = member
		} else {
			others = append(others, member.Namespace)
		}
	}
	return here, others, nil
}

// isOf reports whether an installation acts on the NSMs of a namespace.
func isOf(member *installation.Member, namespace string) bool {
	return len(member.WatchNamespaces) == 0 || slices.Contains(member.WatchNamespaces, namespace)
}

// checkVolumes stops while pods have volumes of a CSI driver that is about to go. Those of
// meshes go before SPIRE does.
func (c *Cluster) checkVolumes(ctx context.Context, here installation.Member, isShared bool) error {
	var going []string
	for name, isGoing := range map[string]func(*unstructured.Unstructured) bool{
		driverSpire: func(driver *unstructured.Unstructured) bool { return isOurs(driver) && !isShared },
		driverNSM: func(driver *unstructured.Unstructured) bool {
			return driver.GetLabels()[labelMadeBy] == operatorName && isOf(&here, driver.GetLabels()[labelMeshNamespace])
		},
	} {
		driver, err := c.find(ctx, kindCSIDriver, "", name)
		if err != nil {
			return err
		}
		if driver != nil && isGoing(driver) {
			going = append(going, name)
		}
	}
	return c.awaitVolumes(ctx, "nothing was removed", going, func(pod *corev1.Pod) bool { return !isOfMesh(pod) })
}

// awaitVolumes waits for the end of pods that have volumes of these CSI drivers, and stops
// where one does not end: without the driver it never could.
func (c *Cluster) awaitVolumes(ctx context.Context, outcome string, drivers []string, counts func(*corev1.Pod) bool) error {
	if len(drivers) == 0 {
		return nil
	}
	const advice = "these pods mount volumes of a CSI driver that would go, and would then hang in Terminating"
	var ending []string
	err := wait.PollUntilContextTimeout(ctx, 500*time.Millisecond, c.timeout, true, func(ctx context.Context) (bool, error) {
		var pods corev1.PodList
		if err := c.List(ctx, &pods); err != nil {
			return false, err
		}
		var staying []string
		ending = nil
		for i := range pods.Items {
			pod := &pods.Items[i]
			driver := driverOf(pod, drivers)
			if driver == "" || !counts(pod) {
				continue
			}
			name := fmt.Sprintf("%s/%s (%s)", pod.Namespace, pod.Name, driver)
			if pod.DeletionTimestamp != nil || isOfMesh(pod) {
				ending = append(ending, name)
			} else {
				staying = append(staying, name)
			}
		}
		if len(staying) > 0 {
			return false, fmt.Errorf("%s: %s. Delete them, or what makes them, first:\n  %s", outcome, advice, strings.Join(staying, "\n  "))
		}
		return len(ending) == 0, nil
	})
	if wait.Interrupted(err) && ctx.Err() == nil && len(ending) > 0 {
		return fmt.Errorf("%s: %s. They are ending, and are still there after %s:\n  %s", outcome, advice, c.timeout, strings.Join(ending, "\n  "))
	}
	return err
}

func isOfMesh(pod *corev1.Pod) bool { return pod.Labels[labelMadeBy] == operatorName }

// driverOf a pod is the one of these CSI drivers that it has a volume of; "" for none. One
// that has ended has none any more.
func driverOf(pod *corev1.Pod, drivers []string) string {
	if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		return ""
	}
	for _, volume := range pod.Spec.Volumes {
		if volume.CSI != nil && slices.Contains(drivers, volume.CSI.Driver) {
			return volume.CSI.Driver
		}
	}
	return ""
}

// removeMeshes deletes the NSMs that this installation acts on.
func (c *Cluster) removeMeshes(ctx context.Context, here installation.Member) error {
	nsms, err := c.list(ctx, kindNSM)
	if err != nil {
		return err
	}
	var going objects
	for i := range nsms {
		if isOf(&here, nsms[i].GetNamespace()) {
			going = append(going, &nsms[i])
		}
	}
	err = c.Remove(ctx, "meshes", going)
	if _, isLeft := errors.AsType[*leftError](err); isLeft {
		return fmt.Errorf("%w\nNothing else was removed. Their finalizer waits for the operator%s:\n"+
			"  kubectl logs -n %s deployment/%s\n"+
			"If none runs, install it again (make deploy), and then run this again", err, c.operatorState(ctx), operatorNamespace, operatorName)
	}
	return err
}

// operatorState says that the operator does not run; "" where it does.
func (c *Cluster) operatorState(ctx context.Context) string {
	deployment, err := c.find(ctx, kindDeployment, operatorNamespace, operatorName)
	if err != nil {
		return ""
	}
	if deployment == nil {
		return ", which is not installed"
	}
	if ready, _, _ := unstructured.NestedInt64(deployment.Object, "status", "readyReplicas"); ready == 0 {
		return ", of which no replica is ready"
	}
	return ""
}

// removeOperator removes what up applied, and what the operator has made itself. Beside
// another installation everything stays that both use.
func (c *Cluster) removeOperator(ctx context.Context, m *manifests, others []string) error {
	var workloads, rest objects
	for _, object := range m.operator {
		switch kind := object.GetKind(); {
		case kind == kindNamespace:
		case kind == "Deployment":
			workloads = append(workloads, object)
		case len(others) == 0 || object.GetNamespace() != "" || kind == "ClusterRoleBinding":
			rest = append(rest, object)
		}
	}
	// It would make again what is removed while it runs.
	if err := c.Remove(ctx, "the operator", workloads); err != nil {
		return err
	}
	if len(others) == 0 {
		rest = append(rest, named(kindMutating, "nsm-operator-defaults"), named(kindValidating, "nsm-operator-validation"))
		for _, kind := range ofMeshes {
			left, err := c.list(ctx, kind, client.MatchingLabels{labelMadeBy: operatorName}, client.HasLabels{labelMesh, labelMeshNamespace})
			if err != nil {
				return err
			}
			for i := range left {
				rest = append(rest, &left[i])
			}
		}
	}
	return c.Remove(ctx, "what belongs to the operator", rest)
}

// removeDefinitions removes definitions of which there is no object any more.
func (c *Cluster) removeDefinitions(ctx context.Context, what string, names []string) error {
	var going objects
	for _, name := range names {
		definition, err := c.find(ctx, kindCRD, "", name)
		if err != nil {
			return err
		}
		if definition == nil {
			continue
		}
		left, err := c.list(ctx, servedKind(definition))
		if err != nil {
			return err
		}
		if len(left) > 0 {
			fmt.Printf("%s stays: %d objects of it are left, %s for one.\n", nameOf(definition), len(left), nameOf(&left[0]))
			continue
		}
		going = append(going, definition)
	}
	return c.Remove(ctx, what, going)
}

// servedKind is a kind by which objects of a definition can be listed.
func servedKind(definition *unstructured.Unstructured) schema.GroupVersionKind {
	group, _, _ := unstructured.NestedString(definition.Object, "spec", "group")
	kind, _, _ := unstructured.NestedString(definition.Object, "spec", "names", "kind")
	versions, _, _ := unstructured.NestedSlice(definition.Object, "spec", "versions")
	served := schema.GroupVersionKind{Group: group, Kind: kind}
	for _, version := range versions {
		// What is stored needs no conversion, for which no operator may be left.
		if version, isMap := version.(map[string]any); isMap && version["storage"] == true {
			served.Version = fmt.Sprint(version["name"])
		}
	}
	return served
}

func definitionNames(definitions objects) []string {
	names := make([]string, 0, len(definitions))
	for _, definition := range definitions {
		names = append(names, definition.GetName())
	}
	return names
}

// removeSpire removes what is marked as made by up, whatever its settings were. The pods
// of meshes end after their NSMs, and others may have come meanwhile.
func (c *Cluster) removeSpire(ctx context.Context) error {
	driver, err := c.find(ctx, kindCSIDriver, "", driverSpire)
	if err != nil {
		return err
	}
	if driver != nil && isOurs(driver) {
		all := func(*corev1.Pod) bool { return true }
		if err := c.awaitVolumes(ctx, "SPIRE was not removed", []string{driverSpire}, all); err != nil {
			return err
		}
	}
	stays, err := c.staysOnNode(ctx)
	if err != nil {
		return err
	}
	var going objects
	for _, kind := range ofSpire {
		made, err := c.list(ctx, kind, client.MatchingLabels{labelMadeBy: madeByDeploy})
		if err != nil {
			return err
		}
		for i := range made {
			going = append(going, &made[i])
		}
	}
	if err := c.Remove(ctx, "SPIRE", going); err != nil {
		return err
	}
	fmt.Print(stays)
	definitions, err := c.list(ctx, kindCRD, client.MatchingLabels{labelMadeBy: madeByDeploy})
	if err != nil {
		return err
	}
	var names []string
	for i := range definitions {
		names = append(names, definitions[i].GetName())
	}
	return c.removeDefinitions(ctx, "the definitions of SPIRE", names)
}

// staysOnNode says where the data of SPIRE's server stays, with SPIRE_STORAGE=hostPath; ""
// without.
func (c *Cluster) staysOnNode(ctx context.Context) (string, error) {
	server, err := c.find(ctx, kindStatefulSet, spireNamespace, spireServer)
	if server == nil || err != nil || !isOurs(server) || server.GetAnnotations()[annotationStorage] != "hostPath" {
		return "", err
	}
	node := "its node"
	pod := &corev1.Pod{}
	switch err := c.Get(ctx, client.ObjectKey{Namespace: spireNamespace, Name: spireServer + "-0"}, pod); {
	case err == nil && pod.Spec.NodeName != "":
		node = "node " + pod.Spec.NodeName
	case client.IgnoreNotFound(err) != nil:
		return "", err
	}
	return fmt.Sprintf("The data of SPIRE's server stays in %s on %s, and of earlier ones where they ran. "+
		"A server that is scheduled there goes on with it, also with the keys of its authority. Delete it before you change the trust domain.\n", spireDirectory, node), nil
}

// removeNamespaces removes the operator's namespace, and those that up has made, unless
// there is something of somebody else in one.
func (c *Cluster) removeNamespaces(ctx context.Context) error {
	namespaces, err := c.list(ctx, kindNamespaces, client.MatchingLabels{labelMadeBy: madeByDeploy})
	if err != nil {
		return err
	}
	operators, err := c.find(ctx, kindNamespaces, "", operatorNamespace)
	if err != nil {
		return err
	}
	if operators != nil {
		namespaces = append(namespaces, *operators)
	}
	var going objects
	for i := range namespaces {
		name := namespaces[i].GetName()
		foreign, err := c.foreignIn(ctx, name)
		if err != nil {
			return err
		}
		if len(foreign) > 0 {
			fmt.Printf("Namespace %s stays: what is in it was not made here: %s.\n", name, strings.Join(foreign, ", "))
			continue
		}
		going = append(going, &namespaces[i])
	}
	return c.Remove(ctx, "namespaces", going)
}

func named(kind schema.GroupVersionKind, name string) *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(kind)
	object.SetName(name)
	return object
}
