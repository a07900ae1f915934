// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package webhooks

import (
	"os"
	"testing"

	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admission/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// What a request takes in the whole cluster is seen on the request alone.
func TestClusterVerb(t *testing.T) {
	const mesh = `{"metadata":{"name":"mesh","annotations":{"nsm.networkservicemesh.io/conversion-data":"a","b":"b"}},"spec":{"logLevel":"INFO"}}`
	for what, test := range map[string]struct {
		operation     admissionv1.Operation
		before, after string
		want          string
	}{
		"a new NSM":               {admissionv1.Create, ``, mesh, "create"},
		"a deletion":              {admissionv1.Delete, mesh, ``, ""},
		"a connection":            {admissionv1.Connect, mesh, mesh, ""},
		"nothing":                 {admissionv1.Update, mesh, mesh, ""},
		"nothing, with no spec":   {admissionv1.Update, `{}`, `{"metadata":{"finalizers":["a"]}}`, ""},
		"the order of members":    {admissionv1.Update, `{"spec":{"a":1,"b":2}}`, `{"spec":{"b":2,"a":1}}`, ""},
		"the status":              {admissionv1.Update, `{"spec":{},"status":{"version":"a"}}`, `{"spec":{},"status":{}}`, ""},
		"no annotation is none":   {admissionv1.Update, `{"metadata":{"annotations":{}}}`, `{"metadata":{"annotations":null}}`, ""},
		"a value":                 {admissionv1.Update, `{"spec":{"a":1}}`, `{"spec":{"a":2}}`, "update"},
		"the order of a list":     {admissionv1.Update, `{"spec":{"a":[1,2]}}`, `{"spec":{"a":[2,1]}}`, "update"},
		"null for nothing":        {admissionv1.Update, `{"spec":{}}`, `{"spec":{"a":null}}`, "update"},
		"an empty spec":           {admissionv1.Update, `{}`, `{"spec":{}}`, "update"},
		"a spec of another type":  {admissionv1.Update, `{"spec":{}}`, `{"spec":"a"}`, "update"},
		"an annotation that goes": {admissionv1.Update, mesh, `{"metadata":{"annotations":{"b":"b"}},"spec":{"logLevel":"INFO"}}`, "update"},
		"an annotation that comes": {admissionv1.Update, `{"spec":{}}`,
			`{"metadata":{"annotations":{"nsm.networkservicemesh.io/a":""}},"spec":{}}`, "update"},
		"annotations of others": {admissionv1.Update, `{"metadata":{"annotations":{"nsm.networkservicemesh.io.example.com/a":"a"}}}`,
			`{"metadata":{"annotations":{"example.com/b":"b"}}}`, ""},
		"a change while it is being deleted": {admissionv1.Update, `{"metadata":{"deletionTimestamp":"2026-01-01T00:00:00Z"}}`,
			`{"metadata":{"deletionTimestamp":"2026-01-01T00:00:00Z"},"spec":{}}`, "update"},
		"what cannot be read": {admissionv1.Update, ``, `{}`, "update"},
	} {
		request := &admissionv1.AdmissionRequest{
			Operation: test.operation,
			OldObject: runtime.RawExtension{Raw: []byte(test.before)}, Object: runtime.RawExtension{Raw: []byte(test.after)},
		}
		NewWithT(t).Expect(clusterVerb(request)).To(Equal(test.want), what)
	}
}

// The command is for this user, and harmless to an admin who copies it.
func TestGrant(t *testing.T) {
	const command = "kubectl create clusterrolebinding nsm-operator-mesh-admin-"
	for user, want := range map[string]string{
		"jane": "jane --clusterrole=nsm-operator-mesh-admin --user=jane",
		"system:serviceaccount:flux-system:kustomize-controller": "flux-system-kustomize-controller --clusterrole=nsm-operator-mesh-admin " +
			"--serviceaccount=flux-system:kustomize-controller",
		"system:serviceaccount:no-account": "system-serviceaccount-no-account --clusterrole=nsm-operator-mesh-admin --user=system:serviceaccount:no-account",
		"https://id.example.com#Jane@X":    "https-id.example.com-jane-x --clusterrole=nsm-operator-mesh-admin --user='https://id.example.com#Jane@X'",
		"a'; rm -rf / #":                   `a-rm-rf --clusterrole=nsm-operator-mesh-admin --user='a'\''; rm -rf / #'`,
		"$(reboot)":                        "reboot --clusterrole=nsm-operator-mesh-admin --user='$(reboot)'",
	} {
		NewWithT(t).Expect(grant(user)).To(Equal(command + want))
	}
}

// The role that refusals name comes with the operator, and holds what is asked for.
func TestMeshAdminRole(t *testing.T) {
	g := NewWithT(t)
	text, err := os.ReadFile("../config/rbac/mesh_admin_role.yaml")
	g.Expect(err).NotTo(HaveOccurred())
	var role rbacv1.ClusterRole
	g.Expect(yaml.UnmarshalStrict(text, &role)).To(Succeed())
	g.Expect(role.Name).To(Equal(MeshAdminRole))
	g.Expect(role.Labels).NotTo(HaveKey(HavePrefix("rbac.authorization.k8s.io/aggregate-to-")))
	g.Expect(role.Rules).To(ContainElement(And(
		HaveField("APIGroups", []string{groupResource.Group}), HaveField("Resources", []string{groupResource.Resource}),
		HaveField("Verbs", ContainElements("create", "update", "patch")))))
}
