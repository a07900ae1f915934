// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package preflight

import (
	"cmp"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/health"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// checks in the order in which they are made. A code is never given to another check.
var checks = []check{
	{"NSM001", "Kubernetes is new enough", "upgrade the cluster", always, nil, kubernetes},
	{"NSM002", "the operator's definitions are there", "install the operator: docs/install.md", installed, nil, definitions},
	{"NSM003", "the operator works", "kubectl get pods,lease -A -l app.kubernetes.io/name=nsm-operator, and its log, tell more", installed, []Part{PartOperators}, operators},
	{"NSM004", "SPIRE's agent runs on each node", "docs/spire.md says what a mesh needs of SPIRE", installed, []Part{PartNodes, PartPods}, spireAgents},
	{"NSM005", "SPIRE registers the workloads of meshes", "install SPIRE's controller manager, or register them yourself: docs/spire.md", installed, nil, spireRegistration},
	{"NSM006", "Pod Security lets forwarders in", "label the namespace, or let the operator do so: docs/install.md", always, []Part{PartNamespaces}, podSecurity},
	{"NSM007", "OpenShift's constraints are in place", "docs/openshift.md says which ones the pods need", always, []Part{PartConstraints}, constraints},
	{"NSM008", "the kubelet's directory is where meshes look for it", "set spec.kubeletDirectory", always, []Part{PartNodes}, kubeletDirectory},
	{"NSM009", "there are huge pages where VPP wants them", "docs/troubleshooting.md says how nodes and forwarders get huge pages", always, []Part{PartNodes}, hugePages},
	{"NSM010", "the ports that meshes need on nodes are free", "move one of the two to another port, or to other nodes", always, []Part{PartPods}, hostPorts},
	{"NSM011", "telemetry collectors answer", "start the collector, or leave telemetry.openTelemetry out: NSM's parts do not start without it", installed, []Part{PartCollectors}, collectors},
	{"NSM012", "certificates last", "the operator renews them: its log tells why it does not", installed, []Part{PartCertificates}, certificates},
	{"NSM013", "meshes are available", "kubectl nsm status shows what is down", installed, nil, meshes},
	{"NSM014", "endpoints are renewed", "kubectl nsm topology shows them; those of a node that is gone stay until somebody deletes them", installed, []Part{PartEndpoints}, endpoints},
	{"NSM015", "no log level exposes tokens", "set logLevel to INFO: logs of requests hold tokens", always, nil, logLevels},
	{"NSM016", "you may install the operator", "ask for the role cluster-admin", before, []Part{PartRights}, rights},
	{"NSM017", "Helm is new enough", "install a newer Helm, or use the one that make builds: bin/helm", before, []Part{PartHelm}, helm},
	{"NSM018", "clocks agree", "have all nodes and this machine set their clocks by NTP", always, []Part{PartLeases}, clocks},
	{"NSM019", "there is a default StorageClass", "make one the default, or set SPIRE_STORAGE: docs/k8s_manual_install.md", before, []Part{PartStorage}, storage},
	{"NSM020", "each part of a mesh has a node to run on", "check nodeSelector and tolerations of the part, and labels and taints of the nodes", always, []Part{PartNodes}, fittingNodes},
	{"NSM021", "the network plugin has no known problems", "try a ping through the mesh before you rely on it", always, []Part{PartPods}, networkPlugin},
	{"NSM022", "the cluster's DNS domain is the usual one", "name it where you install SPIRE by its charts: docs/spire.md", always, []Part{PartDomain}, domain},
	{"NSM023", "nodes have room for what meshes request", "free some, add nodes, or lower resources in the NSM", always, []Part{PartNodes, PartPods}, room},
	{"NSM024", "a load balancer serves meshes that span domains", "install one, or set interdomain.serviceType: docs/requirements.md", always, []Part{PartServices}, loadBalancer},
	{"NSM025", "the API server reaches webhooks", "open the port in the firewall, or run webhooks on the network of their nodes: docs/requirements.md", always, []Part{PartNodes, PartPods}, webhooks},
	{"NSM026", "no container runs out of inotify instances", "raise fs.inotify.max_user_instances and max_user_watches on the nodes: docs/requirements.md", always, []Part{PartPods}, inotify},
	{"NSM036", "SPIRE's CSI driver serves the meshes that use it", "install it, label it, or leave out spec.spire.mount: docs/spire.md, docs/openshift.md", installed, []Part{PartDrivers}, spireDriver},
	{"NSM037", "SELinux lets clients use the sockets", "docs/openshift.md has a MachineConfig that sets the type of their directories", always, []Part{PartNodes, PartMachineConfigs}, selinux},
	{"NSM038", "other domains' bundles can be fetched", "docs/spire.md says how domains federate; firewalls have to let port 8443 through", installed, []Part{PartFederation}, bundles},
	{"NSM039", "SPIRE ignores no namespace of a mesh or its clients", "use other namespaces, or change ignoreNamespaces of SPIRE's controller manager: docs/spire.md", always, []Part{PartPods, PartAllNamespaces}, ignoredNamespaces},
	{"NSM040", "forwarders that are ready are registered", "the logs of the forwarder, and of the manager on its node, tell why it is not", installed, []Part{PartPods, PartEndpoints}, registrations},
	{"NSM041", "the plugin and the operator have the same version", "take the plugin of the operator's version", installed, []Part{PartOperators}, versions},
	{"NSM042", "SPIRE is new enough", "upgrade SPIRE, one minor release at a time", always, []Part{PartPods}, oldAgents},
	{"NSM027", "the cluster lets clients in", "read the message, and label the namespace or choose another one with --active-namespace", tried, nil, hopAdmitted.findings},
	{"NSM028", "clients get a node", "make room, or change what keeps pods off the nodes on which managers run", tried, nil, hopScheduled.findings},
	{"NSM029", "clients start", "spec.images and --endpoint-image say where images come from", tried, nil, hopStarted.findings},
	{"NSM030", "SPIRE gives clients an identity", "docs/spire.md says how pods are registered; the logs of SPIRE's agent and controller manager tell why they are not", tried, nil, hopIdentified.findings},
	{"NSM031", "a manager and a forwarder are on the nodes of clients", "kubectl nsm status shows what is down", tried, nil, hopServed.findings},
	{"NSM032", "an endpoint registers", "the logs of the manager on its node and of the registry tell why", tried, nil, hopRegistered.findings},
	{"NSM033", "a client gets its connection", "the logs of the managers and forwarders on both nodes tell why", tried, nil, hopConnected.findings},
	{"NSM034", "packets come through", "look at the MTU, and at firewalls and network policies between the nodes: docs/requirements.md", tried, nil, hopPinged.findings},
	{"NSM035", "everything that the trial created is removed", "delete it by hand", tried, nil, leftovers},
}

func kubernetes(f *Facts) []finding {
	if err := CheckKubernetes(f.Version); err != nil {
		return []finding{failed("%v", err)}
	}
	return nil
}

func definitions(f *Facts) []finding {
	var found []finding
	if !f.ServesNSMs {
		found = append(found, failed("the cluster does not serve %s nsms", nsmv1beta1.GroupVersion))
	}
	if !f.ServesEntries {
		found = append(found, failed("the cluster does not serve networkservicemesh.io/v1 networkservices and networkserviceendpoints, in which a registry of type k8s keeps its entries"))
	}
	return found
}

func operators(f *Facts) []finding {
	var found []finding
	for _, message := range f.BrokenOperators {
		found = append(found, failed("%s", message))
	}
	for _, message := range f.OtherOperators {
		found = append(found, warning("%s", message))
	}
	return found
}

// versions of the operator that are not the plugin's.
func versions(f *Facts) []finding {
	var found []finding
	for _, message := range f.Versions {
		found = append(found, warning("%s", message))
	}
	return found
}

// registrations finds forwarders that are ready and that no live endpoint leads to: they
// serve nobody.
func registrations(f *Facts) []finding {
	var found []finding
	isAsked := false
	for i := range f.Meshes {
		m := &f.Meshes[i]
		for _, component := range m.Components {
			if !component.Registers {
				continue // what a registry of type memory knows cannot be read
			}
			isAsked = true
			found = append(found, m.unregistered(f, component.Workload.GetName())...)
		}
	}
	if !isAsked {
		return skipped("no mesh has forwarders that can be looked for in a registry")
	}
	return found
}

// unregistered are the pods of a workload that are ready and that no live endpoint is of.
func (m *Mesh) unregistered(f *Facts, workload string) []finding {
	var found []finding
	for i := range f.Pods {
		pod := &f.Pods[i]
		isOf := m.owns(pod) && pod.Labels[mesh.LabelName] == workload && !mesh.IsImagePull(pod) && pod.DeletionTimestamp == nil && health.IsReady(pod)
		if isOf && !slices.ContainsFunc(f.LiveEndpoints, func(endpoint string) bool { return mesh.IsEndpointOf(endpoint, pod.Name) }) {
			found = append(found, failed("mesh %s: forwarder %s on node %s is ready, and no live endpoint in the registry has its name: nobody finds it",
				m.name(), pod.Name, pod.Spec.NodeName))
		}
	}
	return found
}

// spireAgents looks for an agent on each Linux node on which pods of a mesh can run.
func spireAgents(f *Facts) []finding {
	ready := map[string]bool{}
	for i := range f.Pods {
		pod := &f.Pods[i]
		isAgent := slices.ContainsFunc(pod.Spec.Containers, func(c corev1.Container) bool { return ProgramOf(c.Image) == SpireAgent })
		isReady := slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
		})
		if isAgent && isReady {
			ready[pod.Spec.NodeName] = true
		}
	}
	var missing []string
	for _, node := range f.meshNodes() {
		if !ready[node] {
			missing = append(missing, node)
		}
	}
	switch {
	case len(missing) == 0:
		return nil
	case len(ready) == 0:
		return []finding{failed("no node has a pod of SPIRE's agent that is ready: no part of a mesh gets an identity")}
	default:
		return []finding{failed("there is no pod of SPIRE's agent that is ready on %s", strings.Join(missing, ", "))}
	}
}

