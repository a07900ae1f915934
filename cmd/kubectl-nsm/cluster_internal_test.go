// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// What users are promised: a request ends, whatever becomes of the API server.
func TestEachRequestEndsAfterATime(t *testing.T) {
	g := NewWithT(t)
	kubeconfig := filepath.Join(t.TempDir(), "config")
	g.Expect(os.WriteFile(kubeconfig, []byte(deadCluster), 0o600)).To(Succeed())
	for flag, want := range map[string]time.Duration{"": 15 * time.Second, "--request-timeout=1m": time.Minute, "--request-timeout=2s": 2 * time.Second} {
		o := &options{IOStreams: genericiooptions.NewTestIOStreamsDiscard(), flags: genericclioptions.NewConfigFlags(true)}
		args := []string{"--kubeconfig", kubeconfig}
		if flag != "" {
			args = append(args, flag)
		}
		g.Expect(newRoot(o).ParseFlags(args)).To(Succeed())
		c, err := o.connect(t.Context())
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(c.config.Timeout).To(Equal(want), flag)
	}
}
