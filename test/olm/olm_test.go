// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package olm

import (
	"context"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/operator-framework/api/crds"
	operatorsv1 "github.com/operator-framework/api/pkg/operators/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/networkservicemesh/nsm-operator/test/olm/kubelet"
)

// olmNamespace is OLM's own, and that of the catalogs that everybody sees.
const olmNamespace = "olm"

// olmAccount is the ServiceAccount of both of OLM's operators.
const olmAccount = "olm-operator-serviceaccount"

// installOLM starts what OLM consists of, but for the package server, which only
// feeds consoles.
func installOLM(ctx context.Context) {
	GinkgoHelper()
	_, err := envtest.InstallCRDs(config, envtest.CRDInstallOptions{MaxTime: 3 * time.Minute, CRDs: []*apiextensionsv1.CustomResourceDefinition{
		crds.CatalogSource(), crds.ClusterServiceVersion(), crds.InstallPlan(), crds.OLMConfig(),
		crds.Operator(), crds.OperatorCondition(), crds.OperatorGroup(), crds.Subscription(),
	}})
	Expect(err).NotTo(HaveOccurred())
	for _, object := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: olmNamespace}},
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: olmNamespace, Name: olmAccount}},
		olmRole(), olmBinding(),
		&operatorsv1.OLMConfig{ObjectMeta: metav1.ObjectMeta{Name: "cluster"}},
	} {
		Expect(admin.Create(ctx, object)).To(Succeed())
	}
	access := "KUBECONFIG=" + olmKubeconfig(ctx)
	start("olm", binary("olm"), []string{access, "OPERATOR_NAMESPACE=" + olmNamespace, "OPERATOR_NAME=olm-operator"}, "--namespace", olmNamespace)
	start(catalogProcess, binary("olm-catalog"), []string{access}, "--namespace", olmNamespace, "--interval", "30s")
}

// olmRole is what OLM gives itself.
func olmRole() *rbacv1.ClusterRole {
	return &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "system:controller:operator-lifecycle-manager"},
		Rules: []rbacv1.PolicyRule{
			{
				APIGroups: []string{"*"}, Resources: []string{"*"},
				Verbs: []string{"watch", "list", "get", "create", "update", "patch", "delete", "deletecollection", "escalate", "bind"},
			},
			{NonResourceURLs: []string{"*"}, Verbs: []string{"*"}},
		},
	}
}

func olmBinding() *rbacv1.ClusterRoleBinding {
	return &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "olm-operator-binding-" + olmNamespace},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: olmRole().Name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: olmNamespace, Name: olmAccount}},
	}
}

// olmKubeconfig is a file with the access of OLM's ServiceAccount.
func olmKubeconfig(ctx context.Context) string {
	GinkgoHelper()
	token := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: new(int64((12 * time.Hour).Seconds()))}}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: olmNamespace, Name: olmAccount}}
	Expect(admin.SubResource("token").Create(ctx, account, token)).To(Succeed())
	path := filepath.Join(directory, "olm.kubeconfig")
	Expect(clientcmd.WriteToFile(kubelet.Kubeconfig(config.Host, config.CAData, token.Status.Token), path)).To(Succeed())
	return path
}
