// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

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
	{"hostPath", "hostpath", "a server that is scheduled on another node starts anew; undeploy leaves /var/lib/nsm-spire-server on the node"},
	{"emptyDir", "emptydir", "it is lost with the server's pod: identities are renewed again when all agents have started over, about a minute later"},
}

// settings are what the caller chooses.
type settings struct {
	image, namespace         string
	spire, storage           string
	trustDomain, kubelet     string
	csi                      bool
	timeout                  time.Duration
	config, kustomize, out   string
	imageCheck, defaultImage string
}

func (s *settings) flags(f *flag.FlagSet) {
	f.StringVar(&s.image, "image", "", "`image` of the operator")
	f.StringVar(&s.namespace, "namespace", "nsm", "`namespace` that is made ready for a mesh")
	f.StringVar(&s.spire, "spire", spireLab, `"lab" for a SPIRE of the operator's own, "external" where SPIRE is there or comes otherwise`)
	f.StringVar(&s.storage, "spire-storage", "pvc", "where the server of that SPIRE keeps its data: pvc, hostPath or emptyDir")
	f.StringVar(&s.trustDomain, "trust-domain", "k8s.nsm", "trust domain of that SPIRE")
	f.BoolVar(&s.csi, "spire-csi", false, "with SPIRE's CSI driver")
	f.StringVar(&s.kubelet, "kubelet-directory", "", "`directory` of the kubelets, for the CSI driver (default: what the nodes show)")
	f.DurationVar(&s.timeout, "timeout", 5*time.Minute, "how long each step may take")
	f.StringVar(&s.config, "config", "config", "`directory` of the manifests")
	f.StringVar(&s.kustomize, "kustomize", "bin/kustomize", "the `program`")
	f.StringVar(&s.imageCheck, "image-check", "", "a `program` that asks a registry for an image; without it nobody is asked")
	f.StringVar(&s.defaultImage, "default-image", "", "the `image` of the release, which anybody may pull")
	f.StringVar(&s.out, "out", "dist/install.yaml", "`file` that the command installer writes")
}

// check finds what is wrong before anything is asked or changed.
func (s *settings) check() error {
	var wrong []error
	oneOf := func(flag, value string, allowed ...string) {
		if !slices.Contains(allowed, value) {
			wrong = append(wrong, fmt.Errorf("%s=%s: must be one of %s", flag, value, strings.Join(allowed, ", ")))
		}
	}
	oneOf("SPIRE", s.spire, spireLab, spireExternal)
	names := make([]string, 0, len(storages))
	for _, storage := range storages {
		names = append(names, storage.name)
	}
	oneOf("SPIRE_STORAGE", s.storage, names...)
	if _, err := reference.ParseNormalizedNamed(s.image); s.image != "" && err != nil {
		wrong = append(wrong, fmt.Errorf("IMG=%s: %w", s.image, err))
	}
	for _, problem := range validation.IsDNS1123Label(s.namespace) {
		wrong = append(wrong, fmt.Errorf("NAMESPACE=%s: %s", s.namespace, problem))
	}
	for _, problem := range validation.IsDNS1123Subdomain(s.trustDomain) {
		wrong = append(wrong, fmt.Errorf("TRUST_DOMAIN=%s: %s", s.trustDomain, problem))
	}
	if s.kubelet != "" && !strings.HasPrefix(s.kubelet, "/") {
		wrong = append(wrong, fmt.Errorf("KUBELET_DIR=%s: must be an absolute path", s.kubelet))
	}
	if s.timeout <= 0 {
		wrong = append(wrong, fmt.Errorf("TIMEOUT=%s: must be more than nothing", s.timeout))
	}
	if _, err := os.Stat(s.kustomize); err != nil {
		wrong = append(wrong, fmt.Errorf("kustomize is not there: %w (make deploy builds it)", err))
	}
	return errors.Join(wrong...)
}

// storageDirectory is the one of the chosen storage, in config/spire.
func (s *settings) storageDirectory() string {
	for _, storage := range storages {
		if storage.name == s.storage {
			return storage.directory
		}
	}
	return ""
}

// loses says what becomes of the data of SPIRE's server.
func (s *settings) loses() string {
	for _, storage := range storages {
		if storage.name == s.storage {
			return storage.loses
		}
	}
	return ""
}
