// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/preflight"
	"github.com/networkservicemesh/nsm-operator/internal/report"
)

// checkFlags are those of check.
type checkFlags struct {
	file     string
	certDays int
	isStrict bool
	all      bool
	before   bool
	helm     string
	// active has meshes tried; the others say how.
	active          bool
	activeNamespace string
	endpointImage   string
	connectOnly     bool
	hasTimeout      bool
}

func newCheck(o *options) *cobra.Command {
	flags := &checkFlags{}
	command := &cobra.Command{
		Use:   "check",
		Short: "Look for what would keep a mesh from running",
		Long: "Look for what would keep a mesh from running, before or after it is there.\n\n" +
			"It looks at the meshes of the namespace; where there is none, at what an NSM without a spec would need, or at those of a file. All checks are " +
			"made, whatever they find, and nothing is stored. docs/troubleshooting.md has a word on each code.\n\n" +
			"With --active it also tries each mesh, and that is the exception that makes something: a namespace nsm-check-<random> with a ServiceAccount, a " +
			"Service, a pod with an endpoint and a pod with a client, which pings the endpoint through the mesh; the endpoint registers itself and a network " +
			"service of that name. All of it is removed at the end, after Ctrl-C and after an error as well, and what could not be is named. A trial takes " +
			"3 minutes at most, or what --timeout says, and its removal 90 seconds more.\n\n" +
			"It then also has the API server try an NSM by a dry run, of which nothing is stored, and asks the bundle endpoints of other trust domains from this " +
			"machine.\n\n" +
			"With --pre it looks at whether the operator and SPIRE can be installed. It then also asks what you may do. With --pre --active it also tries a " +
			"privileged pod by a dry run, of which nothing is stored.\n\n" +
			"It ends with 1 if a check has failed, with --strict also if one warns.",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			flags.hasTimeout = command.Flags().Changed("timeout")
			if flags.active && !flags.before && flags.file != "" {
				return errors.New("--active tries meshes that are there, and not those of a file: leave out --filename, or add --pre")
			}
			ctx, cancel := o.within(command.Context())
			defer cancel()
			connected := ctx
			if flags.active {
				// Trials have a time of their own.
				connected = command.Context()
			}
			c, err := o.connect(connected)
			if err != nil {
				return err
			}
			if flags.all {
				c.namespace = ""
			}
			facts, err := o.facts(ctx, c, flags)
			if err != nil {
				return err
			}
			if flags.active && !flags.before {
				if err := o.tryMeshes(command.Context(), c, facts, flags); err != nil {
					return err
				}
			}
			checks := report.NewChecks(preflight.Run(facts))
			if err := o.print(checks, checks.Text); err != nil {
				return err
			}
			worst := preflight.Worst(checks.Checks)
			return c.verdict(worst == preflight.OK || worst == preflight.Warning && !flags.isStrict)
		},
	}
	command.Flags().StringVarP(&flags.file, "filename", "f", "", "check for the NSMs of this file; - for the standard input")
	command.Flags().IntVar(&flags.certDays, "cert-days", 7, "how many days a certificate has to last")
	command.Flags().BoolVar(&flags.isStrict, "strict", false, "end with 1 for a warning, too")
	o.addAllNamespaces(command, &flags.all)
	command.Flags().BoolVar(&flags.before, "pre", false, "check whether the operator and SPIRE can be installed, before they are")
	command.Flags().StringVar(&flags.helm, "helm-version", "", "with --pre: the version of Helm that you use, such as v4.3.0")
	command.Flags().BoolVar(&flags.active, "active", false, "try the mesh by a client and an endpoint, which are made and removed again; with --pre: try a privileged pod by a dry run")
	command.Flags().StringVar(&flags.activeNamespace, "active-namespace", "", "with --active: an existing namespace to make the pods in, instead of one of their own")
	command.Flags().StringVar(&flags.endpointImage, "endpoint-image", "", "with --active: the image of the endpoint, instead of cmd-nse-icmp-responder of the mesh's release")
	command.Flags().BoolVar(&flags.connectOnly, "connect-only", false, "with --active: wait for the connection, and do not ping")
	o.addOutput(command, "json", "yaml")
	return command
}

