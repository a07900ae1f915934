// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	securityv1 "github.com/openshift/api/security/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

// On OpenShift no pod runs unless some SecurityContextConstraints (SCC) allows
// all that it asks for. Each class of the mesh's pods has one of its own, just
// wide enough; its pods name it, and their ServiceAccounts alone may use it.

// SecurityContextConstraintsKind is OpenShift's.
var SecurityContextConstraintsKind = securityv1.GroupVersion.WithKind("SecurityContextConstraints")

const (
	// restrictedSCC is OpenShift's own, which everybody may use: for pods that
	// need nothing of their node.
	restrictedSCC = "restricted-v2"
	// RoleSCC labels the SCCs and the roles to use them.
	RoleSCC Role = "scc"

	seccompRuntimeDefault = "runtime/default"
	// unmanaged SCCs are somebody else's to make.
	unmanaged nsmv1beta1.SCCManagement = "None"
)

// sccClass is a class of pods that need the same of their node.
type sccClass string

const (
	// classNone needs nothing.
	classNone sccClass = ""
	// classForwarder changes the node's network and the network of its processes:
	// vpp and ovs.
	classForwarder sccClass = "forwarder"
	// classForwarderSRIOV does so without a look at the node's processes.
	classForwarderSRIOV sccClass = "forwarder-sriov"
	// classManager makes the socket on which clients and forwarders meet.
	classManager sccClass = "nsmgr"
	// classCSI mounts that socket's directory into other pods.
	classCSI sccClass = "csi-driver"
	// classHostWebhook listens on port 443 of the node.
	classHostWebhook sccClass = "admission-webhook"
	// classSocket asks SPIRE for an identity through a socket on the node.
	classSocket sccClass = "spire-socket"
	// classClient is that of the users' own pods.
	classClient sccClass = "client"
)

// sccPrivileges are what the classes differ in.
type sccPrivileges struct {
	// privileged containers, on which no other limit has an effect.
	privileged bool
	// hostNetwork is the network of the node.
	hostNetwork bool
	// hostPorts are ports of the node, privileged ones among them.
	hostPorts bool
	// root owns the directories on the node that the pods write to, and may listen on
	// its privileged ports.
	root bool
	// unconfined pods have no container that asks for a seccomp profile.
	unconfined bool
}

// sccClasses are as small as NSM's own manifests and images allow.
var sccClasses = map[sccClass]sccPrivileges{
	classForwarder:      {privileged: true, hostNetwork: true, root: true, unconfined: true},
	classForwarderSRIOV: {privileged: true, hostNetwork: true, root: true, unconfined: true},
	classManager:        {root: true},
	classCSI:            {privileged: true, root: true},
	classHostWebhook:    {hostNetwork: true, hostPorts: true, root: true},
	classSocket:         {},
}

// managesSCCs reports whether the mesh needs SCCs, and the operator makes them.
func (in Input) managesSCCs() bool {
	openShift := ptr.Deref(in.NSM.Spec.OpenShift, nsmv1beta1.OpenShiftSpec{})
	return in.Platform.OpenShift && openShift.SecurityContextConstraints != unmanaged
}

// classOf a component. It is the same in every release, so that pods of two
// releases can live side by side while the release changes.
func (in Input) classOf(component Component, pod corev1.PodSpec) sccClass {
	switch {
	case component.Role == RoleForwarder && in.isSRIOV(component.Workload.GetName()):
		return classForwarderSRIOV
	case component.Role == RoleForwarder:
		return classForwarder
	case component.Role == RoleManager:
		return classManager
	case component.Role == RoleCSI:
		return classCSI
	case component.Role == RoleWebhook && pod.HostNetwork:
		return classHostWebhook
	case usesHostPaths(pod):
		return classSocket
	default:
		return classNone
	}
}

func usesHostPaths(pod corev1.PodSpec) bool {
	return slices.ContainsFunc(pod.Volumes, func(v corev1.Volume) bool { return v.HostPath != nil })
}

// isSRIOV reports whether the forwarder with a name is of type sriov.
func (in Input) isSRIOV(name string) bool {
	return slices.ContainsFunc(Forwarders(&in.NSM.Spec), func(forwarder nsmv1beta1.ForwarderSpec) bool {
		return forwarder.Type == nsmv1beta1.ForwarderTypeSRIOV &&
			cmp.Or(forwarder.Name, nsmv1beta1.DefaultForwarderName(forwarder.Type)) == name
	})
}

