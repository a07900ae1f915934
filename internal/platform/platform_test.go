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
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"

	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

const (
	scc        = "security.openshift.io/v1/securitycontextconstraints"
	config     = "config.openshift.io/v1/networks"
	spiffeID   = "spire.spiffe.io/v1alpha1/clusterspiffeids"
	podMonitor = "monitoring.coreos.com/v1/podmonitors"
	property   = "about.k8s.io/v1alpha1/clusterproperties"
	oneNetwork = `{"status":{"clusterNetwork":[{"cidr":"10.128.0.0/14"}],"serviceNetwork":["172.30.0.0/16"]}}`
)

// apiServer answers as far as Detect asks.
type apiServer struct {
	// serves are resources: group/version/resource.
	serves []string
	// network is OpenShift's, none where it is empty.
	network string
	// statuses are the answers instead, by path.
	statuses map[string]int
	// kubelets are the versions of those of the nodes, one a page.
	kubelets []string
}

func (s *apiServer) client(t *testing.T) discovery.DiscoveryInterface {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return discovery.NewDiscoveryClientForConfigOrDie(&rest.Config{Host: server.URL})
}

func (s *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if status := s.statuses[r.URL.Path]; status != 0 {
		w.WriteHeader(status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	groups := metav1.APIGroupList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}}
	lists := map[string]metav1.APIResourceList{}
	for _, served := range s.serves {
		group, version, resource := parts(served)
		of := metav1.GroupVersionForDiscovery{GroupVersion: group + "/" + version, Version: version}
		groups.Groups = append(groups.Groups, metav1.APIGroup{Name: group, Versions: []metav1.GroupVersionForDiscovery{of}, PreferredVersion: of})
		list := lists["/apis/"+of.GroupVersion]
		list.TypeMeta, list.GroupVersion = metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}, of.GroupVersion
		list.APIResources = append(list.APIResources, metav1.APIResource{Name: resource})
		lists["/apis/"+of.GroupVersion] = list
	}
	var answer any
	switch list, isList := lists[r.URL.Path]; {
	case isList:
		answer = list
	case r.URL.Path == "/apis":
		answer = groups
	case r.URL.Path == "/api":
		answer = metav1.APIVersions{TypeMeta: metav1.TypeMeta{Kind: "APIVersions"}, Versions: []string{"v1"}}
	case r.URL.Path == "/api/v1/nodes":
		answer = s.page(r.URL.Query().Get("continue"))
	case r.URL.Path == "/apis/"+config+"/cluster" && s.network != "":
		answer = json.RawMessage(s.network)
	default:
		w.WriteHeader(http.StatusNotFound)
		return
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// page of the nodes, after so many.
func (s *apiServer) page(after string) *corev1.NodeList {
	var list corev1.NodeList
	n, _ := strconv.Atoi(after)
	if n < len(s.kubelets) {
		node := corev1.Node{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{corev1.LabelOSStable: "linux"}}}
		node.Status.NodeInfo.KubeletVersion = s.kubelets[n]
		list.Items = append(list.Items, node)
	}
	if n+1 < len(s.kubelets) {
		list.Continue = strconv.Itoa(n + 1)
	}
	return &list
}

func parts(served string) (group, version, resource string) {
	all := strings.Split(served, "/")
	return all[0], all[1], all[2]
}

