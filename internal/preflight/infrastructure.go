// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package preflight

import (
	"cmp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/health"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// NoAdministrator is what is wrong with the rights of somebody who may not do everything:
// whoever installs roles has to have all that is in them.
const NoAdministrator = "you are no administrator of this cluster, who may do everything: the roles of the operator take that"

func rights(f *Facts) []finding {
	if f.IsAdmin {
		return nil
	}
	return []finding{failed(NoAdministrator)}
}

// oldestHelm is the first one that keeps to the schema of a chart's values and has the
// tests of the chart as they are written.
const oldestHelm = "3.8.0"

func helm(f *Facts) []finding {
	is, err := version.ParseGeneric(f.HelmVersion)
	switch {
	case err != nil:
		return []finding{failed("version of Helm: %v", err)}
	case is.LessThan(version.MustParseGeneric(oldestHelm)):
		return []finding{failed("Helm is %s; the charts need %s or newer", f.HelmVersion, oldestHelm)}
	default:
		return nil
	}
}

// How far clocks may be apart. A kubelet renews its Lease every ten seconds, and a busy
// one later.
const (
	clockSkew = 30 * time.Second
	nodeAhead = 15 * time.Second
	nodeLate  = 2 * time.Minute
)

// clocks compares this machine, the API server and the nodes. SPIRE's certificates and
// NSM's registrations are judged by the clock of whoever looks at them.
func clocks(f *Facts) []finding {
	var found []finding
	switch {
	case f.Ahead > clockSkew:
		found = append(found, warning("the clock of the API server is %s ahead of this machine's", f.Ahead.Round(time.Second)))
	case f.Ahead < -clockSkew:
		found = append(found, warning("the clock of the API server is %s behind this machine's", (-f.Ahead).Round(time.Second)))
	}
	for i := range f.Nodes {
		node := &f.Nodes[i]
		renewed, isKnown := f.Renewed[node.Name]
		switch late := f.Now.Sub(renewed); {
		case !isKnown || !IsReady(node):
		case late < -nodeAhead:
			found = append(found, warning("the clock of node %s is ahead of the API server's by %s or more", node.Name, (-late).Round(time.Second)))
		case late > nodeLate:
			found = append(found, warning("the clock of node %s is behind the API server's by about %s", node.Name, late.Round(time.Second)))
		}
	}
	return found
}

// IsReady reports whether a node is.
func IsReady(node *corev1.Node) bool {
	return slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}

func storage(f *Facts) []finding {
	if HasDefault(f.StorageClasses) {
		return nil
	}
	return []finding{warning("no StorageClass is the default: the volume of the lab's SPIRE, with SPIRE_STORAGE=pvc, would never come")}
}

// fittingNodes finds parts that no node has the labels for, such as those of an
// architecture, and parts that taints keep off all nodes that have them.
func fittingNodes(f *Facts) []finding {
	var found []finding
	for i := range f.Meshes {
		m := &f.Meshes[i]
		for _, component := range m.Components {
			pod := &mesh.PodTemplateOf(component.Workload).Spec
			selector := labels.SelectorFromSet(pod.NodeSelector)
			var fitting []*corev1.Node
			for j := range f.Nodes {
				if node := &f.Nodes[j]; mesh.RunsMeshes(node) && selector.Matches(labels.Set(node.Labels)) {
					fitting = append(fitting, node)
				}
			}
			switch part := mesh.KindOf(component.Workload) + " " + component.Workload.GetName(); {
			case len(fitting) == 0:
				found = append(found, failed("mesh %s: no node has the labels %s, which %s selects", m.name(), selector, part))
			case !slices.ContainsFunc(fitting, func(node *corev1.Node) bool { return health.ToleratesNode(pod, node) }):
				found = append(found, failed("mesh %s: every node with the labels %s, which %s selects, has a taint that it does not tolerate", m.name(), selector, part))
			}
		}
	}
	return found
}

// plugins are network plugins, by a part of their images, and what is known to be wrong
// with some. The first one that runs counts: Cilium and Calico also run beside others.
var plugins = []struct{ image, name, trouble string }{
	{"cilium/cilium", "Cilium", "it is not proven with NSM, whose own tests do not run on it, and some users report clients that get no connection"},
	{"calicovpp/", "Calico-VPP", "some of NSM's own tests fail with it"},
	{"calico/node", "Calico", ""},
	{"kindest/kindnetd", "kindnet", ""},
	{"/flannel:", "Flannel", ""},
	{"amazon-k8s-cni", "Amazon VPC CNI", ""},
	{"azure-cns", "Azure CNI", ""},
	{"antrea/antrea", "Antrea", ""},
	{"kube-ovn", "Kube-OVN", ""},
	{"ovn-kubernetes", "OVN-Kubernetes", ""},
	{"weave-kube", "Weave Net", ""},
	{"kube-router", "kube-router", ""},
}

// networkPlugin names it, also where nothing is known against it.
func networkPlugin(f *Facts) []finding {
	for _, plugin := range plugins {
		switch {
		case !f.runs(plugin.image):
		case plugin.trouble != "":
			return []finding{warning("the network plugin is %s: %s", plugin.name, plugin.trouble)}
		default:
			return []finding{{OK, "the network plugin is " + plugin.name}}
		}
	}
	if f.Platform.OpenShift {
		return []finding{{OK, "the network plugin is that of OpenShift"}}
	}
	return []finding{{OK, "no pod has the image of a network plugin that is known here"}}
}

// runs reports whether a pod has an image with this part in its name.
func (f *Facts) runs(part string) bool {
	return slices.ContainsFunc(f.Pods, func(pod corev1.Pod) bool {
		return slices.ContainsFunc(pod.Spec.Containers, func(c corev1.Container) bool { return strings.Contains(c.Image, part) })
	})
}

// usualDomain is what Kubernetes calls a cluster's domain unless somebody says otherwise.
const usualDomain = "cluster.local"

// DomainOf a cluster is what CoreDNS serves Services in, by its configuration; "" for not
// known.
func DomainOf(corefile string) string {
	for line := range strings.Lines(corefile) {
		if words := strings.Fields(line); len(words) > 1 && words[0] == "kubernetes" {
			return strings.TrimSuffix(words[1], ".")
		}
	}
	return ""
}

// domain: what pods look names up in, by the kubelet of a node, counts before what the
// cluster's DNS says that it serves.
func domain(f *Facts) []finding {
	if f.PodDomain != "" && f.Domain != "" && f.PodDomain != f.Domain {
		return []finding{warning("pods look names up in %s, as the kubelet tells them, and the cluster's DNS serves %s", f.PodDomain, f.Domain)}
	}
	switch is := cmp.Or(f.PodDomain, f.Domain); is {
	case usualDomain:
		return nil
	case "":
		return skipped("it cannot be seen from outside of the cluster")
	default:
		return []finding{warning("the cluster's DNS domain is %s, and not %s", is, usualDomain)}
	}
}

// webhooks: those that were tried, and those of meshes on EKS, whose API server reaches no
// pod but those with an address of AWS's own network plugin.
func webhooks(f *Facts) []finding {
	var found []finding
	for i := range f.Unreached {
		found = append(found, failed("%s. The API server says: %s", f.Unreached[i].Advice(), health.Shorten(f.Unreached[i].Said, mostWords)))
	}
	isOverlay := slices.ContainsFunc(f.Nodes, func(node corev1.Node) bool { return strings.HasPrefix(node.Spec.ProviderID, "aws://") }) &&
		!f.runs("amazon-k8s-cni")
	for i := range f.Meshes {
		m := &f.Meshes[i]
		webhook := ptr.Deref(m.Input.NSM.Spec.AdmissionWebhook, nsmv1beta1.AdmissionWebhookSpec{})
		if isOverlay && mesh.WebhookEnabled(&m.Input.NSM.Spec) && !ptr.Deref(webhook.HostNetwork, false) {
			found = append(found, warning("mesh %s: these are nodes of AWS without its network plugin, whose pods the API server of EKS does not reach", m.name()))
		}
	}
	if len(found) == 0 && !f.WebhooksTried {
		return skipped("nobody has tried: that takes --active, the operator, and the right to create NSMs in this namespace")
	}
	return found
}

func loadBalancer(f *Facts) []finding {
	var found []finding
	isAsked := false
	for i := range f.Meshes {
		m := &f.Meshes[i]
		for _, component := range m.Components {
			for _, object := range component.Others {
				service, isService := object.(*corev1.Service)
				if isService && service.Spec.Type == corev1.ServiceTypeLoadBalancer {
					isAsked = true
					found = append(found, f.addressOf(m, service)...)
				}
			}
		}
	}
	if !isAsked {
		return skipped("no mesh asks for one")
	}
	return found
}

// addressOf a Service that wants one of a load balancer: that it has one, or that
// another one has.
func (f *Facts) addressOf(m *Mesh, wanted *corev1.Service) []finding {
	isServed := func(service *corev1.Service) bool { return len(service.Status.LoadBalancer.Ingress) > 0 }
	isOther := false
	for i := range f.LoadBalancers {
		service := &f.LoadBalancers[i]
		if service.Namespace == wanted.Namespace && service.Name == wanted.Name {
			if isServed(service) {
				return nil
			}
			return []finding{failed("mesh %s: Service %s/%s has no address of a load balancer", m.name(), service.Namespace, service.Name)}
		}
		isOther = isOther || isServed(service)
	}
	if isOther {
		return nil
	}
	return []finding{warning("mesh %s: Service %s wants a load balancer, and nothing shows that there is one", m.name(), wanted.Name)}
}

// InotifyLimits of a machine: fs.inotify.max_user_instances and fs.inotify.max_user_watches.
type InotifyLimits struct{ Instances, Watches int }

// leastInotify is what kind asks for (kind.sigs.k8s.io, "Pod errors due to too many open files").
var leastInotify = InotifyLimits{Instances: 512, Watches: 524288}

// inotify looks at the limits of the machine whose containers the nodes are, and for what
// programs say that have reached a limit of their node. Those of other nodes cannot be read.
func inotify(f *Facts) []finding {
	var found []finding
	if f.Inotify != nil && (f.Inotify.Instances < leastInotify.Instances || f.Inotify.Watches < leastInotify.Watches) {
		found = append(found, warning("this machine, on which the nodes are containers, has fs.inotify.max_user_instances=%d and fs.inotify.max_user_watches=%d; kind asks for %d and %d",
			f.Inotify.Instances, f.Inotify.Watches, leastInotify.Instances, leastInotify.Watches))
	}
	if f.Before && f.Inotify == nil {
		return skipped("limits of nodes cannot be read before pods run into them")
	}
	for i := range f.Pods {
		pod := &f.Pods[i]
		for _, status := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
			for _, state := range []corev1.ContainerState{status.State, status.LastTerminationState} {
				if state.Terminated != nil && strings.Contains(state.Terminated.Message, "too many open files") {
					found = append(found, failed("pod %s/%s on node %s: container %s ended with \"too many open files\"",
						pod.Namespace, pod.Name, pod.Spec.NodeName, status.Name))
				}
			}
		}
	}
	return found
}
