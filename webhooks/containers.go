// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package webhooks

import (
	"fmt"
	"maps"
	"slices"
	"strings"

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
	for _, container := range containers(spec) {
		errs = append(errs, validateImage(container.Path.Child("image"), container.Spec.Image)...)
		errs = append(errs, validateResources(container.Path.Child("resources"), container)...)
	}
	errs = append(errs, validateImages(spec.Images, path.Child("images"))...)
	return append(errs, validateInjection(spec, path)...)
}

// validateImages checks what spec.images says of single images.
func validateImages(images *nsmv1beta1.ImagesSpec, path *field.Path) field.ErrorList {
	if images == nil {
		return nil
	}
	var errs field.ErrorList
	for _, name := range slices.Sorted(maps.Keys(images.Overrides)) {
		at := path.Child("overrides").Key(name)
		if !slices.Contains(mesh.ImageNames(), name) {
			errs = append(errs, field.NotSupported(at, name, mesh.ImageNames()))
			continue
		}
		if images.Overrides[name] == "" {
			errs = append(errs, field.Required(at, "give the reference of an image, or leave the entry out"))
		}
		errs = append(errs, validateImage(at, images.Overrides[name])...)
	}
	return append(errs, validateImageLike(path.Child("template"), images.Template, mirrored(images.Template, "cmd-nsmgr"))...)
}

// mirrored is the image that a template makes of a name.
func mirrored(template, name string) string {
	return strings.NewReplacer("{name}", name, "{version}", "v1.0.0").Replace(template)
}

// injected is what NSM's webhook injects: an image, and what says so.
type injected struct {
	image string
	path  *field.Path
}

// injectedOf finds who says which image of a name is injected, the first that does.
func injectedOf(spec *nsmv1beta1.NSMSpec, path *field.Path, name, client string, clientPath *field.Path) injected {
	images := ptr.Deref(spec.Images, nsmv1beta1.ImagesSpec{})
	switch {
	case client != "":
		return injected{client, clientPath}
	case images.Overrides[name] != "":
		return injected{images.Overrides[name], path.Child("images", "overrides").Key(name)}
	case images.Template != "":
		return injected{mirrored(images.Template, name), path.Child("images", "template")}
	default:
		return injected{name, path.Child("admissionWebhook", "client", "image")}
	}
}

// validateInjection checks what NSM's webhook is told to inject, which it checks
// nothing of: with a mistake every injected pod would be refused.
func validateInjection(spec *nsmv1beta1.NSMSpec, path *field.Path) field.ErrorList {
	webhook := ptr.Deref(spec.AdmissionWebhook, nsmv1beta1.AdmissionWebhookSpec{})
	if webhook.Client == nil && !mesh.WebhookEnabled(spec) {
		return nil
	}
	client := ptr.Deref(webhook.Client, nsmv1beta1.InjectedClientSpec{})
	clientPath := path.Child("admissionWebhook", "client")
	sidecar := injectedOf(spec, path, "cmd-nsc", client.Image, clientPath.Child("image"))
	first := injectedOf(spec, path, "cmd-nsc-init", client.InitImage, clientPath.Child("initImage"))
	errs := append(sidecar.validate(), first.validate()...)
	if name := sidecar.container(); name == first.container() && len(errs) == 0 {
		errs = append(errs, field.Invalid(sidecar.path, sidecar.image, fmt.Sprintf(
			"NSM's webhook would name both of its containers %q, after the last part of their images: must end in another name than %s", name, first.path)))
	}
	return append(errs, validateResources(clientPath.Child("resources"), mesh.DescribedContainer{
		Spec: &nsmv1beta1.ContainerSpec{Resources: client.Resources}, Published: mesh.InjectedClient,
	})...)
}

// container is the name of the container that the webhook makes of an image.
func (i injected) container() string {
	return mesh.InjectedContainerName(mesh.WithTag(i.image, "v1.0.0"))
}

// validate refuses an image after which no container can be named.
func (i injected) validate() field.ErrorList {
	if errs := validateImage(i.path, i.image); len(errs) > 0 {
		return errs
	}
	if len(validation.IsDNS1123Label(i.container())) == 0 {
		return nil
	}
	return field.ErrorList{field.Invalid(i.path, i.image, fmt.Sprintf(
		"NSM's webhook would name a container %q, after the last part of the image, and Kubernetes would refuse it: that part must be lower case letters, digits and dashes, and may have a tag and a digest behind it, such as cmd-nsc:v1.18.0", i.container()))}
}

func validateImage(path *field.Path, image string) field.ErrorList {
	return validateImageLike(path, image, image)
}

// validateImageLike checks the image that is made of what was written.
func validateImageLike(path *field.Path, written, image string) field.ErrorList {
	if image == "" {
		return nil
	}
	if _, err := reference.ParseNormalizedNamed(image); err != nil {
		return field.ErrorList{field.Invalid(path, written,
			"must be an image reference such as ghcr.io/networkservicemesh/cmd-nsmgr:v1.18.0: "+err.Error())}
	}
	return nil
}

// validateResources refuses a request above the limit that would hold, which
// may be the one that NSM publishes.
func validateResources(path *field.Path, container mesh.DescribedContainer) field.ErrorList {
	errs := validateQuantities(path, container.Spec.Resources)
	if len(errs) > 0 {
		return errs
	}
	effective := mesh.Resources(container.Published, container.Spec.Resources)
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

// suspicious warns of resources and images that are allowed, and hardly meant.
func suspicious(spec *nsmv1beta1.NSMSpec) admission.Warnings {
	var warned admission.Warnings
	path := field.NewPath("spec")
	check := func(path *field.Path, resources *corev1.ResourceRequirements) {
		if request, ok := ptr.Deref(resources, corev1.ResourceRequirements{}).Requests[corev1.ResourceMemory]; ok && isBytes(request) {
			warned = append(warned, fmt.Sprintf("%s: %s is in bytes: a unit is missing, as in 128Mi",
				path.Child("resources", "requests").Key(string(corev1.ResourceMemory)), request.String()))
		}
	}
	for _, container := range containers(spec) {
		check(container.Path, container.Spec.Resources)
		if published := release.PublishedImage(container.Spec.Image); published != container.Spec.Image {
			warned = append(warned, fmt.Sprintf("%s: %s was never published; %s is used in its place",
				container.Path.Child("image"), container.Spec.Image, published))
		}
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

// isBytes reports whether the unit of an amount of memory has been forgotten.
func isBytes(memory resource.Quantity) bool {
	return memory.Sign() > 0 && memory.CmpInt64(1<<20) < 0
}

// containers lists the containers that a spec tells about.
func containers(spec *nsmv1beta1.NSMSpec) []mesh.DescribedContainer {
	var all []mesh.DescribedContainer
	for _, component := range mesh.Describe(spec) {
		all = append(all, component.Containers()...)
	}
	return all
}