// oldAgents names agents that may know no pod on a node of today.
func oldAgents(f *Facts) []finding {
	old := map[string]bool{}
	for i := range f.Pods {
		for _, container := range f.Pods[i].Spec.Containers {
			if ProgramOf(container.Image) == SpireAgent && isOldSpire(container.Image) {
				old[container.Image] = true
			}
		}
	}
	if len(old) == 0 {
		return nil
	}
	return []finding{warning("%s is older than SPIRE %s: on nodes with cgroup v2 it may not recognize pods, which then get no identity",
		strings.Join(slices.Sorted(maps.Keys(old)), ", "), OldestSpire)}
}

// meshNodes are the nodes on which pods of some mesh run, by name.
func (f *Facts) meshNodes() []string {
	var names []string
	for i := range f.Nodes {
		node := &f.Nodes[i]
		if slices.ContainsFunc(f.Meshes, func(m Mesh) bool { return m.selects(node) }) {
			names = append(names, node.Name)
		}
	}
	slices.Sort(names)
	return names
}

// selects reports whether pods of the mesh's DaemonSets run on a node.
func (m *Mesh) selects(node *corev1.Node) bool {
	return slices.ContainsFunc(m.Components, func(component mesh.Component) bool { return runsOn(component, node) })
}

// runsOn reports whether a component is a DaemonSet that has a pod on a node.
func runsOn(component mesh.Component, node *corev1.Node) bool {
	return mesh.KindOf(component.Workload) == "DaemonSet" && health.RunsOn(&mesh.PodTemplateOf(component.Workload).Spec, node)
}

