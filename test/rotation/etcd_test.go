// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package rotation_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// storedVersions tells in which version each NSM lies in etcd, by its namespace.
// No API tells; this asks etcd itself.
func storedVersions(ctx context.Context) map[string]string {
	GinkgoHelper()
	const prefix = "/registry/nsm.networkservicemesh.io/nsms/"
	question, err := json.Marshal(map[string][]byte{"key": []byte(prefix), "range_end": []byte(prefix[:len(prefix)-1] + "0")})
	Expect(err).NotTo(HaveOccurred())
	url := server.Environment.ControlPlane.Etcd.URL.JoinPath("/v3/kv/range").String()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(question))
	Expect(err).NotTo(HaveOccurred())
	answer, err := http.DefaultClient.Do(request)
	Expect(err).NotTo(HaveOccurred())
	defer answer.Body.Close()
	var found struct {
		KVs []struct {
			Value []byte `json:"value"`
		} `json:"kvs"`
	}
	Expect(json.NewDecoder(answer.Body).Decode(&found)).To(Succeed())
	versions := map[string]string{}
	for _, kv := range found.KVs {
		var object struct {
			APIVersion string `json:"apiVersion"`
			Metadata   struct {
				Namespace string `json:"namespace"`
			} `json:"metadata"`
		}
		Expect(json.Unmarshal(kv.Value, &object)).To(Succeed())
		versions[object.Metadata.Namespace] = object.APIVersion
	}
	return versions
}
