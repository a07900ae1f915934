// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package deploy

import (
	"context"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Up installs everything, each step after what it needs is ready. It may be called
// again at any time.
func Up(ctx context.Context, s *Settings) error {
	c, err := Connect(s)
	if err != nil {
		return err
	}
	if err := c.checkVersion(); err != nil {
		return err
	}
	if err := c.findKubelets(ctx, s); err != nil {
		return err
	}
	m, err := render(ctx, s)
	if err != nil {
		return err
	}
	if err := c.preflight(ctx, s); err != nil {
		return err
	}
	if err := c.stopEarlierOperator(ctx); err != nil {
		return err
	}
	var total counts
	if s.Spire == spireLab {
		fmt.Printf("SPIRE's data, with SPIRE_STORAGE=%s: %s.\n", s.Storage, s.loses())
		if err := c.installSpire(ctx, &total, m); err != nil {
			return err
		}
	}
	if err := c.installOperator(ctx, &total, m, s.Namespace); err != nil {
		return err
	}
	if s.Spire == spireLab && s.Federation {
		fmt.Printf("Other trust domains fetch the bundle of %s from port 8443 of the load balancer of Service spire/spire-federation: docs/spire.md says how to tell them.\n", s.TrustDomain)
	}
	fmt.Printf("Objects: %s.\n", total)
	fmt.Printf("The operator is ready for a mesh in namespace %s. The directory config/samples has examples.\n", s.Namespace)
	return nil
}

// stopEarlierOperator: a release that runs beside its mesh would act on the same NSMs.
// What it has made goes on without it.
func (c *Cluster) stopEarlierOperator(ctx context.Context) error {
	var deployments appsv1.DeploymentList
	err := c.List(ctx, &deployments, client.MatchingFields{"metadata.name": operatorName}, client.MatchingLabels{"control-plane": operatorName})
	if err != nil {
		return err
	}
	for i := range deployments.Items {
		earlier := &deployments.Items[i]
		if earlier.Labels["app.kubernetes.io/name"] == operatorName {
			continue
		}
		object := &unstructured.Unstructured{}
		object.SetGroupVersionKind(kindDeployment)
		object.SetNamespace(earlier.Namespace)
		object.SetName(earlier.Name)
		if err := c.Remove(ctx, "the earlier operator", objects{object}); err != nil {
			return err
		}
		fmt.Printf("The earlier operator in namespace %s is stopped; its mesh runs on, and is taken over. "+
			"docs/upgrading.md says what else is left of it.\n", earlier.Namespace)
	}
	return nil
}

func (c *Cluster) installSpire(ctx context.Context, total *counts, m *manifests) error {
	if err := c.installDefinitions(ctx, total, "the definitions of SPIRE", m.spireDefinitions); err != nil {
		return err
	}
	if err := c.apply(ctx, total, m.spire); err != nil {
		return err
	}
	if err := c.Await(ctx, "SPIRE's server", c.workloads(m.spire)); err != nil {
		return err
	}
	// Before that, agents would only fail.
	if err := c.Await(ctx, "the certificates of SPIRE's server", c.bundle); err != nil {
		return err
	}
	if err := c.apply(ctx, total, m.spireAgents); err != nil {
		return err
	}
	if err := c.Await(ctx, "SPIRE's agents", c.workloads(m.spireAgents)); err != nil {
		return err
	}
	return c.Await(ctx, "the webhook of SPIRE's controller manager", c.registersIdentities)
}

func (c *Cluster) installOperator(ctx context.Context, total *counts, m *manifests, namespace string) error {
	if err := c.installDefinitions(ctx, total, "the definitions of NSM", m.definitions); err != nil {
		return err
	}
	for _, object := range m.mesh {
		there, err := c.find(ctx, object.GroupVersionKind(), object.GetNamespace(), object.GetName())
		if err != nil {
			return err
		}
		if object.GetKind() == kindNamespace && there != nil && !isOurs(there) {
			continue // somebody else's, who may have labelled it for good reasons
		}
		if err := c.apply(ctx, total, objects{object}); err != nil {
			return err
		}
	}
	if err := c.apply(ctx, total, m.operator); err != nil {
		return err
	}
	if err := c.Await(ctx, "the operator", c.workloads(m.operator)); err != nil {
		return err
	}
	return c.Await(ctx, "NSMs in both versions", func(ctx context.Context) (string, error) { return c.takesNSMs(ctx, namespace) })
}

// installDefinitions applies definitions, but for those of SPIRE that somebody else has
// installed, and waits until their kinds are served.
func (c *Cluster) installDefinitions(ctx context.Context, total *counts, what string, definitions objects) error {
	for _, definition := range definitions {
		there, err := c.find(ctx, kindCRD, "", definition.GetName())
		if err != nil {
			return err
		}
		if isOurs(definition) && there != nil && !isOurs(there) {
			fmt.Printf("%s was installed by somebody else, and stays as it is.\n", nameOf(there))
			continue
		}
		if err := c.apply(ctx, total, objects{definition}); err != nil {
			return err
		}
	}
	return c.Await(ctx, what, c.workloads(definitions))
}

// workloads says which of the objects have not come up, and why.
func (c *Cluster) workloads(all objects) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		var missing []string
		for _, object := range all {
			switch object.GetKind() {
			case "Deployment", "StatefulSet", "DaemonSet", kindDefinition:
			default:
				continue
			}
			there, err := c.find(ctx, object.GroupVersionKind(), object.GetNamespace(), object.GetName())
			if err != nil {
				return "", err
			}
			if there == nil {
				missing = append(missing, nameOf(object)+" is gone")
				continue
			}
			result, err := status.Compute(there)
			if err != nil {
				return "", err
			}
			if result.Status != status.CurrentStatus {
				missing = append(missing, nameOf(there)+": "+result.Message+c.whyPodsWait(ctx, there))
			}
		}
		return strings.Join(missing, "; "), nil
	}
}

