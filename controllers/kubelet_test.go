// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// pullNodes are the nodes of the suite's kubelets.
var pullNodes = []string{"node-0", "node-1"}

// kubelets play, for workloads that have images pulled, the controllers of DaemonSets and
// Deployments and the kubelets of pullNodes. All images can be pulled, but for those that
// a spec has taken away from a node.
type kubelets struct {
	mu sync.Mutex
	// missing images, by namespace, image and node.
	missing map[[3]string]string
}

var nodes = &kubelets{missing: map[[3]string]string{}}

// lack has a node say why it cannot pull an image for a namespace; "" that it can.
func (k *kubelets) lack(namespace, image, node, why string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.missing[[3]string{namespace, image, node}] = why
}

func (k *kubelets) why(namespace, image, node string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.missing[[3]string{namespace, image, node}]
}

// mend lets a node pull an image again, which its kubelet does at its next try.
func (k *kubelets) mend(ctx context.Context, namespace, image, node string) {
	GinkgoHelper()
	k.lack(namespace, image, node, "")
	var list corev1.PodList
	Expect(admin.List(ctx, &list, client.InNamespace(namespace), client.MatchingLabels{mesh.LabelComponent: string(mesh.RoleImagePull)})).To(Succeed())
	for i := range list.Items {
		Expect(client.IgnoreNotFound(k.pull(ctx, &list.Items[i]))).To(Succeed())
	}
}

// start lets them work until the suite ends.
func (k *kubelets) start() {
	GinkgoHelper()
	pulls := cache.ByObject{Label: labels.SelectorFromSet(labels.Set{mesh.LabelComponent: string(mesh.RoleImagePull)})}
	mgr, err := ctrl.NewManager(server.Config, ctrl.Options{
		Scheme: scheme, Metrics: metricsserver.Options{BindAddress: "0"}, Controller: ctrlconfig.Controller{SkipNameValidation: ptr.To(true)},
		Cache: cache.Options{ByObject: map[client.Object]cache.ByObject{&appsv1.DaemonSet{}: pulls, &appsv1.Deployment{}: pulls, &corev1.Pod{}: pulls}},
	})
	Expect(err).NotTo(HaveOccurred())
	for _, kind := range []client.Object{&appsv1.DaemonSet{}, &appsv1.Deployment{}} {
		workloadOf := handler.EnqueueRequestsFromMapFunc(func(_ context.Context, pod client.Object) []reconcile.Request {
			if pod.GetLabels()["kind"] != mesh.KindOf(kind) {
				return nil
			}
			return []reconcile.Request{{NamespacedName: client.ObjectKey{Namespace: pod.GetNamespace(), Name: pod.GetLabels()["workload"]}}}
		})
		Expect(ctrl.NewControllerManagedBy(mgr).Named("kubelets-"+mesh.KindOf(kind)).For(kind).Watches(&corev1.Pod{}, workloadOf).
			Complete(reconcile.Func(func(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
				workload, _ := kind.DeepCopyObject().(client.Object)
				return reconcile.Result{}, k.run(ctx, request, workload)
			}))).To(Succeed())
	}
	run(mgr)
}

// run gives a workload its pods.
func (k *kubelets) run(ctx context.Context, request reconcile.Request, workload client.Object) error {
	where := map[string]bool{}
	switch err := admin.Get(ctx, request.NamespacedName, workload); {
	case err == nil:
		where = nodesOf(workload)
	case !apierrors.IsNotFound(err):
		return err
	}
	var list corev1.PodList
	if err := admin.List(ctx, &list, client.InNamespace(request.Namespace), client.MatchingLabels{"workload": request.Name}); err != nil {
		return err
	}
	var errs []error
	for i := range list.Items {
		pod := &list.Items[i]
		isCurrent := pod.Labels["generation"] == fmt.Sprint(workload.GetGeneration())
		if _, isDeployment := workload.(*appsv1.Deployment); isDeployment && isCurrent && len(where) > 0 {
			clear(where)
			continue
		}
		if where[pod.Spec.NodeName] && isCurrent {
			delete(where, pod.Spec.NodeName)
			continue
		}
		errs = append(errs, client.IgnoreNotFound(admin.Delete(ctx, pod, client.GracePeriodSeconds(0))))
	}
	for node := range where {
		errs = append(errs, k.startPod(ctx, workload, node))
	}
	if workload.GetUID() != "" {
		errs = append(errs, client.IgnoreNotFound(k.count(ctx, workload)))
	}
	return errors.Join(errs...)
}

func nodesOf(workload client.Object) map[string]bool {
	where := map[string]bool{}
	switch workload := workload.(type) {
	case *appsv1.DaemonSet:
		for _, node := range pullNodes {
			_, isNowhere := workload.Spec.Template.Spec.NodeSelector["nsm.networkservicemesh.io/no-node"]
			where[node] = !isNowhere
		}
	case *appsv1.Deployment:
		// The first one, whether it is ready or not: the pods may tolerate that.
		avoided := mesh.AvoidedNodes(workload)
		likes := slices.IndexFunc(pullNodes, func(node string) bool { return !slices.Contains(avoided, node) })
		where[pullNodes[likes]] = *workload.Spec.Replicas > 0
	}
	for node, isWanted := range where {
		if !isWanted {
			delete(where, node)
		}
	}
	return where
}

func (k *kubelets) startPod(ctx context.Context, workload client.Object, node string) error {
	template := mesh.PodTemplateOf(workload)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: workload.GetNamespace(), GenerateName: workload.GetName() + "-"}, Spec: *template.Spec.DeepCopy()}
	pod.Labels = map[string]string{
		"kind": mesh.KindOf(workload), "workload": workload.GetName(), "generation": fmt.Sprint(workload.GetGeneration()),
	}
	maps.Copy(pod.Labels, template.Labels)
	pod.Spec.NodeName = node
	if err := admin.Create(ctx, pod); err != nil {
		return err
	}
	return k.pull(ctx, pod)
}

// pull is what a kubelet does with such a pod: it pulls the image of each container, and
// does not create one.
func (k *kubelets) pull(ctx context.Context, pod *corev1.Pod) error {
	pod.Status.Phase, pod.Status.ContainerStatuses = corev1.PodPending, nil
	for _, container := range pod.Spec.Containers {
		waiting := &corev1.ContainerStateWaiting{Reason: "CreateContainerConfigError", Message: "container only-the-image-is-pulled not found"}
		if why := k.why(pod.Namespace, container.Image, pod.Spec.NodeName); why != "" {
			waiting = &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: fmt.Sprintf("Back-off pulling image %q: ErrImagePull: %s", container.Image, why)}
		}
		pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, corev1.ContainerStatus{
			Name: container.Name, Image: container.Image, State: corev1.ContainerState{Waiting: waiting},
		})
	}
	return admin.Status().Update(ctx, pod)
}

// count writes how many pods there should be.
func (k *kubelets) count(ctx context.Context, workload client.Object) error {
	switch workload := workload.(type) {
	case *appsv1.DaemonSet:
		n := int32(len(nodesOf(workload)))
		workload.Status = appsv1.DaemonSetStatus{ObservedGeneration: workload.Generation, DesiredNumberScheduled: n, CurrentNumberScheduled: n, NumberUnavailable: n}
	case *appsv1.Deployment:
		workload.Status.ObservedGeneration = workload.Generation
	}
	return admin.Status().Update(ctx, workload)
}
