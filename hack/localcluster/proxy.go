package main

import (
	"fmt"
	"os"
)

// egress has the API server reach what runs in the cluster, and nothing else, through a proxy.
const egress = `apiVersion: apiserver.k8s.io/v1beta1
kind: EgressSelectorConfiguration
egressSelections:
- name: cluster
  connection:
    proxyProtocol: HTTPConnect
    transport:
      uds:
        udsName: %q
`

// proxyArguments are kube-apiserver's for --service-proxy: none without it. Pods have no addresses on this machine, so
// whoever runs some as processes tells by the proxy where each of them listens.
func (c *cluster) proxyArguments() ([]string, error) {
	if c.proxy == "" {
		return nil, nil
	}
	config := c.path("egress.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, egress, c.proxy), 0o600); err != nil {
		return nil, err
	}
	return []string{"--egress-selector-config-file=" + config}, nil
}
