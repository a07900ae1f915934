// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh

import (
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

// ForwarderService is the network service that every forwarder is an endpoint of
// (cmd-forwarder-*, Config.NSName).
const ForwarderService = "forwarder"

// RegisteredName is the name under which an endpoint has registered: its own, or
// what stands behind the UUID that SDKs of the first releases put before it (sdk,
// registry/common/setid).
func RegisteredName(endpoint string) string {
	const length = len("00000000-0000-0000-0000-000000000000")
	if len(endpoint) > length && endpoint[length] == '-' && uuid.Validate(endpoint[:length]) == nil {
		return endpoint[length+1:]
	}
	return endpoint
}

// podSuffix is what Kubernetes may put behind a DaemonSet's name and a dash for
// the name of a pod (apimachinery, util/rand): no word, and so not what another
// forwarder's name goes on with.
var podSuffix = regexp.MustCompile(`^[bcdfghjklmnpqrstvwxz2456789]{5}(-|$)`)

// IsEndpointOfAny reports whether an endpoint of the service "forwarder" can be that
// of a pod of a workload.
func IsEndpointOfAny(endpoint, workload string) bool {
	rest, isOf := strings.CutPrefix(RegisteredName(endpoint), workload+"-")
	return isOf && podSuffix.MatchString(rest)
}

// IsEndpointOf reports whether an endpoint of the service "forwarder" is that of a
// pod: forwarders register under their pod's name, to which a registry may add
// something.
func IsEndpointOf(endpoint, pod string) bool {
	name := RegisteredName(endpoint)
	return name == pod || strings.HasPrefix(name, pod+"-")
}

// Registers reports whether a mesh has components whose pods register themselves
// (Component.Registers); only forwarders do.
func Registers(in Input) bool {
	return slices.ContainsFunc(Forwarders(&in.NSM.Spec), func(spec nsmv1beta1.ForwarderSpec) bool {
		p := forwarderPart(in, spec)
		return p.registers(p.forwarderContainer(forwarderKinds[spec.Type], spec, in.Release.Facts()))
	})
}

// registers reports whether the pods of a forwarder are to be found in the API as
// endpoints: a memory registry shows nobody its entries, and the user's own
// variables may have them registered elsewhere, or as something else.
func (p part) registers(container corev1.Container) bool {
	registry := ptr.Deref(p.NSM.Spec.Registry, nsmv1beta1.RegistrySpec{})
	facts := p.Release.Facts()
	return facts.ForwarderEndpoints && isK8s(registry) &&
		slices.ContainsFunc(container.Env, isPodName) &&
		!slices.ContainsFunc(container.Env, isOtherService) &&
		!hasEnv(registry.Env, facts.RegistryK8s.EnvPrefix+"NAMESPACE")
}

// isOtherService reports whether a variable makes a forwarder an endpoint of
// something else (cmd-forwarder-*, Config.NSName: the words are not split).
func isOtherService(env corev1.EnvVar) bool {
	return env.Name == "NSM_NSNAME" && env.Value != ForwarderService
}

func isPodName(env corev1.EnvVar) bool {
	return env.Name == "NSM_NAME" && env.ValueFrom != nil && env.ValueFrom.FieldRef != nil &&
		env.ValueFrom.FieldRef.FieldPath == "metadata.name"
}

func hasEnv(env []corev1.EnvVar, name string) bool {
	return slices.ContainsFunc(env, func(one corev1.EnvVar) bool { return one.Name == name })
}