// whyPodsWait is the first thing that a pod of a workload says; "" for nothing.
func (c *Cluster) whyPodsWait(ctx context.Context, workload *unstructured.Unstructured) string {
	selector, found, _ := unstructured.NestedStringMap(workload.Object, "spec", "selector", "matchLabels")
	if !found {
		return ""
	}
	var pods corev1.PodList
	if err := c.List(ctx, &pods, client.InNamespace(workload.GetNamespace()), client.MatchingLabels(selector)); err != nil {
		return ""
	}
	for i := range pods.Items {
		if why := whyPodWaits(&pods.Items[i]); why != "" {
			return fmt.Sprintf(" (pod %s: %s)", pods.Items[i].Name, why)
		}
	}
	return ""
}

func whyPodWaits(pod *corev1.Pod) string {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			return condition.Message
		}
	}
	for _, container := range append(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses...) {
		if waiting := container.State.Waiting; waiting != nil && waiting.Message != "" {
			return container.Name + ": " + waiting.Reason + ": " + waiting.Message
		}
	}
	return ""
}

// bundle waits for what agents trust the server by.
func (c *Cluster) bundle(ctx context.Context) (string, error) {
	there, err := c.find(ctx, kindConfigMap, spireNamespace, "spire-bundle")
	if err != nil {
		return "", err
	}
	if there != nil {
		if certificates, _, _ := unstructured.NestedString(there.Object, "data", "bundle.pem"); certificates != "" {
			return "", nil
		}
	}
	return "the server has not written ConfigMap spire/spire-bundle yet", nil
}

// registersIdentities tries a ClusterSPIFFEID, as meshes make them. Nothing is stored.
func (c *Cluster) registersIdentities(ctx context.Context) (string, error) {
	identity := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"spiffeIDTemplate": "spiffe://{{ .TrustDomain }}/ns/{{ .PodMeta.Namespace }}/pod/{{ .PodMeta.Name }}",
	}}}
	identity.SetGroupVersionKind(schema.GroupVersionKind{Group: "spire.spiffe.io", Version: "v1alpha1", Kind: "ClusterSPIFFEID"})
	identity.SetName("nsm-deploy-tries")
	return c.tries(ctx, identity), nil
}

// takesNSMs tries an NSM in each version: through conversion, defaulting and validation.
func (c *Cluster) takesNSMs(ctx context.Context, namespace string) (string, error) {
	there, err := c.list(ctx, kindNSM)
	if err != nil {
		return "", err
	}
	for _, version := range []string{"v1alpha1", "v1beta1"} {
		nsm := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{}}}
		nsm.SetGroupVersionKind(kindNSM.GroupKind().WithVersion(version))
		nsm.SetNamespace(namespace)
		nsm.SetName("nsm-deploy-tries")
		problem := c.tries(ctx, nsm)
		// Beside a mesh another one may be refused, which takes the same webhooks.
		isRefused := strings.Contains(problem, "admission webhook") && strings.Contains(problem, "denied the request")
		if problem != "" && (len(there) == 0 || !isRefused) {
			return problem, nil
		}
	}
	return "", nil
}

// tries to create an object without storing it, and returns what is said against it.
func (c *Cluster) tries(ctx context.Context, object *unstructured.Unstructured) string {
	err := c.Create(ctx, object, client.DryRunAll, fieldOwner)
	if err == nil || apierrors.IsAlreadyExists(err) {
		return ""
	}
	return err.Error()
}
