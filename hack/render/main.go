// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Render prints the objects that the operator would make of an NSM, as YAML and
// without a cluster: to read them before they are applied, and to compare what
// two specs come to. The admission webhook's certificate is missing, since the
// operator issues it in the cluster.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

func main() {
	var platform mesh.Platform
	file := flag.String("nsm", "-", "file with an NSM in v1beta1; - for the standard input")
	clients := flag.String("client-namespaces", "", "namespaces that spec.openshift.clientNamespaces selects, with commas between them")
	flag.BoolVar(&platform.OpenShift, "openshift", false, "render for OpenShift")
	flag.BoolVar(&platform.ClusterSPIFFEIDs, "cluster-spiffe-ids", true, "SPIRE's ClusterSPIFFEIDs are served")
	flag.BoolVar(&platform.ClusterProperties, "cluster-properties", false, "ClusterProperties (about.k8s.io) are served")
	pulls := flag.Bool("image-pulls", false, "render as well what has nodes pull all images before they are run")
	flag.Parse()
	in := mesh.Input{
		Platform: platform, OperatorNamespace: "nsm-operator-system", RelatedImages: mesh.RelatedImages(os.Environ()),
		WebhookServing: true,
	}
	if *clients != "" {
		in.ClientNamespaces = strings.Split(*clients, ",")
	}
	if err := run(in, *file, *pulls, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "render: %v\n", err)
		os.Exit(1)
	}
}

// run renders the NSM in a file.
func run(in mesh.Input, file string, pulls bool, out io.Writer) error {
	nsm, err := read(file)
	if err != nil {
		return err
	}
	in.NSM = nsm
	if in.Release, err = release.Parse(cmp.Or(nsm.Spec.Version, release.Newest().String())); err != nil {
		return fmt.Errorf("spec.version: %q: %w", nsm.Spec.Version, err)
	}
	components := mesh.Components(in)
	objects := slices.Concat(mesh.Identities(in), mesh.Constraints(in, components), mesh.Objects(components))
	if pulls {
		for _, component := range components {
			objects = append(objects, mesh.ImagePull(component.Workload, mesh.ImagesOf(component.Workload), in.Platform))
		}
	}
	for _, object := range objects {
		if err := write(out, object); err != nil {
			return fmt.Errorf("%T %s: %w", object, object.GetName(), err)
		}
	}
	return nil
}

func read(file string) (*nsmv1beta1.NSM, error) {
	in := io.Reader(os.Stdin)
	if file != "-" {
		opened, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer opened.Close()
		in = opened
	}
	data, err := io.ReadAll(in)
	if err != nil {
		return nil, err
	}
	nsm := &nsmv1beta1.NSM{}
	if err := yaml.UnmarshalStrict(data, nsm); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if version := nsmv1beta1.GroupVersion.String(); nsm.APIVersion != version || nsm.Kind != "NSM" {
		return nil, fmt.Errorf("%s: %s %s is no NSM in %s", file, nsm.APIVersion, nsm.Kind, version)
	}
	nsm.Namespace = cmp.Or(nsm.Namespace, "nsm-system")
	return nsm, nil
}

// write prints one document, without the status that only a cluster fills in.
func write(out io.Writer, object mesh.Object) error {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return err
	}
	delete(content, "status")
	document, err := yaml.Marshal(content)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "---\n%s", document)
	return err
}