func spireRegistration(f *Facts) []finding {
	if f.Platform.ClusterSPIFFEIDs {
		return nil
	}
	return []finding{warning("the cluster does not serve ClusterSPIFFEIDs: somebody else has to register the workloads with SPIRE")}
}

// ignoredNamespaces finds namespaces in which the ClusterSPIFFEID of a mesh gives nobody an
// identity, as SPIRE's controller manager is configured by default.
func ignoredNamespaces(f *Facts) []finding {
	if !f.Before && !f.Platform.ClusterSPIFFEIDs {
		return skipped("the cluster does not serve ClusterSPIFFEIDs: somebody else registers the workloads")
	}
	var found []finding
	for i := range f.Meshes {
		m := &f.Meshes[i]
		if mesh.SpireOf(m.Input).Registration == nsmv1beta1.SpireRegistrationNone {
			continue
		}
		own := m.Input.NSM.Namespace
		for _, namespace := range append([]string{own}, f.clientsOf(m)...) {
			pattern, whose := mesh.IgnoredBySPIRE(namespace), "a client's"
			if namespace == own {
				whose = "its own"
			}
			if pattern != "" {
				found = append(found, warning("mesh %s: %s namespace, %s, matches %q, by which SPIRE's controller manager ignores namespaces unless its ignoreNamespaces says otherwise: pods get no identity there",
					m.name(), whose, namespace, pattern))
			}
		}
	}
	return found
}

