// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package scc_test

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	securityv1 "github.com/openshift/api/security/v1"
	"github.com/openshift/apiserver-library-go/pkg/securitycontextconstraints/sccadmission"
	securityv1listers "github.com/openshift/client-go/security/listers/security/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/initializer"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/cache"
	podapi "k8s.io/kubernetes/pkg/api/pod"
	"k8s.io/kubernetes/pkg/apis/core"
	corev1conversion "k8s.io/kubernetes/pkg/apis/core/v1"
	"k8s.io/kubernetes/pkg/apis/core/validation"
	"k8s.io/kubernetes/pkg/capabilities"
	rbacvalidation "k8s.io/kubernetes/pkg/registry/rbac/validation"
	"k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac"
)

const (
	meshNamespace     = "nsm-system"
	selectedNamespace = "blue"
	otherNamespace    = "red"
)

// namespaces are what the admission code knows of them.
var namespaces informers.SharedInformerFactory

func TestMain(m *testing.M) {
	debug.SetGCPercent(400)     // memory for time
	capabilities.Setup(true, 0) // as --allow-privileged, which OpenShift's API server has
	ctx, cancel := context.WithCancel(context.Background())
	client := fake.NewClientset(namespace(meshNamespace, 26), namespace(selectedNamespace, 27), namespace(otherNamespace, 28))
	namespaces = informers.NewSharedInformerFactory(client, 0)
	namespaces.Core().V1().Namespaces().Informer()
	namespaces.Start(ctx.Done())
	namespaces.WaitForCacheSync(ctx.Done())
	code := m.Run()
	cancel()
	os.Exit(code)
}

// namespace has what OpenShift writes to every new one: the ranges of its users
// and groups, and its SELinux categories.
func namespace(name string, number int) *corev1.Namespace {
	ids := fmt.Sprintf("1000%d0000/10000", number)
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{
		securityv1.UIDRangeAnnotation: ids, securityv1.SupplementalGroupsAnnotation: ids,
		securityv1.MCSAnnotation: fmt.Sprintf("s0:c%d,c5", number),
	}}}
}

// cluster is what decides which pods may run: SCCs, and who may use them.
type cluster struct {
	sccs                []*securityv1.SecurityContextConstraints
	clusterRoles        []*rbacv1.ClusterRole
	clusterRoleBindings []*rbacv1.ClusterRoleBinding
	roleBindings        []*rbacv1.RoleBinding
}

// with puts SCCs in the place of those with their names.
func (c cluster) with(sccs ...*securityv1.SecurityContextConstraints) cluster {
	c.sccs = slices.Clone(c.sccs)
	for _, scc := range sccs {
		i := slices.IndexFunc(c.sccs, func(other *securityv1.SecurityContextConstraints) bool { return other.Name == scc.Name })
		if i < 0 {
			c.sccs = append(c.sccs, scc)
			continue
		}
		c.sccs[i] = scc
	}
	return c
}

// without an SCC of ours. OpenShift's own cannot go, but the right to use it can.
func (c cluster) without(name string) cluster {
	c.sccs = slices.DeleteFunc(slices.Clone(c.sccs), func(scc *securityv1.SecurityContextConstraints) bool {
		return scc.Name == name && scc.Labels != nil
	})
	c.clusterRoles = slices.DeleteFunc(slices.Clone(c.clusterRoles), func(role *rbacv1.ClusterRole) bool {
		return slices.ContainsFunc(role.Rules, func(rule rbacv1.PolicyRule) bool { return slices.Contains(rule.ResourceNames, name) })
	})
	return c
}

// allowing lets everybody use the SCCs with the names.
func (c cluster) allowing(names ...string) cluster {
	c.clusterRoles = append(slices.Clone(c.clusterRoles), &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "everything"},
		Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{securityv1.GroupName}, Resources: []string{"securitycontextconstraints"},
			ResourceNames: names, Verbs: []string{"use"},
		}},
	})
	c.clusterRoleBindings = append(slices.Clone(c.clusterRoleBindings), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "everything"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "everything"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: user.AllAuthenticated}},
	})
	return c
}

func (c cluster) scc(t *testing.T, name string) *securityv1.SecurityContextConstraints {
	t.Helper()
	for _, scc := range c.sccs {
		if scc.Name == name {
			return scc
		}
	}
	t.Fatalf("there is no SCC %s", name)
	return nil
}

