// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

// ForwarderService is the network service that every forwarder is an endpoint of
// (cmd-forwarder-*, NSM_NS_NAME).
const ForwarderService = "forwarder"

// IsEndpointOf tells whether an endpoint of the service "forwarder" is that of a
// pod: forwarders register under their pod's name, to which a registry may add
// something.
func IsEndpointOf(endpoint, pod string) bool {
	return endpoint == pod || strings.HasPrefix(endpoint, pod+"-")
}

// registers tells whether the pods of a forwarder are to be found in the API as
// endpoints: a memory registry shows nobody its entries, and the user's own
// variables may have them registered elsewhere, or as something else.
func (p part) registers(container corev1.Container) bool {
	registry := ptr.Deref(p.NSM.Spec.Registry, nsmv1beta1.RegistrySpec{})
	facts := p.Release.Facts()
	return facts.ForwarderEndpoints && isK8s(registry) &&
		slices.ContainsFunc(container.Env, isPodName) &&
		!hasEnv(container.Env, "NSM_NS_NAME") &&
		!hasEnv(registry.Env, facts.RegistryK8s.EnvPrefix+"NAMESPACE")
}

func isPodName(env corev1.EnvVar) bool {
	return env.Name == "NSM_NAME" && env.ValueFrom != nil && env.ValueFrom.FieldRef != nil &&
		env.ValueFrom.FieldRef.FieldPath == "metadata.name"
}

func hasEnv(env []corev1.EnvVar, name string) bool {
	return slices.ContainsFunc(env, func(one corev1.EnvVar) bool { return one.Name == name })
}
