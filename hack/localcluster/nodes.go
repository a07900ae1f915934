package main

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// stages tells kwok how simulated nodes and pods behave.
//
//go:embed stages.yaml
var stages []byte

// maxNodes is how many nodes Kubernetes itself is made for.
const maxNodes = 5000

// notSimulated stands in the stages for the image that --not-simulated names. No image begins with it, so that without
// the flag all pods are simulated.
const notSimulated = "NOT_SIMULATED"

// podStart is a comment of the stages where the delay stands that --pod-start asks for.
const podStart = "# POD_START"

// execs has kwok run what kubectl exec asks for, of whatever pod, as a process of its own, and give one file as the log
// of all containers.
const execs = `---
apiVersion: kwok.x-k8s.io/v1alpha1
kind: ClusterExec
metadata: {name: all}
spec:
  execs:
  - local: {}
---
apiVersion: kwok.x-k8s.io/v1alpha1
kind: ClusterLogs
metadata: {name: all}
spec:
  logs:
  - logsFile: %q
`

// startKwok starts the simulation of kubelets, for all nodes there are. With --exec-programs it serves kubectl exec, and
// finds the programs of that directory and no others.
func (c *cluster) startKwok() error {
	config, stages := c.path("kwok.yaml"), stages
	kwok := spec{
		name: "kwok", path: filepath.Join(c.assets, "kwok"), env: c.daemonEnvironment(), log: c.path("log", "kwok.log"), grace: time.Second,
		args: []string{"--kubeconfig=" + c.kubeconfig(), "--config=" + config, "--manage-all-nodes=true"},
	}
	if c.programs != "" {
		ports, err := freePorts(1)
		if err != nil {
			return err
		}
		c.kubeletPort = ports[0]
		stages = fmt.Appendf(bytes.Clone(stages), execs, filepath.Join(c.programs, "log"))
		kwok.env = append(kwok.env, "PATH="+c.programs)
		kwok.args = append(kwok.args, fmt.Sprintf("--server-address=127.0.0.1:%d", c.kubeletPort))
	}
	if c.notSimulated != "" {
		stages = bytes.ReplaceAll(stages, []byte(notSimulated), []byte(c.notSimulated))
	}
	if c.podStart > 0 {
		stages = bytes.ReplaceAll(stages, []byte(podStart), fmt.Appendf(nil, "delay: {durationMilliseconds: %d}", c.podStart.Milliseconds()))
	}
	if err := os.WriteFile(config, stages, 0o600); err != nil {
		return err
	}
	_, err := c.daemon(kwok)
	return err
}

// createNodes makes node-1 to node-N. A kubelet registers itself; kwok does not do that part.
func (c *cluster) createNodes() error {
	var version struct{ GitVersion string }
	if err := c.api.get(c.ctx, "/version", &version); err != nil {
		return err
	}
	for i := 1; i <= c.nodes; i++ {
		if err := c.api.create(c.ctx, "/api/v1/nodes", node(i, version.GitVersion, c.kubeletPort)); err != nil {
			return fmt.Errorf("node %d: %w", i, err)
		}
	}
	return nil
}

type object = map[string]any

// kubeletAddress is the type of address by which the API server asks kubelets.
const kubeletAddress = "InternalDNS"

// architecture of the simulated nodes, on whatever machine they are: NSM's newer vpp forwarders are for no other.
const architecture = "amd64"

// address of the node with that number, in the network that is set aside for benchmarks: nothing on this machine or beyond
// it answers there.
func address(i int) string {
	const perNetwork = 250
	return fmt.Sprintf("198.18.%d.%d", (i-1)/perNetwork, (i-1)%perNetwork+1)
}

// node is a simulated node as its kubelet would register it. Where something serves for the kubelets, its port is one of
// localhost, an address of a type that nobody else asks for.
func node(i int, version string, kubeletPort int) object {
	name := fmt.Sprintf("node-%d", i)
	addresses := []object{
		{"type": "InternalIP", "address": address(i)},
		{"type": "Hostname", "address": name},
	}
	if kubeletPort != 0 {
		addresses = append(addresses, object{"type": kubeletAddress, "address": "localhost"})
	}
	resources := object{"cpu": "16", "memory": "64Gi", "pods": "250", "ephemeral-storage": "100Gi"}
	return object{
		"apiVersion": "v1", "kind": "Node",
		"metadata": object{"name": name, "labels": object{
			"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": architecture,
		}},
		"status": object{
			"capacity": resources, "allocatable": resources,
			"addresses":       addresses,
			"daemonEndpoints": object{"kubeletEndpoint": object{"Port": kubeletPort}},
			"nodeInfo": object{
				"architecture": architecture, "operatingSystem": "linux", "osImage": "simulated by kwok",
				"kernelVersion": "", "containerRuntimeVersion": "kwok://", "kubeletVersion": version, "kubeProxyVersion": "",
				"machineID": "", "systemUUID": "", "bootID": "",
			},
		},
	}
}

// waitUsable waits until every node takes pods and a pod may be made in the namespace default, which shows that the
// controllers work.
func (c *cluster) waitUsable() error {
	return waitFor(c.ctx, "simulated nodes", startTimeout, func(ctx context.Context) error {
		if err := c.nodesReady(ctx); err != nil {
			return err
		}
		return c.api.get(ctx, "/api/v1/namespaces/default/serviceaccounts/default", nil)
	})
}

// nodesReady says which node is not Ready or not yet free of the taint that it had before.
func (c *cluster) nodesReady(ctx context.Context) error {
	var list nodeList
	if err := c.api.get(ctx, "/api/v1/nodes", &list); err != nil {
		return err
	}
	if len(list.Items) < c.nodes {
		return fmt.Errorf("%d of %d nodes are there", len(list.Items), c.nodes)
	}
	for _, n := range list.Items {
		if !n.ready() {
			return fmt.Errorf("%s is not ready", n.Metadata.Name)
		}
	}
	return nil
}

// nodeList is the part of a list of nodes that reports whether they are ready.
type nodeList struct {
	Items []nodeState
}

type nodeState struct {
	Metadata struct{ Name string }
	Spec     struct{ Taints []any }
	Status   struct {
		Conditions []struct{ Type, Status string }
	}
}

func (n nodeState) ready() bool {
	for _, condition := range n.Status.Conditions {
		if condition.Type == "Ready" && condition.Status == "True" {
			return len(n.Spec.Taints) == 0
		}
	}
	return false
}