// clientsOf a mesh are the namespaces, but for its own, that ask its admission webhook for
// clients, that it selects on OpenShift, or that have a pod with SPIRE's label.
func (f *Facts) clientsOf(m *Mesh) []string {
	names := map[string]bool{}
	for i := range f.Namespaces {
		if namespace := &f.Namespaces[i]; mesh.AsksForClients(&m.Input.NSM.Spec, namespace) {
			names[namespace.Name] = true
		}
	}
	for _, namespace := range mesh.IgnoredClients(m.Input) {
		names[namespace] = true
	}
	asks := labels.SelectorFromSet(mesh.IdentityLabels())
	for i := range f.Pods {
		// Those of other meshes are in namespaces of their own.
		if pod := &f.Pods[i]; asks.Matches(labels.Set(pod.Labels)) && pod.Labels[mesh.LabelManagedBy] != mesh.ManagedBy {
			names[pod.Namespace] = true
		}
	}
	delete(names, m.Input.NSM.Namespace)
	return slices.Sorted(maps.Keys(names))
}

func podSecurity(f *Facts) []finding {
	var found []finding
	for i := range f.Meshes {
		m := &f.Meshes[i]
		if !mesh.UsesNodes(m.Components) {
			continue
		}
		namespace := m.Input.NSM.Namespace
		switch {
		case f.PrivilegedRefused != "" && m.NamespaceLabels[mesh.LabelEnforce] == "":
			found = append(found, warning("privileged pods are refused in namespaces without the label %s, so that those of meshes and of clients need it: %s",
				mesh.LabelEnforce, f.PrivilegedRefused))
		case f.PrivilegedTried && m.NamespaceLabels[mesh.LabelEnforce] == "":
		case m.NamespaceLabels == nil:
			found = append(found, warning("mesh %s: there is no namespace %s yet", m.name(), namespace))
		case mesh.RefusesForwarders(m.NamespaceLabels):
			found = append(found, failed("mesh %s: the namespace has the label %s=%s, which refuses forwarders",
				m.name(), mesh.LabelEnforce, m.NamespaceLabels[mesh.LabelEnforce]))
		case m.NamespaceLabels[mesh.LabelEnforce] == "":
			found = append(found, warning("mesh %s: the namespace has no label %s, so that the cluster's default counts, which cannot be read",
				m.name(), mesh.LabelEnforce))
		}
	}
	return found
}

func kubeletDirectory(f *Facts) []finding {
	var found []finding
	for i := range f.Nodes {
		for j := range f.Meshes {
			found = append(found, f.kubeletDirectoryOf(&f.Nodes[i], &f.Meshes[j])...)
		}
	}
	return found
}

// kubeletDirectoryOf a node: what a mesh, or a pod of it that is there, mounts instead.
func (f *Facts) kubeletDirectoryOf(node *corev1.Node, m *Mesh) []finding {
	directory := mesh.KubeletDirectoryOf(node)
	if directory == mesh.UsualKubeletDirectory {
		// Of a node that shows nothing the user may know better.
		directory = cmp.Or(m.Input.NSM.Spec.KubeletDirectory, directory)
	}
	if directory == "" {
		return nil
	}
	wrong := map[string]string{}
	if m.selects(node) {
		wrong[m.Input.KubeletDirectory()] = "the mesh"
	}
	for i := range f.Pods {
		pod := &f.Pods[i]
		if mounted := mesh.KubeletDirectoryIn(&pod.Spec); mounted != "" && pod.Spec.NodeName == node.Name && pod.DeletionTimestamp == nil && m.owns(pod) {
			wrong[mounted] = cmp.Or(wrong[mounted], "its pod "+pod.Name)
		}
	}
	delete(wrong, directory)
	var found []finding
	for _, mounted := range slices.Sorted(maps.Keys(wrong)) {
		found = append(found, failed("mesh %s: the kubelet of node %s keeps its files in %s, and %s mounts %s", m.name(), node.Name, directory, wrong[mounted], mounted))
	}
	return found
}

