package main

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"os"
	"time"
)

// stages tells kwok how simulated nodes and pods behave.
//
//go:embed stages.yaml
var stages []byte

// maxNodes is how many addresses the simulated nodes' network has.
const maxNodes = 250

// notSimulated stands in the stages for the image that --not-simulated names. No image begins with it, so that without
// the flag all pods are simulated.
const notSimulated = "NOT_SIMULATED"

// startKwok starts the simulation of kubelets, for all nodes there are.
func (c *cluster) startKwok() error {
	config, stages := c.path("kwok.yaml"), stages
	if c.notSimulated != "" {
		stages = bytes.ReplaceAll(stages, []byte(notSimulated), []byte(c.notSimulated))
	}
	if err := os.WriteFile(config, stages, 0o600); err != nil {
		return err
	}
	return c.startBinary("kwok", time.Second, "--kubeconfig="+c.kubeconfig(), "--config="+config, "--manage-all-nodes=true")
}

// createNodes makes node-1 to node-N. A kubelet registers itself; kwok does not do that part.
func (c *cluster) createNodes() error {
	var version struct{ GitVersion string }
	if err := c.api.get(c.ctx, "/version", &version); err != nil {
		return err
	}
	for i := 1; i <= c.nodes; i++ {
		if err := c.api.create(c.ctx, "/api/v1/nodes", node(i, version.GitVersion)); err != nil {
			return fmt.Errorf("node %d: %w", i, err)
		}
	}
	return nil
}

type object = map[string]any

// architecture of the simulated nodes, on whatever machine they are: NSM's newer vpp forwarders are for no other.
const architecture = "amd64"

// node is a simulated node as its kubelet would register it. The addresses are of the network that is set aside for
// benchmarks: nothing on this machine or beyond it answers there.
func node(i int, version string) object {
	name := fmt.Sprintf("node-%d", i)
	resources := object{"cpu": "16", "memory": "64Gi", "pods": "250", "ephemeral-storage": "100Gi"}
	return object{
		"apiVersion": "v1", "kind": "Node",
		"metadata": object{"name": name, "labels": object{
			"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": architecture,
		}},
		"status": object{
			"capacity": resources, "allocatable": resources,
			"addresses": []object{
				{"type": "InternalIP", "address": fmt.Sprintf("198.18.0.%d", i)},
				{"type": "Hostname", "address": name},
			},
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
