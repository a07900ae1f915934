// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package webhooks

import (
	"fmt"
	"net/netip"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// validateVL3 checks what the schema cannot: what lies in two lists, and what takes
// the length of a prefix.
func validateVL3(spec *nsmv1beta1.NSMSpec, path *field.Path) field.ErrorList {
	if spec.VL3 == nil {
		return nil
	}
	var errs field.ErrorList
	forwarders := mesh.Forwarders(spec)
	for i := range spec.VL3.IPAMs {
		ipam, at := &spec.VL3.IPAMs[i], path.Child("vl3", "ipams").Index(i)
		if slices.ContainsFunc(forwarders, func(f nsmv1beta1.ForwarderSpec) bool { return ipam.Name != "" && f.Name == ipam.Name }) {
			errs = append(errs, field.Invalid(at.Child("name"), ipam.Name, "is the name of a forwarder, too: each part of the mesh needs a name of its own"))
		}
		errs = append(errs, validateClientPrefix(ipam, at)...)
	}
	return errs
}

// validateClientPrefix refuses blocks for endpoints that are no part of the prefix
// (sdk, pkg/ipam/vl3ipam: the program would give out addresses beyond it).
func validateClientPrefix(ipam *nsmv1beta1.VL3IPAMSpec, path *field.Path) field.ErrorList {
	prefix, err := netip.ParsePrefix(mesh.VL3Prefix(*ipam))
	if err != nil {
		return nil // the schema says so
	}
	length := mesh.VL3ClientPrefixLength(*ipam)
	switch at := path.Child("clientPrefixLength"); {
	case length < prefix.Bits() && ipam.ClientPrefixLength == nil:
		return field.ErrorList{field.Required(at, fmt.Sprintf(
			"the prefix %s is smaller than the block that an endpoint is given by default, /%d: give the length of a block, from %d to %d",
			prefix, length, prefix.Bits(), prefix.Addr().BitLen()))}
	case length < prefix.Bits() || length > prefix.Addr().BitLen():
		return field.ErrorList{field.Invalid(at, length, fmt.Sprintf(
			"must be from %d to %d: an endpoint is given a block out of the prefix %s", prefix.Bits(), prefix.Addr().BitLen(), prefix))}
	}
	return nil
}
