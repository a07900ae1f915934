// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package webhooks

import (
	"github.com/distribution/reference"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

// validateContainers checks what a spec says about single containers: image
// references, and requests within limits.
func validateContainers(spec *nsmv1beta1.NSMSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, container := range containers(spec, path) {
		errs = append(errs, validateImage(container.path.Child("image"), container.spec.Image)...)
		errs = append(errs, validateResources(container.path.Child("resources"), container)...)
	}
	if webhook := spec.AdmissionWebhook; webhook != nil && webhook.Client != nil {
		client := path.Child("admissionWebhook", "client")
		errs = append(errs, validateImage(client.Child("image"), webhook.Client.Image)...)
		errs = append(errs, validateImage(client.Child("initImage"), webhook.Client.InitImage)...)
	}
	return errs
}

func validateImage(path *field.Path, image string) field.ErrorList {
	if image == "" {
		return nil
	}
	if _, err := reference.ParseNormalizedNamed(image); err != nil {
		return field.ErrorList{field.Invalid(path, image,
			"must be an image reference such as ghcr.io/networkservicemesh/cmd-nsmgr:v1.18.0: "+err.Error())}
	}
	return nil
}

// validateResources refuses a request above the limit that would hold, which
// may be the one that NSM publishes.
func validateResources(path *field.Path, container containerAt) field.ErrorList {
	var errs field.ErrorList
	effective := mesh.Resources(container.published, container.spec.Resources)
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		request, requested := effective.Requests[name]
		limit, limited := effective.Limits[name]
		if requested && limited && request.Cmp(limit) > 0 {
			errs = append(errs, field.Invalid(path.Child("requests").Key(string(name)), request.String(),
				"must be at most the limit, which is "+limit.String()+"; "+path.Child("limits").Key(string(name)).String()+" raises it"))
		}
	}
	return errs
}

// containerAt is a container's spec, where it stands, and what NSM publishes
// for it.
type containerAt struct {
	path      *field.Path
	spec      *nsmv1beta1.ContainerSpec
	published release.Container
}

// containers lists the containers that a spec tells about.
func containers(spec *nsmv1beta1.NSMSpec, path *field.Path) []containerAt {
	facts := factsOf(spec)
	var all []containerAt
	add := func(path *field.Path, container *nsmv1beta1.ContainerSpec, published release.Container) {
		all = append(all, containerAt{path, container, published})
	}
	if spec.Registry != nil {
		published := facts.RegistryK8s
		if spec.Registry.Type == nsmv1beta1.RegistryTypeMemory {
			published = facts.RegistryMemory
		}
		add(path.Child("registry"), &spec.Registry.ContainerSpec, published)
	}
	if spec.Nsmgr != nil {
		add(path.Child("nsmgr"), &spec.Nsmgr.ContainerSpec, facts.Nsmgr)
		if spec.Nsmgr.ExcludePrefixes != nil {
			add(path.Child("nsmgr", "excludePrefixes"), spec.Nsmgr.ExcludePrefixes, facts.ExcludePrefixes)
		}
	}
	for i := range spec.Forwarders {
		forwarder := &spec.Forwarders[i]
		published := map[nsmv1beta1.ForwarderType]release.Container{
			nsmv1beta1.ForwarderTypeVPP:   facts.VPP,
			nsmv1beta1.ForwarderTypeOVS:   mesh.Defaults("cmd-forwarder-ovs", facts.OVS),
			nsmv1beta1.ForwarderTypeSRIOV: facts.SRIOV,
		}[forwarder.Type]
		add(path.Child("forwarders").Index(i), &forwarder.ContainerSpec, published)
	}
	if spec.AdmissionWebhook != nil {
		add(path.Child("admissionWebhook"), &spec.AdmissionWebhook.ContainerSpec, mesh.Defaults("cmd-admission-webhook-k8s", facts.Webhook))
	}
	if spec.CSIDriver != nil {
		add(path.Child("csiDriver"), &spec.CSIDriver.ContainerSpec, mesh.Defaults("cmd-csi-driver", release.Container{}))
		if spec.CSIDriver.Registrar != nil {
			add(path.Child("csiDriver", "registrar"), spec.CSIDriver.Registrar, mesh.Defaults("csi-node-driver-registrar", release.Container{}))
		}
	}
	if spec.Interdomain != nil {
		all = append(all, interdomainContainers(spec.Interdomain, path.Child("interdomain"))...)
	}
	return all
}

func interdomainContainers(spec *nsmv1beta1.InterdomainSpec, path *field.Path) []containerAt {
	var all []containerAt
	add := func(name string, component *nsmv1beta1.ComponentSpec) {
		if component != nil {
			all = append(all, containerAt{path: path.Child(name), spec: &component.ContainerSpec})
		}
	}
	add("nsmgrProxy", spec.NsmgrProxy)
	add("registryProxy", spec.RegistryProxy)
	add("clusterInfo", spec.ClusterInfo)
	if spec.MapIP != nil {
		all = append(all, containerAt{path: path.Child("mapIP"), spec: spec.MapIP})
	}
	return all
}

// factsOf the release of a spec; none where the release is not valid, which is
// another check's to say.
func factsOf(spec *nsmv1beta1.NSMSpec) release.Facts {
	wanted := release.Newest()
	if spec.Version != "" {
		parsed, err := release.Parse(spec.Version)
		if err != nil {
			return release.Facts{}
		}
		wanted = parsed
	}
	return wanted.Facts()
}
