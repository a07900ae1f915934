// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/release"
	"github.com/networkservicemesh/nsm-operator/internal/rollout"
)

// renderFlags are those of render.
type renderFlags struct {
	file     string
	platform mesh.Platform
	// clients are the namespaces of clients.
	clients []string
	// pulls: what has nodes pull images, too.
	pulls bool
	// all namespaces.
	all bool
}

func newRender(o *options) *cobra.Command {
	flags := &renderFlags{}
	command := &cobra.Command{
		Use:   "render [NAME]",
		Short: "Print the objects that the operator makes of an NSM",
		Long: "Print the objects that the operator makes of an NSM, of this cluster or of a file.\n\n" +
			"From a file it needs no cluster: flags say what that would be like, and RELATED_IMAGE_* in the environment redirect images, as those " +
			"of the operator do. Secrets are left out: the operator issues what is in them.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			ctx, cancel := o.within(command.Context())
			defer cancel()
			if flags.file != "" {
				return o.renderFile(ctx, flags)
			}
			return o.renderCluster(ctx, args, flags)
		},
	}
	command.Flags().StringVarP(&flags.file, "filename", "f", "", "render the NSMs of this file, without a cluster; - for the standard input")
	command.Flags().BoolVar(&flags.platform.OpenShift, "openshift", false, "with -f: for OpenShift")
	command.Flags().BoolVar(&flags.platform.ClusterSPIFFEIDs, "cluster-spiffe-ids", true, "with -f: SPIRE's ClusterSPIFFEIDs are served")
	command.Flags().BoolVar(&flags.platform.ClusterProperties, "cluster-properties", false, "with -f: ClusterProperties (about.k8s.io) are served")
	command.Flags().StringSliceVar(&flags.clients, "client-namespaces", nil, "with -f: the namespaces that spec.openshift.clientNamespaces selects")
	command.Flags().BoolVar(&flags.pulls, "image-pulls", false, "also what has nodes pull all images before they are run")
	o.addAllNamespaces(command, &flags.all)
	command.MarkFlagsMutuallyExclusive("all-namespaces", "filename")
	o.addOutput(command, "json", "yaml")
	return command
}

func (o *options) renderFile(ctx context.Context, flags *renderFlags) error {
	namespace, _, err := o.flags.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return err
	}
	nsms, err := o.readNSMs(ctx, flags.file, namespace)
	if err != nil {
		return err
	}
	var objects []mesh.Object
	for i := range nsms {
		in := mesh.Input{
			NSM: &nsms[i], Platform: flags.platform, OperatorNamespace: defaultOperatorNamespace,
			RelatedImages: mesh.RelatedImages(os.Environ()), WebhookServing: true, ClientNamespaces: flags.clients,
		}
		if in.Release, err = release.Parse(rollout.VersionOf(&in.NSM.Spec)); err != nil {
			return fmt.Errorf("%s: NSM %s: spec.version: %q: %w", flags.file, in.NSM.Name, in.NSM.Spec.Version, err)
		}
		rendered, err := render(in, flags.pulls)
		if err != nil {
			return fmt.Errorf("%s: %w", flags.file, err)
		}
		objects = append(objects, rendered...)
	}
	return o.printObjects(objects)
}

func (o *options) renderCluster(ctx context.Context, names []string, flags *renderFlags) error {
	c, err := o.connect(ctx)
	if err != nil {
		return err
	}
	if flags.all {
		c.namespace = ""
	}
	nsms, err := c.nsms(ctx, names)
	if err != nil {
		return err
	}
	if err := o.warnOfVersions(ctx, c); err != nil {
		return err
	}
	var objects []mesh.Object
	for i := range nsms {
		in, err := c.inputOf(ctx, &nsms[i])
		if err != nil {
			return err
		}
		rendered, err := render(in, flags.pulls)
		if err != nil {
			return err
		}
		objects = append(objects, rendered...)
	}
	for _, what := range c.notSeen {
		o.warn("not seen: %s", what)
	}
	return o.printObjects(objects)
}

// render the objects of a mesh.
func render(in mesh.Input, pulls bool) ([]mesh.Object, error) {
	if problem := mesh.Invalid(in); problem != "" {
		return nil, fmt.Errorf("NSM %s/%s: %s", in.NSM.Namespace, in.NSM.Name, problem)
	}
	components := mesh.Components(in)
	objects := objectsOf(in, components)
	if pulls {
		for _, component := range components {
			objects = append(objects, mesh.ImagePull(component.Workload, mesh.ImagesOf(component.Workload), in.Platform))
		}
	}
	return objects, nil
}

// printObjects writes objects as a stream of YAML documents, or as a List in JSON:
// kubectl takes either.
func (o *options) printObjects(objects []mesh.Object) error {
	contents := make([]any, 0, len(objects))
	for _, object := range objects {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
		if err != nil {
			return fmt.Errorf("%s %s: %w", mesh.KindOf(object), object.GetName(), err)
		}
		delete(content, "status") // the cluster's alone to fill in
		contents = append(contents, content)
	}
	if o.format == "json" {
		return o.print(map[string]any{"apiVersion": "v1", "kind": "List", "items": contents}, nil)
	}
	for _, content := range contents {
		document, err := yaml.Marshal(content)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(o.Out, "---\n%s", document); err != nil {
			return err
		}
	}
	return nil
}
