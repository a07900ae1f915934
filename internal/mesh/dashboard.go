// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh

import (
	"cmp"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

const (
	dashboardName = "dashboard"

	// DashboardBackend is the name of the container and of the Service that tell of live
	// connections.
	DashboardBackend     = "dashboard-backend"
	dashboardBackendPort = 3001

	dashboardUIName      = "dashboard-ui"
	dashboardUIImage     = "cmd-dashboard-ui"
	dashboardUIPort      = 3000
	dashboardUIVolume    = "ui"
	dashboardUIDirectory = "/app"
	dashboardCopyName    = "dashboard-ui-files"
	dashboardUICopy      = "/copy"

	temporaryVolume    = "tmp"
	temporaryDirectory = "/tmp"
)

// dashboard renders NSM's dashboard (apps/dashboard, a bare pod there).
func dashboard(in Input) []Component {
	facts := in.Release.Facts()
	if in.NSM.Spec.Dashboard == nil || !facts.DashboardBackend.Exists() {
		return nil
	}
	spec := *in.NSM.Spec.Dashboard
	p := part{Input: in, role: RoleDashboard, name: dashboardName, app: dashboardName, spec: spec.ComponentSpec}
	ui := p.dashboardUIContainer(spec)
	template := p.podTemplate(corev1.PodSpec{
		AutomountServiceAccountToken: ptr.To(false),
		SecurityContext:              p.nonRootUser(),
		InitContainers:               []corev1.Container{dashboardCopyContainer(ui)},
		Containers:                   []corev1.Container{p.dashboardBackendContainer(facts), ui},
		Volumes:                      []corev1.Volume{p.spireVolume(), emptyDir(dashboardUIVolume), emptyDir(temporaryVolume)},
	})
	return []Component{{Role: p.role, Workload: p.deployment(template), Others: []Object{
		p.serviceAccount(),
		p.dashboardService(spec, DashboardBackend, dashboardBackendPort),
		p.dashboardService(spec, dashboardUIName, dashboardUIPort),
	}}}
}

func (p part) dashboardService(spec nsmv1beta1.DashboardSpec, name string, port int32) *corev1.Service {
	service := p.service(port, cmp.Or(spec.ServiceType, corev1.ServiceTypeClusterIP))
	service.Name = name
	service.Spec.Ports[0].Name = "http"
	service.Annotations = mergeMaps(service.Annotations, users(spec.ServiceAnnotations))
	return service
}

func (p part) dashboardBackendContainer(facts release.Facts) corev1.Container {
	container := p.container(DashboardBackend, "cmd-dashboard-backend", p.spec.ContainerSpec, facts.DashboardBackend)
	env := []corev1.EnvVar{p.spireEnv(), {Name: "NSM_REGISTRY_URL", Value: "registry:5002"}}
	env = append(env, p.pprofEnvOnRequest(facts)...)
	container.Env = mergeEnv(env, p.spec.Env)
	container.Ports = []corev1.ContainerPort{{ContainerPort: dashboardBackendPort, Protocol: corev1.ProtocolTCP}}
	container.VolumeMounts = []corev1.VolumeMount{p.spireMount()}
	container.SecurityContext = confined()
	// It serves once it has an identity (cmd-dashboard-backend, main.go).
	container.ReadinessProbe = httpGet("/nodes", dashboardBackendPort)
	return container
}

// dashboardUIContainer runs the UI from a copy of its files. The program is a
// development server that writes beside them (cmd-dashboard-ui, Dockerfile and
// vite.config.ts), where only root may write in the image.
func (p part) dashboardUIContainer(spec nsmv1beta1.DashboardSpec) corev1.Container {
	user := ptr.Deref(spec.UI, nsmv1beta1.ContainerSpec{})
	container := p.container(dashboardUIName, dashboardUIImage, user, release.Container{})
	container.Env = mergeEnv([]corev1.EnvVar{
		{Name: "POLLING_INTERVAL_SECONDS", Value: strconv.Itoa(int(ptr.Deref(spec.PollingIntervalSeconds, 1)))},
		// As the browser sees it, not the pod; the backend answers the UI under
		// http://localhost:3000 alone (cmd-dashboard-backend, main.go).
		{Name: "DASHBOARD_BACKEND_URL", Value: "http://localhost:3001"},
		// For npm, which keeps a log there.
		{Name: "HOME", Value: temporaryDirectory},
	}, user.Env)
	container.Ports = []corev1.ContainerPort{{ContainerPort: dashboardUIPort, Protocol: corev1.ProtocolTCP}}
	container.VolumeMounts = []corev1.VolumeMount{
		{Name: dashboardUIVolume, MountPath: dashboardUIDirectory}, {Name: temporaryVolume, MountPath: temporaryDirectory},
	}
	container.SecurityContext = confined()
	container.ReadinessProbe = httpGet("/", dashboardUIPort)
	return container
}

// dashboardCopyContainer copies the files of the UI out of its image.
func dashboardCopyContainer(ui corev1.Container) corev1.Container {
	return corev1.Container{
		Name: dashboardCopyName, Image: ui.Image, ImagePullPolicy: ui.ImagePullPolicy, Resources: ui.Resources,
		Command:         []string{"cp", "-R", dashboardUIDirectory + "/.", dashboardUICopy},
		VolumeMounts:    []corev1.VolumeMount{{Name: dashboardUIVolume, MountPath: dashboardUICopy}},
		SecurityContext: confined(),
	}
}

func emptyDir(name string) corev1.Volume {
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}
}

func httpGet(path string, port int32) *corev1.Probe {
	return &corev1.Probe{
		PeriodSeconds: 2,
		ProbeHandler:  corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromInt32(port), Scheme: corev1.URISchemeHTTP}},
	}
}
