// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package platform

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"

	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// apiServer answers as far as Detect asks; about SCCs with a status.
func apiServer(t *testing.T, network string, constraints int, groupVersions ...string) discovery.DiscoveryInterface {
	t.Helper()
	mux := http.NewServeMux()
	answer := func(path, body string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if _, err := w.Write([]byte(body)); err != nil {
				t.Error(err)
			}
		})
	}
	groups := metav1.APIGroupList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}}
	for i := 0; i+1 < len(groupVersions); i += 2 {
		version := metav1.GroupVersionForDiscovery{
			GroupVersion: groupVersions[i] + "/" + groupVersions[i+1], Version: groupVersions[i+1],
		}
		groups.Groups = append(groups.Groups, metav1.APIGroup{
			Name: groupVersions[i], Versions: []metav1.GroupVersionForDiscovery{version}, PreferredVersion: version,
		})
	}
	list, err := json.Marshal(groups)
	if err != nil {
		t.Fatal(err)
	}
	answer("/apis", string(list))
	answer("/api", `{"kind":"APIVersions","versions":["v1"]}`)
	if constraints != 0 {
		mux.HandleFunc("/apis/security.openshift.io/v1/securitycontextconstraints", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(constraints)
		})
	}
	if network != "" {
		answer("/apis/config.openshift.io/v1/networks/cluster", network)
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return discovery.NewDiscoveryClientForConfigOrDie(&rest.Config{Host: server.URL})
}

func TestDetect(t *testing.T) {
	const network = `{"status":{"clusterNetwork":[{"cidr":"10.128.0.0/14"}],"serviceNetwork":["172.30.0.0/16"]}}`
	for name, tc := range map[string]struct {
		network     string
		constraints int
		serves      []string
		want        mesh.Platform
		wantError   bool
	}{
		"plain Kubernetes":                {serves: []string{"apps", "v1"}},
		"SPIRE":                           {serves: []string{"spire.spiffe.io", "v1alpha1"}, want: mesh.Platform{ClusterSPIFFEIDs: true}},
		"another version of SPIRE's kind": {serves: []string{"spire.spiffe.io", "v9"}},
		"ClusterProperty":                 {serves: []string{"about.k8s.io", "v1alpha1"}, want: mesh.Platform{ClusterProperties: true}},
		"OpenShift": {
			network: network,
			serves:  []string{"security.openshift.io", "v1", "config.openshift.io", "v1"},
			want:    mesh.Platform{OpenShift: true, Networks: "172.30.0.0/16,10.128.0.0/14"},
		},
		"OpenShift's configuration without a network": {
			serves: []string{"security.openshift.io", "v1", "config.openshift.io", "v1"},
			want:   mesh.Platform{OpenShift: true},
		},
		"OpenShift while its own API server is down": {
			serves: []string{"config.openshift.io", "v1"}, constraints: http.StatusOK, want: mesh.Platform{OpenShift: true},
		},
		"OpenShift that lets nobody read SCCs": {
			serves: []string{"config.openshift.io", "v1"}, constraints: http.StatusForbidden, want: mesh.Platform{OpenShift: true},
		},
		"OpenShift's configuration on another cluster": {serves: []string{"config.openshift.io", "v1"}},
		"OpenShift that does not answer": {
			serves: []string{"config.openshift.io", "v1"}, constraints: http.StatusServiceUnavailable, wantError: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Detect(context.Background(), apiServer(t, tc.network, tc.constraints, tc.serves...))
			if (err != nil) != tc.wantError {
				t.Fatal(err)
			}
			if got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}
