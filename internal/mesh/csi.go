// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

// CSIDriverName is that of NSM's driver, of which a cluster has one.
const CSIDriverName = "csi.networkservicemesh.io"

const (
	csiName = "nsm-csi"
	// csiRegistrar is Kubernetes' own sidecar, in the version of NSM's manifest.
	csiRegistrarContainer = "node-driver-registrar"
	csiRegistrarName      = "csi-node-driver-registrar"
	csiRegistrarTag       = "v2.8.0"
	csiRegistrar          = "registry.k8s.io/sig-storage/" + csiRegistrarName + ":" + csiRegistrarTag

	csiSocketVolume       = "nsm-csi-socket-dir"
	csiPodsVolume         = "mountpoint-dir"
	csiRegistrationVolume = "kubelet-plugin-registration-dir"

	// kubeletRegistrations is where drivers register, in the kubelet's directory.
	kubeletRegistrations = "/plugins_registry"
)

// kubeletPods is the directory of the node's pods. The kubelet names paths in it in
// full, so that the driver has it under the same path.
func (in Input) kubeletPods() string { return in.KubeletDirectory() + "/pods" }

// kubeletPlugin is the directory of the driver's socket.
func (in Input) kubeletPlugin() string { return in.KubeletDirectory() + "/plugins/" + CSIDriverName }

// csiDriver renders the driver through which clients reach NSM without a host
// path of their own (deployments-k8s, apps/csi-driver).
func csiDriver(in Input) []Component {
	facts := in.Release.Facts()
	if !hasCSIDriver(&in.NSM.Spec) || !facts.CSIDriver {
		return nil
	}
	spec := *in.NSM.Spec.CSIDriver
	p := part{Input: in, role: RoleCSI, name: csiName, app: csiName, spec: spec.ComponentSpec}
	template := p.podTemplate(corev1.PodSpec{
		AutomountServiceAccountToken: ptr.To(false),
		Containers:                   []corev1.Container{p.csiContainer(), p.csiRegistrarContainer(spec)},
		Volumes: []corev1.Volume{
			hostPath(nsmVolume, nsmDirectory, corev1.HostPathDirectoryOrCreate),
			hostPath(csiSocketVolume, p.kubeletPlugin(), corev1.HostPathDirectoryOrCreate),
			hostPath(csiPodsVolume, p.kubeletPods(), corev1.HostPathDirectory),
			hostPath(csiRegistrationVolume, p.KubeletDirectory()+kubeletRegistrations, corev1.HostPathDirectory),
		},
	})
	delete(template.Labels, labelSpiffeID)
	return []Component{{
		Role: p.role, Workload: p.daemonSet(template),
		Others: []Object{p.serviceAccount(), p.csiDriverObject()},
	}}
}

// MountsVolumeOf reports whether a pod has a volume of a CSI driver, which the driver has to
// unmount before the pod can go. A pod that has ended has none mounted any more, unless
// it is being deleted: the kubelet reports the end before it unmounts.
func MountsVolumeOf(driver string, pod *corev1.Pod) bool {
	hasEnded := pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
	return (!hasEnded || pod.DeletionTimestamp != nil) && slices.ContainsFunc(pod.Spec.Volumes, func(volume corev1.Volume) bool {
		return volume.CSI != nil && volume.CSI.Driver == driver
	})
}

// IsCSIDriver reports whether a workload of a mesh is the CSI driver.
func IsCSIDriver(workload Object) bool {
	return workload.GetLabels()[LabelComponent] == string(RoleCSI)
}

// CSIDriverNeeds are the objects that the driver of a mesh needs and that do not have its
// role: OpenShift lets its pods in by them.
func CSIDriverNeeds(nsm *nsmv1beta1.NSM) []Object {
	in := Input{NSM: nsm}
	scc := &unstructured.Unstructured{}
	scc.SetGroupVersionKind(SecurityContextConstraintsKind)
	scc.SetName(in.sccName(classCSI))
	return []Object{scc, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: in.sccRoleName(classCSI)}}}
}

