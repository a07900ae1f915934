package main

import (
	"encoding/base64"
	"fmt"
)

// kubeconfigText renders a kubeconfig with the one context "local". The user is described by the lines of its
// credentials, from certUser or tokenUser. Everything is embedded, so that the file may be copied elsewhere.
func kubeconfigText(server string, ca []byte, credentials string) []byte {
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
current-context: local
contexts:
- name: local
  context: {cluster: local, user: local}
clusters:
- name: local
  cluster:
    server: %s
    certificate-authority-data: %s
users:
- name: local
  user:
%s`, server, base64.StdEncoding.EncodeToString(ca), credentials)
}

func certUser(pair keyPair) string {
	return fmt.Sprintf("    client-certificate-data: %s\n    client-key-data: %s\n",
		base64.StdEncoding.EncodeToString(pair.cert), base64.StdEncoding.EncodeToString(pair.key))
}

func tokenUser(token string) string {
	return fmt.Sprintf("    token: %s\n", token)
}
