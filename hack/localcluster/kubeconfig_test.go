package main

import "testing"

func TestKubeconfig(t *testing.T) {
	const head = `apiVersion: v1
kind: Config
current-context: local
contexts:
- name: local
  context: {cluster: local, user: local}
clusters:
- name: local
  cluster:
    server: https://127.0.0.1:6443
    certificate-authority-data: Y2E=
users:
- name: local
  user:
`
	for name, test := range map[string]struct{ credentials, want string }{
		"certificate": {
			certUser(keyPair{cert: []byte("cert"), key: []byte("key")}),
			head + "    client-certificate-data: Y2VydA==\n    client-key-data: a2V5\n",
		},
		"token": {tokenUser("abc"), head + "    token: abc\n"},
	} {
		got := string(kubeconfigText("https://127.0.0.1:6443", []byte("ca"), test.credentials))
		if got != test.want {
			t.Errorf("%s:\n%s\nwant:\n%s", name, got, test.want)
		}
	}
}
