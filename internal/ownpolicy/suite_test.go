// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package ownpolicy_test

import (
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/networkservicemesh/nsm-operator/test/apiserver"
)

var (
	// admin may do everything.
	admin client.WithWatch
	// operator has exactly the shipped roles.
	operator client.WithWatch
)

func TestOwnPolicy(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(time.Minute)
	RunSpecs(t, "The operator's NetworkPolicy")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	server := apiserver.Start(&envtest.Environment{})
	server.Install(ctx)
	var err error
	admin, err = client.NewWithWatch(server.Config, client.Options{Scheme: clientgoscheme.Scheme})
	Expect(err).NotTo(HaveOccurred())
	operator, err = client.NewWithWatch(server.Operator(), client.Options{Scheme: clientgoscheme.Scheme})
	Expect(err).NotTo(HaveOccurred())
})