func TestDetect(t *testing.T) {
	openShift := mesh.Platform{OpenShift: true, Networks: "172.30.0.0/16,10.128.0.0/14"}
	for name, tc := range map[string]struct {
		apiServer
		want      mesh.Platform
		wantError bool
	}{
		"plain Kubernetes":                {apiServer: apiServer{serves: []string{"apps/v1/deployments"}}},
		"SPIRE":                           {apiServer: apiServer{serves: []string{spiffeID}}, want: mesh.Platform{ClusterSPIFFEIDs: true}},
		"another kind of SPIRE's alone":   {apiServer: apiServer{serves: []string{"spire.spiffe.io/v1alpha1/clusterstaticentries"}}},
		"another version of SPIRE's kind": {apiServer: apiServer{serves: []string{"spire.spiffe.io/v9/clusterspiffeids"}}},
		"ClusterProperty":                 {apiServer: apiServer{serves: []string{property}}, want: mesh.Platform{ClusterProperties: true}},
		"PodMonitors":                     {apiServer: apiServer{serves: []string{podMonitor}}, want: mesh.Platform{PodMonitors: true}},
		"another kind of Prometheus":      {apiServer: apiServer{serves: []string{"monitoring.coreos.com/v1/servicemonitors"}}},
		"another kind of the about API":   {apiServer: apiServer{serves: []string{"about.k8s.io/v1alpha1/others"}}},
		"another kind of OpenShift's group on another cluster": {apiServer: apiServer{
			serves: []string{"security.openshift.io/v1/rangeallocations"},
		}},
		"k0s": {apiServer: apiServer{kubelets: []string{"v1.33.1+k0s", "v1.33.2+k0s"}}, want: mesh.Platform{KubeletDirectories: "/var/lib/k0s/kubelet"}},
		"nodes that differ": {
			apiServer: apiServer{kubelets: []string{"v1.33.1", "v1.33.1", "v1.33.1+k0s"}},
			want:      mesh.Platform{KubeletDirectories: "/var/lib/k0s/kubelet,/var/lib/kubelet"},
		},
		"nodes that are as usual": {apiServer: apiServer{kubelets: []string{"v1.33.1", "v1.33.1"}}},
		"nodes that cannot be read": {
			apiServer: apiServer{statuses: map[string]int{"/api/v1/nodes": http.StatusServiceUnavailable}}, wantError: true,
		},
		"OpenShift": {apiServer: apiServer{serves: []string{scc, config}, network: oneNetwork}, want: openShift},
		"OpenShift's configuration without a network": {
			apiServer: apiServer{serves: []string{scc, config}}, want: mesh.Platform{OpenShift: true},
		},
		"OpenShift while its own API server is down": {
			apiServer: apiServer{serves: []string{config}, statuses: map[string]int{"/apis/" + scc: http.StatusOK}}, want: mesh.Platform{OpenShift: true},
		},
		"OpenShift that lets nobody read SCCs": {
			apiServer: apiServer{serves: []string{config}, statuses: map[string]int{"/apis/" + scc: http.StatusForbidden}}, want: mesh.Platform{OpenShift: true},
		},
		"OpenShift's configuration on another cluster": {apiServer: apiServer{serves: []string{config}}},
		"OpenShift that does not answer": {
			apiServer: apiServer{serves: []string{config}, statuses: map[string]int{"/apis/" + scc: http.StatusServiceUnavailable}}, wantError: true,
		},
		"a group that does not answer": {
			apiServer: apiServer{serves: []string{spiffeID}, statuses: map[string]int{"/apis/spire.spiffe.io/v1alpha1": http.StatusServiceUnavailable}}, wantError: true,
		},
		"a group that goes between two questions": {
			apiServer: apiServer{serves: []string{spiffeID}, statuses: map[string]int{"/apis/spire.spiffe.io/v1alpha1": http.StatusNotFound}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Detect(context.Background(), tc.client(t))
			if (err != nil) != tc.wantError {
				t.Fatal(err)
			}
			if err == nil && got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

// What is known stays where there is no answer; OpenShift stays in any case; and
// what others take away goes.
func TestDetectAgain(t *testing.T) {
	all := mesh.Platform{OpenShift: true, Networks: "10.0.0.0/8", ClusterSPIFFEIDs: true, ClusterProperties: true}
	for name, tc := range map[string]struct {
		apiServer
		want      mesh.Platform
		wantError bool
	}{
		"OpenShift's groups have gone for a moment": {
			apiServer: apiServer{serves: []string{spiffeID, property}}, want: all,
		},
		"its networks cannot be read": {
			apiServer: apiServer{
				serves: []string{spiffeID, property, scc, config}, statuses: map[string]int{"/apis/" + config + "/cluster": http.StatusServiceUnavailable},
			},
			want: all, wantError: true,
		},
		"its networks are not there": {apiServer: apiServer{serves: []string{spiffeID, property, scc, config}}, want: all},
		"its networks have changed": {
			apiServer: apiServer{serves: []string{spiffeID, property, scc, config}, network: oneNetwork},
			want: mesh.Platform{
				OpenShift: true, Networks: "172.30.0.0/16,10.128.0.0/14", ClusterSPIFFEIDs: true, ClusterProperties: true,
			},
		},
		"nothing answers": {apiServer: apiServer{statuses: map[string]int{"/apis": http.StatusServiceUnavailable, "/api": http.StatusServiceUnavailable}}, want: all, wantError: true},
		"one kind has gone": {apiServer: apiServer{serves: []string{property, scc, "spire.spiffe.io/v1alpha1/clusterstaticentries"}},
			want: mesh.Platform{OpenShift: true, Networks: "10.0.0.0/8", ClusterProperties: true}},
		"one group does not answer, and another kind has gone": {
			apiServer: apiServer{
				serves: []string{spiffeID, scc}, statuses: map[string]int{"/apis/spire.spiffe.io/v1alpha1": http.StatusServiceUnavailable},
			},
			want: mesh.Platform{OpenShift: true, Networks: "10.0.0.0/8", ClusterSPIFFEIDs: true}, wantError: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := detect(context.Background(), tc.client(t), all)
			if (err != nil) != tc.wantError {
				t.Errorf("got the error %v", err)
			}
			if got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

// TestNodesAgain: what is known of nodes stays where there is no answer, or no node.
func TestNodesAgain(t *testing.T) {
	const ofK0s = "/var/lib/k0s/kubelet"
	for name, tc := range map[string]struct {
		apiServer
		want      string
		wantError bool
	}{
		"no answer":          {apiServer{statuses: map[string]int{"/api/v1/nodes": http.StatusServiceUnavailable}}, ofK0s, true},
		"no node":            {apiServer{}, ofK0s, false},
		"all nodes replaced": {apiServer{kubelets: []string{"v1.33.1"}}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			known := mesh.Platform{KubeletDirectories: ofK0s}
			if err := lookAtNodes(context.Background(), tc.client(t), &known); (err != nil) != tc.wantError {
				t.Errorf("got the error %v", err)
			}
			if known.KubeletDirectories != tc.want {
				t.Errorf("got %q, want %q", known.KubeletDirectories, tc.want)
			}
		})
	}
}
