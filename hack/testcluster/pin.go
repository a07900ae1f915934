// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"os"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// pin keeps to the cluster of the current context, in this process and in the programs
// that it runs, whatever context somebody changes to meanwhile. It returns what undoes it.
func pin() (func(), error) {
	config, err := clientcmd.NewDefaultClientConfigLoadingRules().Load()
	if err != nil || config.CurrentContext == "" {
		return func() {}, err // what there is then, such as that of a pod, does not change
	}
	if err := clientcmdapi.MinifyConfig(config); err != nil {
		return nil, err
	}
	if err := clientcmdapi.FlattenConfig(config); err != nil {
		return nil, err
	}
	file, err := os.CreateTemp("", "nsm-test-cluster-*")
	if err != nil {
		return nil, err
	}
	unpin := func() { _ = os.Remove(file.Name()) }
	if err := clientcmd.WriteToFile(*config, file.Name()); err != nil {
		unpin()
		return nil, err
	}
	return unpin, os.Setenv("KUBECONFIG", file.Name())
}