// hostPort is a port of a node.
type hostPort struct {
	protocol corev1.Protocol
	port     int32
}

// hostPortsOf a pod: on the network of its node all of its ports are.
func hostPortsOf(pod *corev1.PodSpec) []hostPort {
	var ports []hostPort
	for _, container := range pod.Containers {
		for _, port := range container.Ports {
			number := port.HostPort
			if pod.HostNetwork && number == 0 {
				number = port.ContainerPort
			}
			if number != 0 {
				ports = append(ports, hostPort{cmp.Or(port.Protocol, corev1.ProtocolTCP), number})
			}
		}
	}
	return ports
}

// hostPorts finds pods of others on the ports that a mesh needs on its nodes.
func hostPorts(f *Facts) []finding {
	var found []finding
	for i := range f.Meshes {
		m := &f.Meshes[i]
		found = append(found, f.prometheusPorts(m)...)
		for _, component := range m.Components {
			wanted := hostPortsOf(&mesh.PodTemplateOf(component.Workload).Spec)
			for j := range f.Pods {
				pod := &f.Pods[j]
				if m.owns(pod) {
					continue
				}
				for _, port := range hostPortsOf(&pod.Spec) {
					if slices.Contains(wanted, port) && f.isOnNodesOf(m, pod) {
						found = append(found, failed("mesh %s: %s %s needs %s port %d of its nodes, and pod %s/%s has it on node %s", m.name(),
							mesh.KindOf(component.Workload), component.Workload.GetName(), port.protocol, port.port, pod.Namespace, pod.Name, pod.Spec.NodeName))
					}
				}
			}
		}
	}
	return found
}

// isOnNodesOf reports whether a pod is on a node of the mesh; of nodes that cannot be seen
// it is taken to be.
func (f *Facts) isOnNodesOf(m *Mesh, pod *corev1.Pod) bool {
	i := slices.IndexFunc(f.Nodes, func(node corev1.Node) bool { return node.Name == pod.Spec.NodeName })
	return pod.Spec.NodeName != "" && (i < 0 || m.selects(&f.Nodes[i]))
}

// certificates tells of those that end too soon: of several that one trusts, the last
// one counts.
func certificates(f *Facts) []finding {
	var found []finding
	for _, name := range slices.Sorted(maps.Keys(f.Certificates)) {
		var last time.Time
		for rest := f.Certificates[name]; ; {
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil {
				break
			}
			if certificate, err := x509.ParseCertificate(block.Bytes); err == nil && certificate.NotAfter.After(last) {
				last = certificate.NotAfter
			}
		}
		if last.IsZero() {
			found = append(found, failed("%s trusts no certificate", name))
			continue
		}
		if days := int(last.Sub(f.Now) / (24 * time.Hour)); days < f.CertDays {
			found = append(found, failed("what %s trusts ends in %d days", name, days))
		}
	}
	return found
}

func meshes(f *Facts) []finding {
	var found []finding
	isThere := false
	for i := range f.Meshes {
		nsm := f.Meshes[i].Input.NSM
		if nsm.UID == "" {
			continue
		}
		isThere = true
		available := meta.FindStatusCondition(nsm.Status.Conditions, nsmv1beta1.ConditionAvailable)
		switch {
		case available == nil || nsm.Status.ObservedGeneration != nsm.Generation:
			found = append(found, warning("mesh %s: the operator has not looked at this generation of the NSM yet", f.Meshes[i].name()))
		case available.Status != metav1.ConditionTrue:
			found = append(found, failed("mesh %s: %s", f.Meshes[i].name(), available.Message))
		}
	}
	if !isThere {
		return skipped("there is no mesh yet")
	}
	return found
}

// mostNamed is how many of many are named.
const mostNamed = 5

func endpoints(f *Facts) []finding {
	expired := f.ExpiredEndpoints
	if len(expired) == 0 {
		return nil
	}
	named := strings.Join(expired[:min(len(expired), mostNamed)], ", ")
	if more := len(expired) - mostNamed; more > 0 {
		named += fmt.Sprintf(" and %d more", more)
	}
	return []finding{warning("these endpoints have expired: %s", named)}
}
