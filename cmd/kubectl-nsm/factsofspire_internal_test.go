// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/networkservicemesh/nsm-operator/internal/preflight"
	"github.com/networkservicemesh/nsm-operator/internal/report"
)

// Whoever answers with keys has a bundle, by whatever certificate.
func TestBundleEndpointsAreAsked(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	answer, code := `{"keys":[{"use":"x509-svid"}],"spiffe_sequence":1}`, http.StatusOK
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = fmt.Fprint(w, answer)
	}))
	g.Expect(askForBundle(t.Context(), server.URL)).To(BeEmpty())
	answer = `{"keys":[]}`
	g.Expect(askForBundle(t.Context(), server.URL)).To(Equal("what it answers is no bundle"))
	code = http.StatusBadGateway
	g.Expect(askForBundle(t.Context(), server.URL)).To(Equal("it answers 502 Bad Gateway"))
	g.Expect(askForBundle(t.Context(), strings.Replace(server.URL, "https", "http", 1))).To(ContainSubstring("does not begin with https://"))
	server.Close()
	g.Expect(askForBundle(t.Context(), server.URL)).To(ContainSubstring("refused"))
}

func TestLoopback(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{"127.0.0.1": true, "::1": true, "localhost": true, "192.0.2.1": false, "example.com": false} {
		NewWithT(t).Expect(isLoopback(host)).To(Equal(want), host)
	}
}

var _ = Describe("check, of an API server that does not reach everything", func() {
	It("names the port that a firewall has to let through", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		kubeconfig := between(func(w http.ResponseWriter, r *http.Request) bool {
			switch {
			case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/namespaces/"+namespace+"/nsms"):
				Expect(r.URL.Query()).To(HaveKeyWithValue("dryRun", ConsistOf("All")), "nothing is stored")
				answerWith(w, http.StatusInternalServerError, metav1.Status{
					TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure, Reason: metav1.StatusReasonInternalError, Code: http.StatusInternalServerError,
					Message: `Internal error occurred: failed calling webhook "x": failed to call webhook: Post "https://nsm-operator-service.nsm-operator-system.svc:443/x?timeout=10s": context deadline exceeded`,
				})
				return true
			case strings.HasSuffix(r.URL.Path, "/namespaces/nsm-operator-system/endpointslices"):
				w.Header().Set("Content-Type", "application/json")
				_, _ = fmt.Fprint(w, `{"kind":"EndpointSliceList","apiVersion":"discovery.k8s.io/v1","items":[{"ports":[{"port":9443}]}]}`)
				return true
			}
			return false
		})
		tried := func(kubeconfig string) string {
			GinkgoHelper()
			o := &options{flags: genericclioptions.NewConfigFlags(true)}
			o.flags.KubeConfig, o.flags.Namespace = &kubeconfig, &namespace
			c, err := o.connect(ctx)
			Expect(err).NotTo(HaveOccurred())
			facts := &preflight.Facts{ServesNSMs: true}
			Expect(c.factsOfWebhooks(ctx, facts)).To(Succeed())
			for _, result := range preflight.Run(facts) {
				if result.Code == "NSM025" {
					return result.Message
				}
			}
			return "no result"
		}
		Expect(tried(kubeconfig)).To(And(ContainSubstring("does not reach Service nsm-operator-system/nsm-operator-service"), ContainSubstring("firewall"), ContainSubstring("port 9443")))
		Expect(tried(server.Kubeconfig)).To(BeEmpty())
		nobody := HavePrefix("nobody has tried: ")
		Expect(messageOf(runAs(ctx, kubeconfig, "check", "-n", namespace, "-o", "json"), "NSM025")).To(nobody, "it is not tried unless asked for")
		Expect(messageOf(runAs(ctx, kubeconfig, "check", "--pre", "--active", "-n", namespace, "-o", "json"), "NSM025")).To(nobody, "there is no operator yet")
		for message, is := range map[string]types.GomegaMatcher{
			`nsms.nsm.networkservicemesh.io is forbidden: User "viewer" cannot create resource "nsms"`: nobody,
			`admission webhook "validation.nsm.networkservicemesh.io" denied the request: no`:          BeEmpty(),
		} {
			Expect(tried(between(func(w http.ResponseWriter, r *http.Request) bool {
				isCreate := r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/nsms")
				if isCreate {
					answerWith(w, http.StatusForbidden, metav1.Status{
						TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure, Reason: metav1.StatusReasonForbidden,
						Code: http.StatusForbidden, Message: message,
					})
				}
				return isCreate
			}))).To(is, message)
		}
		namespace = "missing"
		Expect(tried(server.Kubeconfig)).To(nobody, "the API server has not come as far as the webhooks")
	})

	It("takes the domain that pods look names up in from a kubelet", func(ctx SpecContext) {
		node := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "a"}, Status: corev1.NodeStatus{
			Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
		}}
		kubeconfig := between(func(w http.ResponseWriter, r *http.Request) bool {
			switch r.URL.Path {
			case "/api/v1/nodes":
				answerWith(w, http.StatusOK, corev1.NodeList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "NodeList"}, Items: []corev1.Node{node}})
			case "/api/v1/nodes/a/proxy/configz":
				_, _ = fmt.Fprint(w, `{"kubeletconfig":{"clusterDomain":"example.org"}}`)
			default:
				return false
			}
			return true
		})
		Expect(messageOf(runAs(ctx, kubeconfig, "check", "-o", "json"), "NSM022")).To(Equal("the cluster's DNS domain is example.org, and not cluster.local"))
	})
})

// messageOf a check.
func messageOf(from result, code string) string {
	GinkgoHelper()
	for _, check := range decode[report.Checks](from).Checks {
		if check.Code == code {
			return check.Message
		}
	}
	return ""
}

func answerWith(w http.ResponseWriter, code int, object any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(object)
}