// facts reads all that the checks look at.
func (o *options) facts(ctx context.Context, c *cluster, flags *checkFlags) (*preflight.Facts, error) {
	facts := &preflight.Facts{CertDays: flags.certDays, Before: flags.before, HelmVersion: flags.helm, Unseen: map[preflight.Part]string{}}
	version, err := c.asks.ServerVersion()
	if err != nil {
		return nil, c.explain(err, "get /version")
	}
	facts.Version = version.GitVersion
	if facts.ServesNSMs, err = serves(c.asks, nsmv1beta1.GroupVersion, "NSM"); err != nil {
		return nil, c.explain(err, "what the cluster offers")
	}
	if facts.ServesEntries, err = serves(c.asks, registryVersion, "NetworkService", "NetworkServiceEndpoint"); err != nil {
		return nil, c.explain(err, "what the cluster offers")
	}
	nsms, err := o.nsmsToCheck(ctx, c, flags.file, facts.ServesNSMs)
	if err != nil {
		return nil, err
	}
	for i := range nsms {
		in, err := c.inputOf(ctx, &nsms[i])
		if err != nil {
			return nil, err
		}
		facts.Platform = in.Platform
		facts.Meshes = append(facts.Meshes, preflight.Mesh{Input: in, Components: mesh.Components(in)})
	}
	// Each check tells what it could not see.
	c.notSeen, c.showsPart = nil, true
	reads := []func(context.Context, *preflight.Facts) error{
		c.factsOfNamespaces, c.factsOfNodes, c.factsOfOperators, c.factsOfCollectors, c.factsOfEndpoints, c.factsOfCertificates,
		c.factsOfConstraints, c.factsOfDomain, c.factsOfLoadBalancers, c.factsOfClocks, c.factsOfDrivers, c.factsOfMachineConfigs, c.factsOfBundles,
		c.factsOfInotify,
	}
	if flags.before {
		reads = append(reads, c.factsBefore)
	}
	switch {
	case flags.before && flags.active:
		reads = append(reads, c.tryPrivileged)
	case flags.active:
		reads = append(reads, c.factsOfWebhooks, c.askForBundles)
	}
	for _, read := range reads {
		if err := read(ctx, facts); err != nil {
			return nil, err
		}
	}
	facts.Now = c.clock.now()
	return facts, nil
}

// nsmsToCheck are those of a file or of the namespace, or one that is not there yet.
func (o *options) nsmsToCheck(ctx context.Context, c *cluster, file string, isServed bool) ([]nsmv1beta1.NSM, error) {
	switch {
	case file != "":
		return o.readNSMs(ctx, file, c.namespace)
	case isServed:
		if nsms, err := c.nsms(ctx, nil); err != nil || len(nsms) > 0 {
			return nsms, err
		}
	}
	namespace := c.namespace
	if namespace == "" {
		namespace = "nsm"
	}
	return []nsmv1beta1.NSM{{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "nsm"}}}, nil
}

// serves reports whether the API server knows kinds in a version. It is asked anew: what
// kubectl keeps of a cluster may be hours old.
func serves(asks discovery.DiscoveryInterface, version schema.GroupVersion, kinds ...string) (bool, error) {
	known, err := asks.ServerResourcesForGroupVersion(version.String())
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return !slices.ContainsFunc(kinds, func(kind string) bool {
		return !slices.ContainsFunc(known.APIResources, func(resource metav1.APIResource) bool { return resource.Kind == kind })
	}), nil
}

// part reads a part of the facts, and notes if it may not be read.
func (c *cluster) part(facts *preflight.Facts, part preflight.Part, err error, what string) error {
	before := len(c.notSeen)
	err = c.unlessHidden(err, what)
	if len(c.notSeen) > before {
		facts.Unseen[part] = c.notSeen[before]
	}
	return err
}

func (c *cluster) factsOfNamespaces(ctx context.Context, facts *preflight.Facts) error {
	for i := range facts.Meshes {
		m := &facts.Meshes[i]
		namespace := &corev1.Namespace{}
		err := c.Get(ctx, client.ObjectKey{Name: m.Input.NSM.Namespace}, namespace)
		switch {
		case apierrors.IsNotFound(err):
		case err != nil:
			if err := c.part(facts, preflight.PartNamespaces, err, "get namespaces"); err != nil {
				return err
			}
		default:
			m.NamespaceLabels = namespace.Labels
			if m.NamespaceLabels == nil {
				m.NamespaceLabels = map[string]string{}
			}
		}
	}
	var all corev1.NamespaceList
	err := c.part(facts, preflight.PartAllNamespaces, c.List(ctx, &all), "list namespaces")
	facts.Namespaces = all.Items
	return err
}

