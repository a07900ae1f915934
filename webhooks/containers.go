// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package webhooks

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/distribution/reference"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

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
		errs = append(errs, validateClient(webhook.Client, path.Child("admissionWebhook", "client"))...)
	}
	return errs
}

// validateClient checks what NSM's webhook is told to inject, which it checks
// nothing of: with a mistake every injected pod would be refused.
func validateClient(client *nsmv1beta1.InjectedClientSpec, path *field.Path) field.ErrorList {
	errs := validateInjectedImage(path.Child("image"), client.Image)
	errs = append(errs, validateInjectedImage(path.Child("initImage"), client.InitImage)...)
	name := mesh.InjectedContainerName(cmp.Or(client.Image, "cmd-nsc"))
	if name == mesh.InjectedContainerName(cmp.Or(client.InitImage, "cmd-nsc-init")) {
		errs = append(errs, field.Invalid(path.Child("image"), client.Image, fmt.Sprintf(
			"NSM's webhook would name both of its containers %q, after the last part of their images: must end in another name than %s", name, path.Child("initImage"))))
	}
	return append(errs, validateResources(path.Child("resources"), containerAt{
		spec: &nsmv1beta1.ContainerSpec{Resources: client.Resources}, published: mesh.InjectedClient,
	})...)
}

// validateInjectedImage refuses an image after which no container can be named.
func validateInjectedImage(path *field.Path, image string) field.ErrorList {
	if errs := validateImage(path, image); image == "" || len(errs) > 0 {
		return errs
	}
	name := mesh.InjectedContainerName(image)
	if len(validation.IsDNS1123Label(name)) == 0 {
		return nil
	}
	return field.ErrorList{field.Invalid(path, image, fmt.Sprintf(
		"NSM's webhook would name a container %q, after the last part of the image, and Kubernetes would refuse it: that part must be lower case letters, digits and dashes, with a tag behind it, such as cmd-nsc:v1.18.0, and no digest without a tag", name))}
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
	errs := validateQuantities(path, container.spec.Resources)
	if len(errs) > 0 {
		return errs
	}
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

// validateQuantities refuses what no container can run with.
func validateQuantities(path *field.Path, resources *corev1.ResourceRequirements) field.ErrorList {
	if resources == nil {
		return nil
	}
	var errs field.ErrorList
	for what, list := range map[string]corev1.ResourceList{"limits": resources.Limits, "requests": resources.Requests} {
		for name, quantity := range list {
			if quantity.Sign() < 0 {
				errs = append(errs, field.Invalid(path.Child(what).Key(string(name)), quantity.String(), "must be 0 or more"))
			}
		}
	}
	if limit, limited := resources.Limits[corev1.ResourceMemory]; limited && isBytes(limit) {
		errs = append(errs, field.Invalid(path.Child("limits").Key(string(corev1.ResourceMemory)), limit.String(),
			"is in bytes, and no program starts with so few: write a unit, such as 128Mi"))
	}
	return sorted(errs)
}

// suspicious warns of resources that are allowed, and hardly meant.
func suspicious(spec *nsmv1beta1.NSMSpec) admission.Warnings {
	var warned admission.Warnings
	path := field.NewPath("spec")
	check := func(path *field.Path, resources *corev1.ResourceRequirements) {
		if request, ok := ptr.Deref(resources, corev1.ResourceRequirements{}).Requests[corev1.ResourceMemory]; ok && isBytes(request) {
			warned = append(warned, fmt.Sprintf("%s: %s is in bytes: a unit is missing, as in 128Mi",
				path.Child("resources", "requests").Key(string(corev1.ResourceMemory)), request.String()))
		}
	}
	for _, container := range containers(spec, path) {
		check(container.path, container.spec.Resources)
	}
	if webhook := spec.AdmissionWebhook; webhook != nil && webhook.Client != nil {
		client := path.Child("admissionWebhook", "client")
		check(client, webhook.Client.Resources)
		warned = append(warned, notInjected(client.Child("resources"), webhook.Client.Resources)...)
	}
	return warned
}

// notInjected warns of resources that NSM's webhook cannot give to what it injects.
func notInjected(path *field.Path, resources *corev1.ResourceRequirements) admission.Warnings {
	if resources == nil {
		return nil
	}
	var warned admission.Warnings
	warn := func(path *field.Path) {
		warned = append(warned, path.String()+": has no effect: NSM's webhook injects CPU and memory only")
	}
	for _, one := range []struct {
		what string
		list corev1.ResourceList
	}{{"limits", resources.Limits}, {"requests", resources.Requests}} {
		for _, name := range slices.Sorted(maps.Keys(one.list)) {
			if name != corev1.ResourceCPU && name != corev1.ResourceMemory {
				warn(path.Child(one.what).Key(string(name)))
			}
		}
	}
	if len(resources.Claims) > 0 {
		warn(path.Child("claims"))
	}
	return warned
}

// isBytes tells whether the unit of an amount of memory has been forgotten.
func isBytes(memory resource.Quantity) bool {
	return memory.Sign() > 0 && memory.CmpInt64(1<<20) < 0
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
