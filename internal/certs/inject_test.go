// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package certs

import (
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// TestInjectKeepsWhatItDoesNotKnow: the CRD is written as a whole, by an operator that may
// be older than the API server.
func TestInjectKeepsWhatItDoesNotKnow(t *testing.T) {
	g := NewWithT(t)
	issuer := &Issuer{Namespace: "home"}
	crd, ok := targets[0].fresh().(*unstructured.Unstructured)
	g.Expect(ok).To(BeTrue())
	g.Expect(yaml.Unmarshal([]byte(`
metadata: {name: `+crdName+`, resourceVersion: "7", newerMetadata: a}
spec:
  newer: {kept: [1, true]}
  conversion: {strategy: None}
  versions:
  - {name: v1alpha1, served: false, newer: b, schema: {openAPIV3Schema: {type: object, x-kubernetes-newer: c}}}
  - {name: v2, served: false}
  - {name: v1beta1, served: true, storage: true}
status: {newer: d}
`), &crd.Object)).To(Succeed())
	g.Expect(issuer.injectInto(t.Context(), crd, []byte("ours"))).To(Succeed())
	written, err := yaml.Marshal(crd.Object)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(written).To(MatchYAML(`
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: ` + crdName + `, resourceVersion: "7", newerMetadata: a}
spec:
  newer: {kept: [1, true]}
  conversion:
    strategy: Webhook
    webhook:
      clientConfig:
        caBundle: b3Vycw==
        service: {namespace: home, name: nsm-operator-service, path: /convert, port: 443}
      conversionReviewVersions: [v1]
  versions:
  - {name: v1alpha1, served: true, newer: b, schema: {openAPIV3Schema: {type: object, x-kubernetes-newer: c}}}
  - {name: v2, served: false}
  - {name: v1beta1, served: true, storage: true}
status: {newer: d}
`))
}
