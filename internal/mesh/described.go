// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh

import (
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

// Described is a component as a spec tells about it.
type Described struct {
	// Workload is the name of the component's workload.
	Workload string
	// Path is where the spec tells about it.
	Path *field.Path
	// Spec is what it tells; nil for nothing.
	Spec *nsmv1beta1.ComponentSpec
	// Published is what NSM publishes for the main container.
	Published release.Container
	// Sidecars have a place of their own in the spec.
	Sidecars []DescribedContainer
	// ServiceAnnotations are of the component's Service alone.
	ServiceAnnotations DescribedMap
}

// DescribedContainer is a container as a spec tells about it.
type DescribedContainer struct {
	// Names of the containers in the pod that it is about; none for the main one.
	Names     []string
	Path      *field.Path
	Spec      *nsmv1beta1.ContainerSpec
	Published release.Container
}

// DescribedMap is a map that the user fills, and where it stands.
type DescribedMap struct {
	Path    *field.Path
	Entries map[string]string
}

// Describe lists the components that a spec can tell about, with what it tells.
func Describe(spec *nsmv1beta1.NSMSpec) []Described {
	path, facts := field.NewPath("spec"), factsOf(spec)
	registry, nsmgr := ptr.Deref(spec.Registry, nsmv1beta1.RegistrySpec{}), ptr.Deref(spec.Nsmgr, nsmv1beta1.NsmgrSpec{})
	driver, interdomain := ptr.Deref(spec.CSIDriver, nsmv1beta1.CSIDriverSpec{}), ptr.Deref(spec.Interdomain, nsmv1beta1.InterdomainSpec{})
	published := facts.RegistryMemory
	if isK8s(registry) {
		published = facts.RegistryK8s
	}
	between := path.Child("interdomain")
	all := []Described{
		{
			Workload: RegistryName, Path: path.Child("registry"), Spec: said(spec.Registry, &registry.ComponentSpec), Published: published,
			ServiceAnnotations: DescribedMap{path.Child("registry", "serviceAnnotations"), registry.ServiceAnnotations},
		},
		{
			Workload: nsmgrProxyName, Path: between.Child("nsmgrProxy"), Spec: interdomain.NsmgrProxy,
			Sidecars:           []DescribedContainer{{Names: []string{mapIPName}, Path: between.Child("mapIP"), Spec: interdomain.MapIP}},
			ServiceAnnotations: DescribedMap{between.Child("serviceAnnotations"), interdomain.ServiceAnnotations},
		},
		{Workload: registryProxyName, Path: between.Child("registryProxy"), Spec: interdomain.RegistryProxy},
		{Workload: clusterInfoName, Path: between.Child("clusterInfo"), Spec: interdomain.ClusterInfo},
		{
			Workload: csiName, Path: path.Child("csiDriver"), Spec: said(spec.CSIDriver, &driver.ComponentSpec), Published: Defaults("cmd-csi-driver", release.Container{}),
			Sidecars: []DescribedContainer{{
				[]string{csiRegistrarContainer}, path.Child("csiDriver", "registrar"), driver.Registrar, Defaults("csi-node-driver-registrar", release.Container{}),
			}},
		},
		{
			Workload: NsmgrName, Path: path.Child("nsmgr"), Spec: said(spec.Nsmgr, &nsmgr.ComponentSpec), Published: facts.Nsmgr,
			Sidecars: []DescribedContainer{{[]string{excludePrefixesName}, path.Child("nsmgr", "excludePrefixes"), nsmgr.ExcludePrefixes, facts.ExcludePrefixes}},
		},
	}
	for i, ipam := range VL3IPAMs(spec) {
		at := path.Child("vl3", "ipams").Index(i)
		all = append(all, Described{
			Workload: vl3IPAMName(ipam), Path: at, Spec: &ipam.ComponentSpec, Published: facts.VL3IPAM,
			ServiceAnnotations: DescribedMap{at.Child("serviceAnnotations"), ipam.ServiceAnnotations},
		})
	}
	for i := range spec.Forwarders {
		forwarder := &spec.Forwarders[i]
		one := Described{Workload: forwarderName(*forwarder), Path: path.Child("forwarders").Index(i), Spec: &forwarder.ComponentSpec}
		if kind, isKnown := forwarderKinds[forwarder.Type]; isKnown {
			one.Published = Defaults(kind.image, kind.container(facts))
		}
		all = append(all, one)
	}
	webhook := ptr.Deref(spec.AdmissionWebhook, nsmv1beta1.AdmissionWebhookSpec{})
	dashboard, at := ptr.Deref(spec.Dashboard, nsmv1beta1.DashboardSpec{}), path.Child("dashboard")
	return append(all, Described{
		Workload: WebhookName, Path: path.Child("admissionWebhook"), Spec: said(spec.AdmissionWebhook, &webhook.ComponentSpec),
		Published: Defaults("cmd-admission-webhook-k8s", facts.Webhook),
	}, Described{
		Workload: dashboardName, Path: at, Spec: said(spec.Dashboard, &dashboard.ComponentSpec),
		Published: Defaults("cmd-dashboard-backend", release.Container{}),
		Sidecars: []DescribedContainer{{
			[]string{dashboardUIName, dashboardCopyName}, at.Child("ui"), dashboard.UI, Defaults("cmd-dashboard-ui", release.Container{}),
		}},
		ServiceAnnotations: DescribedMap{at.Child("serviceAnnotations"), dashboard.ServiceAnnotations},
	})
}

// said is the component of what a spec tells; nil where it tells nothing.
func said[T any](told *T, component *nsmv1beta1.ComponentSpec) *nsmv1beta1.ComponentSpec {
	if told == nil {
		return nil
	}
	return component
}

// Containers are those of the component that the spec tells about.
func (d Described) Containers() []DescribedContainer {
	var all []DescribedContainer
	if d.Spec != nil {
		all = append(all, DescribedContainer{Path: d.Path, Spec: &d.Spec.ContainerSpec, Published: d.Published})
	}
	for _, sidecar := range d.Sidecars {
		if sidecar.Spec != nil {
			all = append(all, sidecar)
		}
	}
	return all
}

// factsOf the release of a spec; none where the release is not valid, which is
// another check's to say.
func factsOf(spec *nsmv1beta1.NSMSpec) release.Facts {
	if spec.Version == "" {
		return release.Newest().Facts()
	}
	wanted, err := release.Parse(spec.Version)
	if err != nil {
		return release.Facts{}
	}
	return wanted.Facts()
}
