// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package deploy puts the operator, and SPIRE for a lab, onto the cluster of the current
// kubeconfig, and takes both away again: what "make deploy" and "make undeploy" do.
package deploy

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/distribution/reference"
	"k8s.io/apimachinery/pkg/util/validation"
)

// What SPIRE may be set to.
const (
	spireLab      = "lab"
	spireExternal = "external"
)

// storages are what the data of SPIRE's server may be kept in, and what each loses.
// Each has its directory in config/spire.
var storages = []struct{ name, directory, loses string }{
	{"pvc", "pvc", "it is kept until the PersistentVolumeClaim spire/spire-data is deleted, which undeploy does"},
	{"hostPath", "hostpath", "a server that is scheduled on another node starts anew; undeploy leaves " + spireDirectory + " on the node, where a later server finds it"},
	{"emptyDir", "emptydir", "it is lost with the server's pod: identities are renewed again when all agents have started over, about a minute later"},
}

// Settings are what the caller chooses.
type Settings struct {
	// Image of the operator, and Namespace that is made ready for a mesh.
	Image, Namespace string
	// Spire is "lab" for one of our own, which is what the next six are for.
	Spire                         string
	Storage, TrustDomain, Kubelet string
	// Registry has the images of that SPIRE, by their names alone; "" for where they are published.
	Registry string
	// CSI adds its CSI driver, Federation a Service that other trust domains reach it by.
	CSI, Federation bool
	// Timeout of each thing that is waited for.
	Timeout time.Duration
	// Config is the directory of the manifests, Kustomize the program, Out the file that
	// Installer writes.
	Config, Kustomize, Out string
	// ImageCheck is a program that asks a registry, DefaultImage that of the release.
	ImageCheck, DefaultImage string
}

// Namespaces that Up makes.
func (s *Settings) Namespaces() []string {
	names := []string{s.Namespace, operatorNamespace}
	if s.BringsSpire() {
		names = append(names, spireNamespace)
	}
	return names
}

// BringsSpire reports whether Up installs a SPIRE.
func (s *Settings) BringsSpire() bool { return s.Spire == spireLab }

// OperatorNamespace is the operator's.
func (s *Settings) OperatorNamespace() string { return operatorNamespace }

// Flags adds the flags of all of them.
func (s *Settings) Flags(f *flag.FlagSet) {
	f.StringVar(&s.Image, "image", "", "`image` of the operator")
	f.StringVar(&s.Namespace, "namespace", "nsm", "`namespace` that is made ready for a mesh")
	f.StringVar(&s.Spire, "spire", spireLab, `"lab" for a SPIRE of the operator's own, "external" where SPIRE is there or comes otherwise`)
	f.StringVar(&s.Storage, "spire-storage", "pvc", "where the server of that SPIRE keeps its data: pvc, hostPath or emptyDir")
	f.StringVar(&s.TrustDomain, "trust-domain", "k8s.nsm", "trust domain of that SPIRE")
	f.StringVar(&s.Registry, "spire-registry", "", "`registry` with the images of that SPIRE (default: where they are published)")
	f.BoolVar(&s.CSI, "spire-csi", false, "with SPIRE's CSI driver")
	f.BoolVar(&s.Federation, "spire-federation", false, "with a load balancer, from which other trust domains fetch the bundle of that SPIRE")
	f.StringVar(&s.Kubelet, "kubelet-directory", "", "`directory` of the kubelets, for the CSI driver (default: what the nodes show)")
	f.DurationVar(&s.Timeout, "timeout", 5*time.Minute, "how long each step may take")
	f.StringVar(&s.Config, "config", "config", "`directory` of the manifests")
	f.StringVar(&s.Kustomize, "kustomize", "bin/kustomize", "the `program`")
	f.StringVar(&s.ImageCheck, "image-check", "", "a `program` that asks a registry for an image; without it nobody is asked")
	f.StringVar(&s.DefaultImage, "default-image", "", "the `image` of the release, which anybody may pull")
	f.StringVar(&s.Out, "out", "dist/install.yaml", "`file` that the command installer writes")
}

// Check finds what is wrong before anything is asked or changed.
func (s *Settings) Check() error {
	var wrong []error
	oneOf := func(flag, value string, allowed ...string) {
		if !slices.Contains(allowed, value) {
			wrong = append(wrong, fmt.Errorf("%s=%s: must be one of %s", flag, value, strings.Join(allowed, ", ")))
		}
	}
	oneOf("SPIRE", s.Spire, spireLab, spireExternal)
	names := make([]string, 0, len(storages))
	for _, storage := range storages {
		names = append(names, storage.name)
	}
	oneOf("SPIRE_STORAGE", s.Storage, names...)
	if _, err := reference.ParseNormalizedNamed(s.Image); s.Image != "" && err != nil {
		wrong = append(wrong, fmt.Errorf("IMG=%s: %w", s.Image, err))
	}
	for _, problem := range validation.IsDNS1123Label(s.Namespace) {
		wrong = append(wrong, fmt.Errorf("NAMESPACE=%s: %s", s.Namespace, problem))
	}
	for _, problem := range validation.IsDNS1123Subdomain(s.TrustDomain) {
		wrong = append(wrong, fmt.Errorf("TRUST_DOMAIN=%s: %s", s.TrustDomain, problem))
	}
	if _, err := reference.ParseNamed(s.Registry + "/spire-server"); s.Registry != "" && err != nil {
		wrong = append(wrong, fmt.Errorf("SPIRE_REGISTRY=%s: must be a registry, with or without a path, such as mirror.example.com:5000/spiffe: %w", s.Registry, err))
	}
	if s.Kubelet != "" && !strings.HasPrefix(s.Kubelet, "/") {
		wrong = append(wrong, fmt.Errorf("KUBELET_DIR=%s: must be an absolute path", s.Kubelet))
	}
	if s.Timeout <= 0 {
		wrong = append(wrong, fmt.Errorf("TIMEOUT=%s: must be more than nothing", s.Timeout))
	}
	if _, err := os.Stat(s.Kustomize); err != nil {
		wrong = append(wrong, fmt.Errorf("kustomize is not there: %w (make deploy builds it)", err))
	}
	return errors.Join(wrong...)
}

// storageDirectory is the one of the chosen storage, in config/spire.
func (s *Settings) storageDirectory() string {
	for _, storage := range storages {
		if storage.name == s.Storage {
			return storage.directory
		}
	}
	return ""
}

// loses says what becomes of the data of SPIRE's server.
func (s *Settings) loses() string {
	for _, storage := range storages {
		if storage.name == s.Storage {
			return storage.loses
		}
	}
	return ""
}