// admit has OpenShift's admission judge a pod that a controller of Kubernetes
// creates. It returns the pod that comes out and the SCC that let it in.
func (c cluster) admit(t *testing.T, pod *corev1.Pod) (*core.Pod, string, error) {
	t.Helper()
	pod = pod.DeepCopy()
	corev1conversion.SetObjectDefaults_Pod(pod)
	asked := &core.Pod{}
	if err := corev1conversion.Convert_v1_Pod_To_core_Pod(pod, asked, nil); err != nil {
		t.Fatal(err)
	}
	judged := asked.DeepCopy()
	attributes := admission.NewAttributesRecord(judged, nil, core.Kind("Pod").WithVersion("v1"), pod.Namespace, pod.Name,
		core.Resource("pods").WithVersion("v1"), "", admission.Create, &metav1.CreateOptions{}, false, creator)
	plugin := c.plugin()
	if err := plugin.Admit(t.Context(), attributes, nil); err != nil {
		if strings.Contains(err.Error(), "pre-allocated") {
			t.Fatalf("the namespace is not as OpenShift makes it: %v", err)
		}
		return nil, "", err
	}
	options := podapi.GetValidationOptionsFromPodSpecAndMeta(&judged.Spec, nil, &judged.ObjectMeta, nil)
	if errs := validation.ValidatePodCreate(judged, options); len(errs) > 0 {
		return nil, "", fmt.Errorf("admission made a pod of it that is not valid: %w", errs.ToAggregate())
	}
	if err := plugin.Validate(t.Context(), attributes, nil); err != nil {
		return nil, "", err
	}
	return judged, judged.Annotations[securityv1.ValidatedSCCAnnotation], spoilt(asked, judged)
}

// creator of the pods of workloads, who may use no SCC but that of everybody.
var creator = serviceAccount("kube-system", "daemon-set-controller")

// serviceAccount as the API server knows it.
func serviceAccount(namespace, name string) *user.DefaultInfo {
	return &user.DefaultInfo{
		Name:   serviceaccount.MakeUsername(namespace, name),
		Groups: append(serviceaccount.MakeGroupNames(namespace), user.AllAuthenticated),
	}
}

// spoilt tells of changes by the admission that let a pod in and keep it from
// working.
func spoilt(asked, judged *core.Pod) error {
	usesHost := slices.ContainsFunc(judged.Spec.Volumes, func(v core.Volume) bool { return v.HostPath != nil })
	if domain := judged.Spec.SecurityContext.SELinuxOptions; usesHost && (domain == nil || domain.Type != "spc_t") {
		return fmt.Errorf("admission chose a SELinux domain that may not use the node's directories: %v", domain)
	}
	for i := range asked.Spec.Containers {
		before, after := contextOf(asked.Spec.Containers[i]), contextOf(judged.Spec.Containers[i])
		name := asked.Spec.Containers[i].Name
		if isTrue(after.ReadOnlyRootFilesystem) && !isTrue(before.ReadOnlyRootFilesystem) {
			return fmt.Errorf("container %s: admission took the right to write to its root file system", name)
		}
		if isTrue(after.Privileged) && after.Capabilities != nil && len(after.Capabilities.Drop) > 0 {
			return fmt.Errorf("container %s: admission dropped capabilities of a privileged container", name)
		}
	}
	return nil
}

func contextOf(container core.Container) *core.SecurityContext {
	if container.SecurityContext == nil {
		return &core.SecurityContext{}
	}
	return container.SecurityContext
}

func isTrue(value *bool) bool { return value != nil && *value }

// plugin is OpenShift's admission of pods, and RBAC as the API server has it.
func (c cluster) plugin() plugin {
	p, ok := any(sccadmission.NewConstraint()).(plugin)
	if !ok {
		panic("the admission code has another interface")
	}
	indexer := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{})
	for _, scc := range c.sccs {
		if err := indexer.Add(scc); err != nil {
			panic(err)
		}
	}
	p.SetSecurityInformers(sccInformer{indexer})
	p.SetExternalKubeInformerFactory(namespaces)
	p.SetAuthorizer(c.authorizer())
	if err := p.ValidateInitialization(); err != nil {
		panic(err)
	}
	return p
}

// authorizer is RBAC.
func (c cluster) authorizer() authorizer.Authorizer {
	_, roles := rbacvalidation.NewTestRuleResolver(nil, c.roleBindings, c.clusterRoles, c.clusterRoleBindings)
	return rbac.New(roles, roles, roles, roles)
}

// mayUse reports whether somebody may use an SCC in a namespace.
func (c cluster) mayUse(t *testing.T, who user.Info, scc, namespace string) bool {
	t.Helper()
	decision, _, err := c.authorizer().Authorize(t.Context(), authorizer.AttributesRecord{
		User: who, Verb: "use", APIGroup: securityv1.GroupName, Resource: "securitycontextconstraints", Name: scc, Namespace: namespace,
		ResourceRequest: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return decision == authorizer.DecisionAllow
}

type plugin interface {
	admission.MutationInterface
	admission.ValidationInterface
	initializer.WantsAuthorizer
	initializer.WantsExternalKubeInformerFactory
	sccadmission.WantsSecurityInformer
}

// sccInformer has seen all SCCs there are.
type sccInformer struct{ indexer cache.Indexer }

// Informer implements the interface of informers.
func (i sccInformer) Informer() cache.SharedIndexInformer { return synced{} }

// Lister implements the interface of informers.
func (i sccInformer) Lister() securityv1listers.SecurityContextConstraintsLister {
	return securityv1listers.NewSecurityContextConstraintsLister(i.indexer)
}

type synced struct{ cache.SharedIndexInformer }

// HasSynced implements cache.SharedIndexInformer.
func (synced) HasSynced() bool { return true }
