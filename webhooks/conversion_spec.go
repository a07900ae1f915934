// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package webhooks

import (
	"cmp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	nsmv1alpha1 "github.com/networkservicemesh/nsm-operator/apis/v1alpha1"
	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

// The images of NSM's own names. An image of v1alpha1 that is exactly what
// spec.images leads to anyway is not written as an override.
const (
	imageRegistryMemory = "cmd-registry-memory"
	imageNsmgr          = "cmd-nsmgr"
)

// specUp says in v1beta1 what a v1alpha1 spec of any shape says. What v1beta1
// has no word for is left out: Convert keeps it.
func specUp(in *nsmv1alpha1.NSMSpec) nsmv1beta1.NSMSpec {
	return nsmv1beta1.NSMSpec{
		Version:          cmp.Or(in.Tag, in.Version),
		Images:           imagesUp(in),
		LogLevel:         nsmv1beta1.LogLevel(in.NsmLogLevel),
		Spire:            spireUp(in),
		Registry:         registryUp(in),
		Nsmgr:            nsmgrUp(in),
		Forwarders:       forwardersUp(in),
		AdmissionWebhook: admissionWebhookUp(in),
	}
}

func imagesUp(in *nsmv1alpha1.NSMSpec) *nsmv1beta1.ImagesSpec {
	images := nsmv1beta1.ImagesSpec{
		Repository: in.Organization,
		PullPolicy: in.NsmPullPolicy,
	}
	if in.Registry != nil && in.Registry.Host != nil {
		images.Registry = *in.Registry.Host
	}
	if images.Registry == "" && images.Repository == "" && images.PullPolicy == "" {
		return nil
	}
	return &images
}

func spireUp(in *nsmv1alpha1.NSMSpec) *nsmv1beta1.SpireSpec {
	if in.SpireAgentSocket == "" {
		return nil
	}
	return &nsmv1beta1.SpireSpec{AgentSocket: in.SpireAgentSocket}
}

// registryUp finds the registry: an object in the nested shape; a memory
// registry in the flat shape, which knew no other.
func registryUp(in *nsmv1alpha1.NSMSpec) *nsmv1beta1.RegistrySpec {
	if in.Registry != nil && in.Registry.Spec != nil {
		nested := in.Registry.Spec
		return &nsmv1beta1.RegistrySpec{
			ComponentSpec: component(nested.Image, nested.EnvVars),
			Type:          nsmv1beta1.RegistryType(nested.Type),
			Replicas:      replicasUp(nested),
		}
	}
	if !isFlat(in) {
		return nil
	}
	return &nsmv1beta1.RegistrySpec{
		ComponentSpec: component(imageUp(in, in.RegistryMemoryImage, imageRegistryMemory), nil),
		Type:          nsmv1beta1.RegistryTypeMemory,
	}
}

// replicasUp leaves out a count of zero: the released operators created one
// replica for it.
func replicasUp(in *nsmv1alpha1.RegistrySpec) *int32 {
	if ptr.Deref(in.ReplicaCount, 0) == 0 {
		return nil
	}
	return ptr.To(*in.ReplicaCount)
}

// isFlat tells whether a spec has the flat shape of the first releases.
func isFlat(in *nsmv1alpha1.NSMSpec) bool {
	return in.Registry != nil && in.Registry.Host != nil ||
		in.Tag != "" || in.Organization != "" || in.RegistryMemoryImage != "" ||
		in.NsmgrImage != "" || in.ForwardingPlaneName != "" || in.ForwardingPlaneImage != ""
}

func nsmgrUp(in *nsmv1alpha1.NSMSpec) *nsmv1beta1.NsmgrSpec {
	var nsmgr nsmv1beta1.NsmgrSpec
	nsmgr.Image = imageUp(in, in.NsmgrImage, imageNsmgr)
	if in.Nsmgr != nil {
		nsmgr.ContainerSpec = nsmv1beta1.ContainerSpec{
			Image: cmp.Or(in.Nsmgr.Image, nsmgr.Image),
			Env:   cloneEnv(in.Nsmgr.EnvVars),
		}
	}
	if in.ExclPrefImage != "" || in.ExclPref != nil {
		nested := ptr.Deref(in.ExclPref, nsmv1alpha1.ExclPref{})
		nsmgr.ExcludePrefixes = &nsmv1beta1.ContainerSpec{
			Image: cmp.Or(nested.ExclPrefImage, imageUp(in, in.ExclPrefImage, "")),
			Env:   cloneEnv(nested.EnvVars),
		}
	}
	if nsmgr.Image == "" && nsmgr.Env == nil && nsmgr.ExcludePrefixes == nil {
		return nil
	}
	return &nsmgr
}

func forwardersUp(in *nsmv1alpha1.NSMSpec) []nsmv1beta1.ForwarderSpec {
	var forwarders []nsmv1beta1.ForwarderSpec
	if in.ForwardingPlaneName != "" || in.ForwardingPlaneImage != "" {
		forwarders = append(forwarders, forwarderUp(in, nsmv1alpha1.Forwarder{
			Name: in.ForwardingPlaneName, Image: in.ForwardingPlaneImage,
		}))
	}
	for _, list := range [][]nsmv1alpha1.Forwarder{in.ForwardingPlanes, in.Forwarders} {
		for _, forwarder := range list {
			forwarders = append(forwarders, forwarderUp(in, forwarder))
		}
	}
	return forwarders
}

func forwarderUp(in *nsmv1alpha1.NSMSpec, forwarder nsmv1alpha1.Forwarder) nsmv1beta1.ForwarderSpec {
	name := cmp.Or(forwarder.Name, forwarder.CapitalName)
	image := cmp.Or(forwarder.Image, forwarder.CapitalImage)
	forwarderType := cmp.Or(nsmv1beta1.ForwarderType(forwarder.Type), forwarderTypeOf(name, image))
	return nsmv1beta1.ForwarderSpec{
		Name:          cmp.Or(name, nsmv1beta1.DefaultForwarderName(forwarderType)),
		Type:          forwarderType,
		ComponentSpec: component(imageUp(in, image, "cmd-forwarder-"+string(forwarderType)), forwarder.EnvVars),
	}
}

// forwarderTypeOf reads the type of a forwarder that does not give it from its
// name or image; vpp was the only one when there was no type.
func forwarderTypeOf(name, image string) nsmv1beta1.ForwarderType {
	for _, text := range []string{name, image} {
		for _, forwarderType := range []nsmv1beta1.ForwarderType{
			nsmv1beta1.ForwarderTypeSRIOV, nsmv1beta1.ForwarderTypeOVS, nsmv1beta1.ForwarderTypeVPP,
		} {
			if strings.Contains(text, string(forwarderType)) {
				return forwarderType
			}
		}
	}
	return nsmv1beta1.ForwarderTypeVPP
}

// admissionWebhookUp follows the released operators: there is a webhook where
// its image is given, and else none.
func admissionWebhookUp(in *nsmv1alpha1.NSMSpec) *nsmv1beta1.AdmissionWebhookSpec {
	nested := ptr.Deref(in.Webhook, nsmv1alpha1.Webhook{})
	image := cmp.Or(nested.Image, imageUp(in, in.AdmwhImage, ""))
	return &nsmv1beta1.AdmissionWebhookSpec{
		ComponentSpec: component(image, nested.EnvVars),
		Enabled:       ptr.To(image != ""),
	}
}

// imageUp completes a bare image name to registry/organization/name:tag. A
// name with "/" or ":" is whole. The name that spec.images and spec.version
// lead to anyway, standard, is no override and becomes "".
func imageUp(in *nsmv1alpha1.NSMSpec, image, standard string) string {
	if image == "" || image == standard {
		return ""
	}
	if strings.ContainsAny(image, "/:") {
		return image
	}
	registry := "ghcr.io"
	if in.Registry != nil {
		registry = cmp.Or(ptr.Deref(in.Registry.Host, ""), registry)
	}
	image = registry + "/" + cmp.Or(in.Organization, "networkservicemesh") + "/" + image
	if tag := cmp.Or(in.Tag, in.Version); tag != "" {
		image += ":" + tag
	}
	return image
}

func component(image string, env []corev1.EnvVar) nsmv1beta1.ComponentSpec {
	return nsmv1beta1.ComponentSpec{ContainerSpec: nsmv1beta1.ContainerSpec{Image: image, Env: cloneEnv(env)}}
}

func cloneEnv(env []corev1.EnvVar) []corev1.EnvVar {
	if env == nil {
		return nil
	}
	out := make([]corev1.EnvVar, len(env))
	for i := range env {
		env[i].DeepCopyInto(&out[i])
	}
	return out
}

// specDown says in v1alpha1 what a v1beta1 spec says, in the nested shape, or
// in the flat shape where the object was flat before: an image registry's host
// has no other place. What v1alpha1 has no word for is left out: Convert keeps
// it.
func specDown(in *nsmv1beta1.NSMSpec, flat bool) nsmv1alpha1.NSMSpec {
	out := nsmv1alpha1.NSMSpec{
		NsmLogLevel: string(in.LogLevel),
		Nsmgr:       nsmgrDown(in.Nsmgr),
		ExclPref:    exclPrefDown(in.Nsmgr),
		Forwarders:  forwardersDown(in.Forwarders),
		Webhook:     webhookDown(in.AdmissionWebhook),
	}
	if in.Images != nil {
		out.Organization, out.NsmPullPolicy = in.Images.Repository, in.Images.PullPolicy
	}
	if in.Spire != nil {
		out.SpireAgentSocket = in.Spire.AgentSocket
	}
	if !flat {
		out.Version = in.Version
		out.Registry = registryDown(in.Registry)
		return out
	}
	out.Tag = in.Version
	if in.Images != nil && in.Images.Registry != "" {
		out.Registry = &nsmv1alpha1.Registry{Host: ptr.To(in.Images.Registry)}
	}
	if in.Registry != nil {
		out.RegistryMemoryImage = in.Registry.Image
	}
	return out
}

func registryDown(in *nsmv1beta1.RegistrySpec) *nsmv1alpha1.Registry {
	if in == nil {
		return nil
	}
	return &nsmv1alpha1.Registry{Spec: &nsmv1alpha1.RegistrySpec{
		Type:         string(in.Type),
		ReplicaCount: ptr.To(ptr.Deref(in.Replicas, 1)),
		Image:        in.Image,
		EnvVars:      cloneEnv(in.Env),
	}}
}

func nsmgrDown(in *nsmv1beta1.NsmgrSpec) *nsmv1alpha1.Nsmgr {
	if in == nil || in.Image == "" && in.Env == nil {
		return nil
	}
	return &nsmv1alpha1.Nsmgr{Image: in.Image, EnvVars: cloneEnv(in.Env)}
}

func exclPrefDown(in *nsmv1beta1.NsmgrSpec) *nsmv1alpha1.ExclPref {
	if in == nil || in.ExcludePrefixes == nil {
		return nil
	}
	return &nsmv1alpha1.ExclPref{ExclPrefImage: in.ExcludePrefixes.Image, EnvVars: cloneEnv(in.ExcludePrefixes.Env)}
}

func forwardersDown(in []nsmv1beta1.ForwarderSpec) []nsmv1alpha1.Forwarder {
	if in == nil {
		return nil
	}
	out := make([]nsmv1alpha1.Forwarder, 0, len(in))
	for i := range in {
		out = append(out, nsmv1alpha1.Forwarder{
			Type: string(in[i].Type), Name: in[i].Name, Image: in[i].Image, EnvVars: cloneEnv(in[i].Env),
		})
	}
	return out
}

func webhookDown(in *nsmv1beta1.AdmissionWebhookSpec) *nsmv1alpha1.Webhook {
	if in == nil || in.Image == "" && in.Env == nil {
		return nil
	}
	return &nsmv1alpha1.Webhook{Image: in.Image, EnvVars: cloneEnv(in.Env)}
}

func statusUp(in *nsmv1alpha1.NSMStatus) nsmv1beta1.NSMStatus {
	out := nsmv1beta1.NSMStatus{
		Conditions:         slices.Clone(in.Conditions),
		ObservedGeneration: in.ObservedGeneration,
		Version:            in.Version,
		Managers:           in.Managers,
		Forwarders:         in.Forwarders,
	}
	for _, component := range in.Components {
		out.Components = append(out.Components, nsmv1beta1.ComponentStatus(*component.DeepCopy()))
	}
	return out
}

func statusDown(in *nsmv1beta1.NSM) nsmv1alpha1.NSMStatus {
	status := &in.Status
	out := nsmv1alpha1.NSMStatus{
		Phase:              phaseOf(in),
		Conditions:         slices.Clone(status.Conditions),
		ObservedGeneration: status.ObservedGeneration,
		Version:            status.Version,
		Managers:           status.Managers,
		Forwarders:         status.Forwarders,
	}
	for _, component := range status.Components {
		out.Components = append(out.Components, nsmv1alpha1.ComponentStatus(*component.DeepCopy()))
	}
	return out
}