// TakesCSIDriver reports whether another NSM has a CSI driver, or will have it, that serves
// the clients of one whose driver goes.
func TakesCSIDriver(other, going *nsmv1beta1.NSM) bool {
	return other.UID != going.UID && other.DeletionTimestamp == nil && hasCSIDriver(&other.Spec) &&
		(going.DeletionTimestamp != nil || Conflict(going, other) == "")
}

// hasCSIDriver reports whether a mesh is to have the driver, in a release that has one.
func hasCSIDriver(spec *nsmv1beta1.NSMSpec) bool {
	return spec.CSIDriver != nil && ManagersEnabled(spec)
}

func (p part) csiDriverObject() *storagev1.CSIDriver {
	meta := p.clusterMeta()
	meta.Name = CSIDriverName
	// Without it OpenShift takes every volume of the driver for privileged.
	meta.Labels["security.openshift.io/csi-ephemeral-volume-profile"] = "restricted"
	return &storagev1.CSIDriver{
		TypeMeta:   metav1.TypeMeta{APIVersion: storagev1.SchemeGroupVersion.String(), Kind: "CSIDriver"},
		ObjectMeta: meta,
		Spec: storagev1.CSIDriverSpec{
			AttachRequired:       ptr.To(false),
			PodInfoOnMount:       ptr.To(true),
			FSGroupPolicy:        ptr.To(storagev1.NoneFSGroupPolicy),
			VolumeLifecycleModes: []storagev1.VolumeLifecycleMode{storagev1.VolumeLifecycleEphemeral},
		},
	}
}

func (p part) csiContainer() corev1.Container {
	container := p.container("nsm-csi-driver", "cmd-csi-driver", p.spec.ContainerSpec, release.Container{})
	container.Env = mergeEnv([]corev1.EnvVar{
		fieldEnv("NSM_NODE_NAME", "spec.nodeName"),
		{Name: "NSM_SOCKET_DIR", Value: "/nsm-socket"},
		{Name: "NSM_CSI_SOCKET_PATH", Value: "/nsm-csi/csi.sock"},
		{Name: "NSM_VERSION", Value: "cmd-csi-driver:" + p.Release.String()},
	}, p.spec.Env)
	container.VolumeMounts = []corev1.VolumeMount{
		{Name: nsmVolume, MountPath: "/nsm-socket", ReadOnly: true},
		{Name: csiSocketVolume, MountPath: "/nsm-csi"},
		{Name: csiPodsVolume, MountPath: p.kubeletPods(), MountPropagation: ptr.To(corev1.MountPropagationBidirectional)},
	}
	// Mounts that must be seen outside of the container need it.
	container.SecurityContext = &corev1.SecurityContext{Privileged: ptr.To(true)}
	return container
}

func (p part) csiRegistrarContainer(spec nsmv1beta1.CSIDriverSpec) corev1.Container {
	user := ptr.Deref(spec.Registrar, nsmv1beta1.ContainerSpec{})
	return corev1.Container{
		Name:            csiRegistrarContainer,
		Image:           cmp.Or(user.Image, p.redirected(csiRegistrarName, csiRegistrarTag, p.RelatedImages[csiRegistrarName], csiRegistrar)),
		ImagePullPolicy: p.pullPolicy(),
		Args: []string{
			"-csi-address", "/nsm-csi/csi.sock",
			"-kubelet-registration-path", p.kubeletPlugin() + "/csi.sock",
		},
		Env:       mergeEnv(nil, user.Env),
		Resources: Resources(Defaults(csiRegistrarName, release.Container{}), user.Resources),
		VolumeMounts: []corev1.VolumeMount{
			{Name: csiSocketVolume, MountPath: "/nsm-csi"},
			{Name: csiRegistrationVolume, MountPath: "/registration"},
		},
		SecurityContext: confined(),
	}
}
