// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/networkservicemesh/nsm-operator/internal/health"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/preflight"
)

func (c *cluster) factsOfDrivers(ctx context.Context, facts *preflight.Facts) error {
	var drivers storagev1.CSIDriverList
	err := c.part(facts, preflight.PartDrivers, c.List(ctx, &drivers), "list csidrivers")
	facts.CSIDrivers = drivers.Items
	return err
}

// machineConfig of OpenShift sets up the nodes of a pool.
var machineConfig = schema.GroupVersionKind{Group: "machineconfiguration.openshift.io", Version: "v1", Kind: "MachineConfig"}

func (c *cluster) factsOfMachineConfigs(ctx context.Context, facts *preflight.Facts) error {
	if !facts.Platform.OpenShift {
		return nil
	}
	configs := &unstructured.UnstructuredList{}
	configs.SetGroupVersionKind(machineConfig)
	err := c.part(facts, preflight.PartMachineConfigs, c.List(ctx, configs), "list machineconfigs")
	facts.SocketRoles = preflight.RolesWithSockets(configs.Items)
	return err
}

// factsOfBundles reads where the bundle of each trust domain is that meshes federate with.
func (c *cluster) factsOfBundles(ctx context.Context, facts *preflight.Facts) error {
	var wanted []string
	for i := range facts.Meshes {
		wanted = append(wanted, mesh.FederatesWith(facts.Meshes[i].Input)...)
	}
	if len(wanted) == 0 {
		return nil
	}
	facts.Bundles = map[string]preflight.Bundle{}
	federated := &unstructured.UnstructuredList{}
	federated.SetGroupVersionKind(mesh.FederationKind)
	err := c.List(ctx, federated)
	if meta.IsNoMatchError(err) {
		return nil
	}
	for i := range federated.Items {
		domain, _, _ := unstructured.NestedString(federated.Items[i].Object, "spec", "trustDomain")
		if url, _, _ := unstructured.NestedString(federated.Items[i].Object, "spec", "bundleEndpointURL"); slices.Contains(wanted, domain) {
			facts.Bundles[domain] = preflight.Bundle{URL: url}
		}
	}
	return c.part(facts, preflight.PartFederation, err, "list clusterfederatedtrustdomains")
}

// askForBundles asks these places, from this machine.
func (c *cluster) askForBundles(ctx context.Context, facts *preflight.Facts) error {
	for domain, bundle := range facts.Bundles {
		bundle.Error = askForBundle(ctx, bundle.URL)
		facts.Bundles[domain] = bundle
	}
	return nil
}

// bundleTimeout is how long an endpoint may take.
const bundleTimeout = 5 * time.Second

// askForBundle says why an endpoint gives no bundle; "" where it does. Which server that is
// only SPIRE can tell, by its SPIFFE ID: here it counts that one answers.
func askForBundle(ctx context.Context, url string) string {
	if !strings.HasPrefix(url, "https://") {
		return "its URL does not begin with https://"
	}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		//nolint:gosec // nothing is sent, and what comes is not used
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12},
	}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err.Error()
	}
	response, err := (&http.Client{Transport: transport, Timeout: bundleTimeout}).Do(request)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	var bundle struct {
		Keys []json.RawMessage `json:"keys"`
	}
	const most = 1 << 20
	switch err := json.NewDecoder(io.LimitReader(response.Body, most)).Decode(&bundle); {
	case response.StatusCode != http.StatusOK:
		return "it answers " + response.Status
	case err != nil || len(bundle.Keys) == 0:
		return "what it answers is no bundle"
	default:
		return ""
	}
}

// factsOfWebhooks has the API server call those of the operator, by NSMs of which nothing is
// stored. For somebody who may not create any, it calls nobody.
func (c *cluster) factsOfWebhooks(ctx context.Context, facts *preflight.Facts) error {
	if facts.Before || !facts.ServesNSMs {
		return nil
	}
	for _, version := range []string{"v1alpha1", "v1beta1"} {
		nsm := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{}}}
		nsm.SetAPIVersion("nsm.networkservicemesh.io/" + version)
		nsm.SetKind("NSM")
		nsm.SetNamespace(cmp.Or(c.namespace, metav1.NamespaceDefault))
		nsm.SetGenerateName("nsm-check-")
		err := c.Create(ctx, nsm, client.DryRunAll)
		facts.WebhooksTried = facts.WebhooksTried || !isRefusedBefore(err)
		if err == nil {
			continue
		}
		unreached := health.UnreachedOf(err.Error())
		if unreached == nil || slices.ContainsFunc(facts.Unreached, func(other health.Unreached) bool { return other.Name == unreached.Name }) {
			continue // it was answered, whatever the answer is
		}
		unreached.Ports = c.portsOf(ctx, unreached.Namespace, unreached.Name)
		facts.Unreached = append(facts.Unreached, *unreached)
	}
	return nil
}

// isRefusedBefore tells that the API server refused a write before it called any webhook: for want
// of a right or of the namespace.
func isRefusedBefore(err error) bool {
	return apierrors.IsNotFound(err) || apierrors.IsForbidden(err) && !strings.Contains(err.Error(), "admission webhook")
}

// portsOf the pods of a Service, as far as they can be seen.
func (c *cluster) portsOf(ctx context.Context, namespace, name string) []int32 {
	var found discoveryv1.EndpointSliceList
	if err := c.List(ctx, &found, client.InNamespace(namespace), client.MatchingLabels{discoveryv1.LabelServiceName: name}); err != nil {
		return nil
	}
	return health.PortsOf(found.Items)
}

// kubeletTimeout is how long a kubelet may take.
const kubeletTimeout = 5 * time.Second

// podDomain is what the kubelet of a node that is ready has pods look names up in; "" where
// that cannot be seen.
func (c *cluster) podDomain(ctx context.Context, facts *preflight.Facts) string {
	for i := range facts.Nodes {
		if !preflight.IsReady(&facts.Nodes[i]) {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, kubeletTimeout)
		defer cancel()
		text, err := c.asks.RESTClient().Get().AbsPath(fmt.Sprintf("/api/v1/nodes/%s/proxy/configz", facts.Nodes[i].Name)).DoRaw(ctx)
		var answer struct {
			Kubelet struct {
				ClusterDomain string `json:"clusterDomain"`
			} `json:"kubeletconfig"`
		}
		if err != nil || json.Unmarshal(text, &answer) != nil {
			return ""
		}
		return strings.TrimSuffix(answer.Kubelet.ClusterDomain, ".")
	}
	return ""
}