// constrained names in every pod the SCC that is meant for it, has the pod ask
// for what that SCC allows, and lets the component's ServiceAccount use it.
func constrained(in Input, components []Component) []Component {
	if !in.managesSCCs() {
		return components
	}
	for i := range components {
		component := &components[i]
		template := PodTemplateOf(component.Workload)
		class := in.classOf(*component, template.Spec)
		name := restrictedSCC
		if class != classNone {
			name = in.sccName(class)
			askFor(&template.Spec, sccClasses[class])
			p := part{Input: in, role: component.Role, name: component.Workload.GetName()}
			binding := p.sccRoleBinding(class)
			// Those that the NSM gives the component included.
			binding.Labels, binding.Annotations = maps.Clone(component.Workload.GetLabels()), maps.Clone(component.Workload.GetAnnotations())
			component.Others = append(component.Others, binding)
		}
		template.Annotations = mergeMaps(template.Annotations, map[string]string{securityv1.RequiredSCCAnnotation: name})
	}
	return components
}

// PodTemplateOf is the template of the pods of a Deployment or DaemonSet.
func PodTemplateOf(workload Object) *corev1.PodTemplateSpec {
	switch workload := workload.(type) {
	case *appsv1.DaemonSet:
		return &workload.Spec.Template
	case *appsv1.Deployment:
		return &workload.Spec.Template
	default:
		panic("a component is a DaemonSet or a Deployment")
	}
}

// askFor makes a pod say what it needs, so that an SCC which does not give it
// refuses the pod, instead of letting in one that cannot work.
func askFor(pod *corev1.PodSpec, privileges sccPrivileges) {
	if pod.SecurityContext == nil {
		pod.SecurityContext = &corev1.PodSecurityContext{}
	}
	if usesHostPaths(*pod) {
		pod.SecurityContext.SELinuxOptions = hostSELinux()
	}
	if privileges.root {
		pod.SecurityContext.RunAsUser = ptr.To(int64(0))
	}
}

// hostSELinux is the domain of pods that use directories of the node: SELinux
// keeps all other pods from them. The level has no categories, so that what such
// a pod makes there (nsmgr's socket) can be used by the others.
func hostSELinux() *corev1.SELinuxOptions {
	return &corev1.SELinuxOptions{Type: "spc_t", Level: "s0"}
}

// Constraints renders the SCCs of components and of clients, the roles to use
// them, and what grants the clients' role and limits it.
func Constraints(in Input, components []Component) []Object {
	if !in.managesSCCs() {
		return nil
	}
	pods := map[sccClass][]corev1.PodSpec{}
	for _, component := range components {
		template := PodTemplateOf(component.Workload)
		class := in.classOf(component, template.Spec)
		pods[class] = append(pods[class], template.Spec)
	}
	var objects []Object
	for _, class := range slices.Sorted(maps.Keys(pods)) {
		if class != classNone {
			objects = append(objects, in.sccObject(in.componentSCC(class, pods[class])), in.sccRole(class))
		}
	}
	return append(objects, in.clientConstraints()...)
}

// sccName is unique in the cluster and a DNS subdomain, as the kind wants it.
func (in Input) sccName(class sccClass) string {
	return "nsm-" + in.NSM.Namespace + "-" + string(class)
}

func (in Input) sccRoleName(class sccClass) string {
	return "nsm:" + in.NSM.Namespace + ":scc:" + string(class)
}

func (in Input) sccPart(class sccClass) part {
	return part{Input: in, role: RoleSCC, name: string(class)}
}

// emptySCC allows a pod nothing but to run, as a user and with groups of its
// namespace's ranges. Nobody is named in it: roles grant it.
//
// Two things are not said, and so are not put right when somebody fills them in.
// runAsUser.uidRangeMin and -Max have no value that means the range of the pod's
// namespace. userNamespaceLevel has the widest one by default, and to say it,
// OpenShift has to know it: by 4.20, before which it refuses to apply the field.
func (in Input) emptySCC(class sccClass) *securityv1.SecurityContextConstraints {
	return &securityv1.SecurityContextConstraints{
		TypeMeta:                 metav1.TypeMeta{APIVersion: securityv1.GroupVersion.String(), Kind: SecurityContextConstraintsKind.Kind},
		ObjectMeta:               in.sccPart(class).clusterMetaNamed(in.sccName(class)),
		AllowPrivilegeEscalation: ptr.To(false),
		RequiredDropCapabilities: []corev1.Capability{"ALL"},
		// For containers that do not say; privileged ones are exempt.
		DefaultAllowPrivilegeEscalation: ptr.To(false),
		RunAsUser:                       securityv1.RunAsUserStrategyOptions{Type: securityv1.RunAsUserStrategyMustRunAsRange},
		SELinuxContext:                  securityv1.SELinuxContextStrategyOptions{Type: securityv1.SELinuxStrategyMustRunAs},
		FSGroup:                         securityv1.FSGroupStrategyOptions{Type: securityv1.FSGroupStrategyMustRunAs},
		SupplementalGroups:              securityv1.SupplementalGroupsStrategyOptions{Type: securityv1.SupplementalGroupsStrategyMustRunAs},
		SeccompProfiles:                 []string{seccompRuntimeDefault},
		Users:                           []string{},
		Groups:                          []string{},
	}
}

