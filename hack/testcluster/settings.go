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

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/networkservicemesh/nsm-operator/hack/internal/deploy"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

// settings are what the caller chooses, beside those of the installation.
type settings struct {
	deploy.Settings

	// from and to are the releases of NSM that the mesh is made with and upgraded to.
	from, to string
	// clients is the namespace of clients and endpoint.
	clients string
	// sample is a file with the NSM, and values one with values of the chart; "" for those
	// that fit the cluster.
	sample, values string
	samples, chart string
	helm, plugin   string
	report         string
	support        string
	yes, keep      bool
}

func (s *settings) flags(f *flag.FlagSet) {
	s.Settings.Flags(f)
	known := release.Known()
	f.StringVar(&s.from, "from", known[len(known)-2], "`release` of NSM that the mesh is made with")
	f.StringVar(&s.to, "to", release.Newest().String(), "`release` that it is upgraded to")
	f.StringVar(&s.clients, "clients", "nsm-test-clients", "`namespace` of clients and endpoint, which is made")
	f.StringVar(&s.sample, "sample", "", "`file` with the NSM; its name, namespace and version are replaced")
	f.StringVar(&s.values, "values", "", "`file` with values of the chart, such as another registry")
	f.StringVar(&s.samples, "samples", "config/samples", "`directory` of the NSMs that are used without -sample")
	f.StringVar(&s.chart, "chart", "config/samples/application", "`directory` of the chart of clients and endpoint")
	f.StringVar(&s.helm, "helm", "bin/helm", "the `program`")
	f.StringVar(&s.plugin, "plugin", "bin/kubectl-nsm", "the `program`")
	f.StringVar(&s.report, "report", "", "`file` that the report is written to as JSON")
	f.StringVar(&s.support, "support", "nsm-test-cluster-support.tar.gz", "`file` that support data is written to where something fails")
	f.BoolVar(&s.yes, "yes", false, "do not ask before anything is changed")
	f.BoolVar(&s.keep, "keep", false, "remove nothing at the end")
}

// check finds what is wrong before anything is asked.
func (s *settings) check() error {
	wrong := []error{s.Settings.Check()}
	older, fromErr := release.Parse(s.from)
	newer, toErr := release.Parse(s.to)
	switch {
	case fromErr != nil:
		wrong = append(wrong, fmt.Errorf("FROM=%s: %w", s.from, fromErr))
	case toErr != nil:
		wrong = append(wrong, fmt.Errorf("TO=%s: %w", s.to, toErr))
	case older.AtLeast(newer):
		wrong = append(wrong, fmt.Errorf("FROM=%s: must be a release before TO=%s", s.from, s.to))
	}
	for _, problem := range validation.IsDNS1123Label(s.clients) {
		wrong = append(wrong, fmt.Errorf("CLIENTS=%s: %s", s.clients, problem))
	}
	if s.clients == s.Namespace {
		wrong = append(wrong, errors.New("CLIENTS: must not be the namespace of the mesh"))
	}
	for _, file := range []string{s.sample, s.values, s.helm, s.plugin} {
		if file == "" {
			continue
		}
		if _, err := os.Stat(file); err != nil {
			wrong = append(wrong, err)
		}
	}
	return errors.Join(wrong...)
}
