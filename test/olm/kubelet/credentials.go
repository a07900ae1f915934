// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package kubelet

import (
	"os"
	"path/filepath"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// isToken reports whether a volume is the one with the ServiceAccount's token.
func isToken(volume *corev1.Volume) bool {
	if volume.Projected == nil {
		return false
	}
	for _, source := range volume.Projected.Sources {
		if source.ServiceAccountToken != nil {
			return true
		}
	}
	return false
}

// writeKubeconfig writes the access of the pod's ServiceAccount, which ends with
// the pod. A process on this machine finds it there rather than where a pod does.
func (p *pod) writeKubeconfig() (string, error) {
	token, err := p.kubelet.client.CoreV1().ServiceAccounts(p.object.Namespace).CreateToken(p.ctx, p.object.Spec.ServiceAccountName,
		&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{BoundObjectRef: &authenticationv1.BoundObjectReference{
			APIVersion: "v1", Kind: "Pod", Name: p.object.Name, UID: p.object.UID,
		}}}, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(p.directory(), 0o700); err != nil {
		return "", err
	}
	path := filepath.Join(p.directory(), "kubeconfig")
	return path, clientcmd.WriteToFile(Kubeconfig(p.kubelet.Config.Host, p.kubelet.Config.CAData, token.Status.Token), path)
}

// Kubeconfig is the access of whoever has a token.
func Kubeconfig(server string, authority []byte, token string) clientcmdapi.Config {
	const name = "pod"
	return clientcmdapi.Config{
		CurrentContext: name,
		Contexts:       map[string]*clientcmdapi.Context{name: {Cluster: name, AuthInfo: name}},
		Clusters:       map[string]*clientcmdapi.Cluster{name: {Server: server, CertificateAuthorityData: authority}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{name: {Token: token}},
	}
}