// componentSCC is the SCC of a class of the mesh's own pods.
func (in Input) componentSCC(class sccClass, pods []corev1.PodSpec) *securityv1.SecurityContextConstraints {
	privileges := sccClasses[class]
	scc := in.emptySCC(class)
	scc.Volumes = volumeTypes(pods)
	if slices.ContainsFunc(pods, usesHostPaths) {
		scc.AllowHostDirVolumePlugin = true
		scc.SELinuxContext.SELinuxOptions = hostSELinux()
	}
	scc.AllowHostNetwork = privileges.hostNetwork
	if privileges.hostPorts {
		scc.AllowHostPorts = true
		scc.AllowedCapabilities = []corev1.Capability{"NET_BIND_SERVICE"}
	}
	// Of vpp from v1.3.0 on, and of ovs.
	scc.AllowHostPID = slices.ContainsFunc(pods, func(pod corev1.PodSpec) bool { return pod.HostPID })
	scc.ReadOnlyRootFilesystem = !privileges.privileged
	if privileges.privileged {
		scc.AllowPrivilegedContainer = true
		scc.AllowPrivilegeEscalation = ptr.To(true)
		// OpenShift would write the drops into containers that need all of them.
		scc.RequiredDropCapabilities = nil
	}
	if privileges.unconfined {
		scc.SeccompProfiles = nil
	}
	if privileges.root {
		scc.RunAsUser = securityv1.RunAsUserStrategyOptions{Type: securityv1.RunAsUserStrategyMustRunAs, UID: ptr.To(int64(0))}
	}
	return scc
}

// volumeTypes are those of the pods, sorted as OpenShift keeps them.
func volumeTypes(pods []corev1.PodSpec) []securityv1.FSType {
	types := map[securityv1.FSType]bool{}
	for _, pod := range pods {
		if ptr.Deref(pod.AutomountServiceAccountToken, true) {
			// The API server adds the volume of the token.
			types[securityv1.FSProjected] = true
		}
		for _, volume := range pod.Volumes {
			types[volumeType(volume)] = true
		}
	}
	if types[securityv1.FSTypeSecret] {
		// To OpenShift the token is one of those.
		delete(types, securityv1.FSProjected)
	}
	return slices.Sorted(maps.Keys(types))
}

func volumeType(volume corev1.Volume) securityv1.FSType {
	switch {
	case volume.HostPath != nil:
		return securityv1.FSTypeHostPath
	case volume.CSI != nil:
		return securityv1.FSTypeCSI
	case volume.ConfigMap != nil:
		return securityv1.FSTypeConfigMap
	case volume.Secret != nil:
		return securityv1.FSTypeSecret
	default:
		return securityv1.FSTypeEmptyDir
	}
}

// unsaid are the fields that OpenShift's type leaves out of its JSON when they
// are empty. They are said nevertheless: only fields that are applied are put
// right when somebody fills them in.
var unsaid = map[string]any{
	"allowedFlexVolumes":   []any{},
	"allowedUnsafeSysctls": []any{},
	"forbiddenSysctls":     []any{},
	"fsGroup":              map[string]any{"ranges": []any{}},
	"seccompProfiles":      []any{},
	"seLinuxContext":       map[string]any{"seLinuxOptions": map[string]any{"level": "", "role": "", "type": "", "user": ""}},
	"supplementalGroups":   map[string]any{"ranges": []any{}},
}

// sccObject gives an SCC the form of all kinds that are not Kubernetes' own.
func (in Input) sccObject(scc *securityv1.SecurityContextConstraints) Object {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(scc)
	if err != nil {
		panic(err) // a type of OpenShift's that has no JSON form
	}
	addMissing(content, unsaid)
	return &unstructured.Unstructured{Object: content}
}

// addMissing puts into an object the fields of another one that it lacks.
func addMissing(content, fields map[string]any) {
	for name, value := range fields {
		inner, isObject := value.(map[string]any)
		outer, isThere := content[name].(map[string]any)
		switch {
		case isObject && isThere:
			addMissing(outer, inner)
		case content[name] == nil:
			content[name] = runtime.DeepCopyJSONValue(value)
		}
	}
}

// sccRole may use the SCC of a class.
func (in Input) sccRole(class sccClass) *rbacv1.ClusterRole {
	return &rbacv1.ClusterRole{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRole"},
		ObjectMeta: in.sccPart(class).clusterMetaNamed(in.sccRoleName(class)),
		Rules: []rbacv1.PolicyRule{{
			APIGroups:     []string{securityv1.GroupName},
			Resources:     []string{"securitycontextconstraints"},
			ResourceNames: []string{in.sccName(class)},
			Verbs:         []string{"use"},
		}},
	}
}