func (c *cluster) factsOfNodes(ctx context.Context, facts *preflight.Facts) error {
	var nodes corev1.NodeList
	if err := c.part(facts, preflight.PartNodes, c.List(ctx, &nodes), "list nodes"); err != nil {
		return err
	}
	var pods corev1.PodList
	err := c.part(facts, preflight.PartPods, c.List(ctx, &pods), "list pods in all namespaces")
	facts.Nodes, facts.Pods = nodes.Items, pods.Items
	return err
}

func (c *cluster) factsOfOperators(ctx context.Context, facts *preflight.Facts) error {
	operators, err := c.seeOperators(ctx)
	if err != nil {
		return err
	}
	if !operators.SeesDeployments {
		facts.Unseen[preflight.PartOperators] = operators.NotSeen[0]
	}
	verdict := operators.Judge(version, c.clock.now())
	facts.BrokenOperators, facts.OtherOperators, facts.Versions = verdict.Broken, verdict.Others, verdict.Versions
	for i := range facts.Meshes {
		nsm := facts.Meshes[i].Input.NSM
		if fields := c.unknown[client.ObjectKeyFromObject(nsm)]; len(fields) > 0 {
			facts.Versions = append(facts.Versions, fmt.Sprintf("mesh %s/%s: this version of the plugin does not know %s", nsm.Namespace, nsm.Name, report.PathsOf(fields)))
		}
	}
	return nil
}

func (c *cluster) factsOfCollectors(ctx context.Context, facts *preflight.Facts) error {
	facts.Collectors = map[string][]discoveryv1.EndpointSlice{}
	for i := range facts.Meshes {
		for _, service := range facts.Meshes[i].Collectors() {
			namespace, name, _ := strings.Cut(service, "/")
			var slices discoveryv1.EndpointSliceList
			err := c.List(ctx, &slices, client.InNamespace(namespace), client.MatchingLabels{discoveryv1.LabelServiceName: name})
			if err := c.part(facts, preflight.PartCollectors, err, "list endpointslices in namespace "+namespace); err != nil {
				return err
			}
			facts.Collectors[service] = slices.Items
		}
	}
	return nil
}

func (c *cluster) factsOfEndpoints(ctx context.Context, facts *preflight.Facts) error {
	if !facts.ServesEntries {
		return nil
	}
	list := entryList("NetworkServiceEndpoint")
	err := c.part(facts, preflight.PartEndpoints, c.List(ctx, list, client.InNamespace(c.namespace)), "list networkserviceendpoints")
	seen := &report.Registered{Endpoints: list.Items, Now: c.clock.now()}
	for _, endpoint := range report.TopologyOf(seen).Endpoints {
		if endpoint.Expired {
			facts.ExpiredEndpoints = append(facts.ExpiredEndpoints, endpoint.Namespace+"/"+endpoint.Name)
		} else {
			facts.LiveEndpoints = append(facts.LiveEndpoints, endpoint.Name)
		}
	}
	return err
}

// factsOfCertificates reads by which certificates webhooks are trusted: the operator's
// own, and those of meshes. No Secret is read.
func (c *cluster) factsOfCertificates(ctx context.Context, facts *preflight.Facts) error {
	facts.Certificates = map[string][]byte{}
	names := []string{"nsm-operator-defaults"}
	for i := range facts.Meshes {
		names = append(names, mesh.WebhookConfigurationName(facts.Meshes[i].Input.NSM.Namespace))
	}
	for _, name := range names {
		configuration := &admissionregistrationv1.MutatingWebhookConfiguration{}
		err := c.Get(ctx, client.ObjectKey{Name: name}, configuration)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err := c.part(facts, preflight.PartCertificates, err, "get mutatingwebhookconfigurations"); err != nil {
			return err
		}
		for i := range configuration.Webhooks {
			facts.Certificates[fmt.Sprintf("MutatingWebhookConfiguration %s", name)] = configuration.Webhooks[i].ClientConfig.CABundle
		}
	}
	return nil
}
