// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package olm installs, upgrades and removes the operator by the real OLM: its two
// operators and a catalog server as processes beside a real control plane. Pods of
// the operator are processes as well; those of the meshes are simulated.
package olm

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	operatorsv1 "github.com/operator-framework/api/pkg/operators/v1"
	operatorsv1alpha1 "github.com/operator-framework/api/pkg/operators/v1alpha1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1alpha1 "github.com/networkservicemesh/nsm-operator/apis/v1alpha1"
	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/test/parallel"
)

var (
	// root of the repository.
	root string
	// directory of this run: data, logs, credentials.
	directory string
	config    *rest.Config
	admin     client.Client
	catalog   *catalogServer
	// long: every form of a scene is tried, also those that others stand for.
	long = os.Getenv("LONG") != ""
)

func TestOLM(t *testing.T) {
	RegisterFailHandler(failWithState)
	SetDefaultEventuallyTimeout(3 * time.Minute)
	// OLM's InstallPlans are large: to ask for them ten times a second takes half a core.
	SetDefaultEventuallyPollingInterval(500 * time.Millisecond)
	EnforceDefaultTimeoutsWhenUsingContexts()
	ctrl.SetLogger(GinkgoLogr)
	// Half of the time, one of them waits. What LONG adds takes all of the machine.
	processes := 2
	if long {
		processes = 1
	}
	parallel.RunSpecs(t, "OLM", processes)
}

// All scenes of a process share one control plane, and each leaves it as it found it.
var _ = BeforeSuite(func(ctx SpecContext) {
	var err error
	root, err = filepath.Abs("../..")
	Expect(err).NotTo(HaveOccurred())
	directory = newDirectory()
	startCluster(ctx)
	installOLM(ctx)
	catalog = newCatalogServer(ctx)
})

// newDirectory is a short path, since there are sockets in it. A failed run leaves
// it, to be looked at.
func newDirectory() string {
	GinkgoHelper()
	made, err := os.MkdirTemp("", "olm")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func(ctx SpecContext) {
		if failed {
			fmt.Fprintln(os.Stderr, "logs are left in", made)
			return
		}
		Expect(os.RemoveAll(made)).To(Succeed())
	})
	return made
}

// failed is whether any spec has.
var failed bool

var _ = ReportAfterEach(func(report SpecReport) { failed = failed || report.Failed() })

func newScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme, operatorsv1.AddToScheme, operatorsv1alpha1.AddToScheme,
		nsmv1alpha1.AddToScheme, nsmv1beta1.AddToScheme,
	} {
		utilruntime.Must(add(scheme))
	}
	return scheme
}