// sccRoleBinding lets the component's ServiceAccount use its SCC, in the mesh's
// namespace alone.
func (p part) sccRoleBinding(class sccClass) *rbacv1.RoleBinding {
	return p.roleBinding(p.meta("scc:"+p.name), class, rbacv1.Subject{
		Kind: rbacv1.ServiceAccountKind, Name: p.name, Namespace: p.NSM.Namespace,
	})
}

func (in Input) roleBinding(meta metav1.ObjectMeta, class sccClass, subject rbacv1.Subject) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "RoleBinding"},
		ObjectMeta: meta,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: in.sccRoleName(class)},
		Subjects:   []rbacv1.Subject{subject},
	}
}

// ClientSelector selects the namespaces whose pods may use the clients' SCC; nil
// where there is none: not wanted, or not needed since clients reach the sockets
// through CSI drivers, which restricted-v2 allows them.
func ClientSelector(in Input) *metav1.LabelSelector {
	openShift := ptr.Deref(in.NSM.Spec.OpenShift, nsmv1beta1.OpenShiftSpec{})
	hasCSI := hasCSIDriver(&in.NSM.Spec) && in.Release.Facts().CSIDriver
	if !in.managesSCCs() || hasCSI && in.spire().Mount == nsmv1beta1.SpireMountCSI {
		return nil
	}
	return openShift.ClientNamespaces
}

// Namespaces that hold no clients, whatever selects them: a wide selector would
// let pods of the platform, which are none, use host paths, and those of the
// mesh's own namespace, where everybody would get what only some components need.
var (
	platformNamespaces        = []string{"default", "openshift"}
	platformNamespacePrefixes = []string{"kube-", "openshift-"}
)

func (in Input) mayHoldClients(namespace string) bool {
	return namespace != in.NSM.Namespace && !slices.Contains(platformNamespaces, namespace) &&
		!slices.ContainsFunc(platformNamespacePrefixes, func(prefix string) bool { return strings.HasPrefix(namespace, prefix) })
}

// clients are the namespaces whose pods may use the clients' SCC.
func (in Input) clients() []string {
	return slices.DeleteFunc(slices.Clone(in.ClientNamespaces), func(namespace string) bool { return !in.mayHoldClients(namespace) })
}

// clientConstraints let the pods of the clients' namespaces mount the sockets'
// directories.
func (in Input) clientConstraints() []Object {
	if ClientSelector(in) == nil {
		return nil
	}
	objects := []Object{in.sccObject(in.clientSCC()), in.sccRole(classClient)}
	objects = append(objects, in.clientPolicy()...)
	for _, namespace := range in.clients() {
		// No owner reference: its owner is in another namespace.
		meta := in.sccPart(classClient).clusterMetaNamed(clientBindingName(in.NSM.Namespace))
		meta.Namespace = namespace
		objects = append(objects, in.roleBinding(meta, classClient, rbacv1.Subject{
			APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: "system:serviceaccounts:" + namespace,
		}))
	}
	return objects
}

// clientBindingName is the name of the RoleBindings in the clients' namespaces.
func clientBindingName(namespace string) string {
	return "nsm:" + namespace + ":" + string(classClient)
}

// ClientLabels are the labels of all RoleBindings in the clients' namespaces, and
// of no other ones.
func ClientLabels(nsm *nsmv1beta1.NSM) map[string]string {
	labels := OwnerLabels(nsm)
	labels[LabelName], labels[LabelComponent] = string(classClient), string(RoleSCC)
	return labels
}

// clientSCC allows what restricted-v2 does, since a pod is judged by one SCC as
// a whole, and host paths with the SELinux domain that they need. Which paths,
// no SCC can say: clientPolicy does.
func (in Input) clientSCC() *securityv1.SecurityContextConstraints {
	scc := in.emptySCC(classClient)
	scc.AllowHostDirVolumePlugin = true
	scc.AllowedCapabilities = []corev1.Capability{"NET_BIND_SERVICE"}
	scc.SELinuxContext.SELinuxOptions = &corev1.SELinuxOptions{Type: hostSELinux().Type}
	// As in restricted-v2, since a client that shares a storage with others joins
	// the group of its files. It is the only RunAsAny in our SCCs.
	scc.SupplementalGroups.Type = securityv1.SupplementalGroupsStrategyRunAsAny
	scc.Volumes = []securityv1.FSType{
		securityv1.FSTypeConfigMap, securityv1.FSTypeCSI, securityv1.FSTypeDownwardAPI, securityv1.FSTypeEmptyDir,
		securityv1.FSTypeEphemeral, securityv1.FSTypeHostPath, securityv1.FSTypePersistentVolumeClaim,
		securityv1.FSProjected, securityv1.FSTypeSecret,
	}
	return scc
}
