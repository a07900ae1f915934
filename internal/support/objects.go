// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package support

import (
	"context"
	"fmt"
	"io"
	"path"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/yaml"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

const (
	// ofMeshes selects what the operator has made.
	ofMeshes = mesh.LabelManagedBy + "=" + mesh.ManagedBy
	// ofOperators selects what the operator is made of, and what it has Prometheus told of
	// itself.
	ofOperators = mesh.LabelName + "=" + mesh.ManagedBy

	// listsAtATime are fewer than other requests: each has a page in memory.
	listsAtATime = 2

	registryGroup = "networkservicemesh.io"
	spireGroup    = "spire.spiffe.io"
)

// seen is an NSM, as the page shows it.
type seen struct {
	namespace, name, version string
	conditions               []metav1.Condition
}

func kind(group, name string) schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: group, Kind: name}
}

// kindsOfMeshes are those of all that can have the labels of a mesh: what the operator
// makes, and what Kubernetes makes of it. Secrets are left out.
func kindsOfMeshes() []schema.GroupVersionKind {
	kinds := []schema.GroupVersionKind{
		kind("apps", "ReplicaSet"), kind("discovery.k8s.io", "EndpointSlice"),
		kind("monitoring.coreos.com", "PodMonitor"), kind("monitoring.coreos.com", "ServiceMonitor"), kind("monitoring.coreos.com", "PrometheusRule"),
	}
	everywhere := mesh.Platform{ClusterSPIFFEIDs: true, ClusterProperties: true, OpenShift: true}
	for _, object := range mesh.KindsOn(everywhere) {
		// A kind that is not known here is not one that the operator makes.
		if of, err := apiutil.GVKForObject(object, clientgoscheme.Scheme); err == nil {
			kinds = append(kinds, schema.GroupVersionKind{Group: of.Group, Kind: of.Kind})
		}
	}
	unique := map[schema.GroupVersionKind]bool{}
	return slices.DeleteFunc(kinds, func(of schema.GroupVersionKind) bool {
		// ClusterSPIFFEIDs are read all, not only those of meshes.
		isLeftOut := unique[of] || of == kind("", "Secret") || of.Group == spireGroup
		unique[of] = true
		return isLeftOut
	})
}

// kindsOfOperators are those of what the operator is made of.
func kindsOfOperators() []schema.GroupVersionKind {
	return []schema.GroupVersionKind{
		kind("apps", "Deployment"), kind("apps", "ReplicaSet"), kind("", "Service"), kind("", "ServiceAccount"),
		kind("discovery.k8s.io", "EndpointSlice"), kind("policy", "PodDisruptionBudget"), kind("networking.k8s.io", "NetworkPolicy"),
		kind("rbac.authorization.k8s.io", "ClusterRole"), kind("rbac.authorization.k8s.io", "ClusterRoleBinding"),
		kind("rbac.authorization.k8s.io", "RoleBinding"), kind("", "Namespace"),
		kind("scheduling.k8s.io", "PriorityClass"), kind("monitoring.coreos.com", "ServiceMonitor"), kind("monitoring.coreos.com", "PrometheusRule"),
		kind("admissionregistration.k8s.io", "MutatingWebhookConfiguration"), kind("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
	}
}

// reading is a list of objects of one kind.
type reading struct {
	kind     schema.GroupVersionKind
	selector string
	// name of the file, where it is not that of the resource.
	name string
	// directory above those of the namespaces.
	directory string
	// everywhere: not only in the namespace that was asked for.
	everywhere bool
	// each looks at an object before it is masked, and may change it.
	each func(*unstructured.Unstructured)
	// keep tells which objects are written; nil for all.
	keep func(*unstructured.Unstructured) bool
}

// read lists objects into one file for each namespace.
func (g *gatherer) read(ctx context.Context, r reading) {
	resource := g.api.resource(r.kind)
	if resource == nil {
		return
	}
	if resource.Scope.Name() == meta.RESTScopeNameRoot {
		_ = g.list(ctx, r, resource, "") // what goes wrong is reported there
		return
	}
	scope := g.Namespace
	if r.everywhere {
		scope = ""
	}
	if err := g.list(ctx, r, resource, scope); scope != "" || !apierrors.IsForbidden(err) {
		return
	}
	// Not in all namespaces, but maybe in those that are known.
	for _, namespace := range g.namespaces() {
		_ = g.list(ctx, r, resource, namespace)
	}
}

// list writes a file for each namespace. Lists come ordered by it.
func (g *gatherer) list(ctx context.Context, r reading, of *meta.RESTMapping, namespace string) error {
	request := "list " + of.Resource.GroupResource().String()
	if namespace != "" {
		request += " in " + namespace
	}
	var current *file
	var in string
	err := g.api.list(ctx, of.Resource, namespace, metav1.ListOptions{LabelSelector: r.selector}, func(object *unstructured.Unstructured) error {
		if r.each != nil {
			r.each(object)
		}
		if r.keep != nil && !r.keep(object) {
			return nil
		}
		if current == nil || object.GetNamespace() != in {
			current.closeIfAny(nil)
			in = object.GetNamespace()
			var err error
			if current, err = g.create(r.fileName(of, in), request, g.Limits.Archive); err != nil {
				return err
			}
		}
		return writeObject(current, object)
	})
	err = g.explain(ctx, err)
	if current == nil {
		g.report.done(entry{Request: request, Problem: words(err)})
		if err != nil {
			g.report.missing(request, err)
		}
		return err
	}
	current.close(err)
	return err
}

// readIn lists objects in certain namespaces.
func (g *gatherer) readIn(ctx context.Context, namespaces []string, r reading) {
	resource := g.api.resource(r.kind)
	if resource == nil {
		return
	}
	for _, namespace := range namespaces {
		_ = g.list(ctx, r, resource, namespace)
	}
}

// fileName of the objects of a kind.
func (r reading) fileName(of *meta.RESTMapping, namespace string) string {
	name := r.name
	if name == "" {
		name = of.Resource.GroupResource().String()
	}
	where := "cluster"
	if namespace != "" {
		where = path.Join("namespaces", namespace)
	}
	return path.Join(r.directory, where, name+".yaml")
}

// gatherServer finds out what there is at all.
func (g *gatherer) gatherServer(ctx context.Context) {
	if err := g.api.discover(ctx); err != nil {
		g.report.missing("ask what the API server serves", g.explain(ctx, err))
		g.api.giveUp(fmt.Errorf("nothing is known of what the API server serves"))
		return
	}
	g.gather(ctx, "cluster/version.yaml", "get the version of the API server", g.Limits.Log, g.writeServerVersion)
}

// gatherMeshes reads the NSMs in all versions that are served.
func (g *gatherer) gatherMeshes(ctx context.Context) {
	of := nsmv1beta1.GroupVersion.WithKind("NSM")
	versions := g.api.versions(of.GroupKind())
	if len(versions) == 0 {
		g.report.missing("NSMs", fmt.Errorf("this cluster serves no %s: the operator is not installed", of.GroupKind()))
	}
	for _, version := range versions {
		g.read(ctx, reading{
			kind: of.GroupKind().WithVersion(version), name: "nsms." + version,
			each: func(object *unstructured.Unstructured) { g.see(object, version == versions[0]) },
		})
	}
	for _, name := range []string{"nsms." + of.Group, "networkservices." + registryGroup, "networkserviceendpoints." + registryGroup} {
		g.readDefinition(ctx, name)
	}
}

// see remembers an NSM, once.
func (g *gatherer) see(object *unstructured.Unstructured, isFirst bool) {
	if !isFirst {
		return
	}
	found := seen{namespace: object.GetNamespace(), name: object.GetName()}
	found.version, _, _ = unstructured.NestedString(object.Object, "status", "version")
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	if text, err := yaml.Marshal(conditions); err == nil {
		// What cannot be read is not shown: it is in the file.
		_ = yaml.Unmarshal(text, &found.conditions)
	}
	g.meshes = append(g.meshes, found)
}

// gatherOperators finds the operator wherever it is.
func (g *gatherer) gatherOperators(ctx context.Context) {
	note := func(object *unstructured.Unstructured) {
		if object.GetKind() == "Deployment" && !slices.Contains(g.operators, object.GetNamespace()) {
			g.operators = append(g.operators, object.GetNamespace())
		}
	}
	for _, of := range kindsOfOperators() {
		g.read(ctx, reading{kind: of, selector: ofOperators, directory: "operator", everywhere: true, each: note})
	}
	g.readIn(ctx, g.operators, reading{kind: kind("coordination.k8s.io", "Lease"), directory: "operator"})
	if len(g.operators) == 0 {
		g.report.missing("the operator", fmt.Errorf("no Deployment with the label %s was seen", ofOperators))
	}
}

// gatherObjects reads all that has the labels of a mesh.
func (g *gatherer) gatherObjects(ctx context.Context) {
	parallel(listsAtATime, kindsOfMeshes(), func(of schema.GroupVersionKind) {
		g.read(ctx, reading{kind: of, selector: ofMeshes})
	})
}

// gatherRegistered reads what is registered with NSM, and with SPIRE.
func (g *gatherer) gatherRegistered(ctx context.Context) {
	parallel(listsAtATime, []schema.GroupVersionKind{
		kind(registryGroup, "NetworkService"), kind(registryGroup, "NetworkServiceEndpoint"),
		kind(spireGroup, "ClusterSPIFFEID"), kind(spireGroup, "ClusterStaticEntry"), kind(spireGroup, "ClusterFederatedTrustDomain"),
	}, func(of schema.GroupVersionKind) {
		g.read(ctx, reading{kind: of})
	})
}

// gatherEvents reads those of the namespaces with a mesh or an operator: they have no
// labels, and tell of what is gone.
func (g *gatherer) gatherEvents(ctx context.Context) {
	g.readIn(ctx, g.namespaces(), reading{kind: kind("", "Event").GroupKind().WithVersion("v1")})
}

// readDefinition reads a CustomResourceDefinition, without its schemas: they are those of
// the version that the operator has.
func (g *gatherer) readDefinition(ctx context.Context, name string) {
	resource := g.api.resource(kind("apiextensions.k8s.io", "CustomResourceDefinition"))
	if resource == nil {
		return
	}
	g.gather(ctx, "cluster/crd-"+name+".yaml", "get customresourcedefinition "+name, g.Limits.Log, func(ctx context.Context, out io.Writer) error {
		ctx, cancel := context.WithTimeout(ctx, g.Limits.Request)
		defer cancel()
		object, err := g.api.objects.Resource(resource.Resource).Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil // it is nothing that a mesh cannot do without
		}
		if err != nil {
			return err
		}
		versions, _, _ := unstructured.NestedSlice(object.Object, "spec", "versions")
		for i := range versions {
			if version, isMap := versions[i].(map[string]any); isMap {
				delete(version, "schema")
			}
		}
		if err := unstructured.SetNestedSlice(object.Object, versions, "spec", "versions"); err != nil {
			return err
		}
		return writeObject(out, object)
	})
}

func (g *gatherer) writeServerVersion(ctx context.Context, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, g.Limits.Request)
	defer cancel()
	version, err := g.api.groups.ServerVersionWithContext(ctx)
	if err != nil {
		return err
	}
	text, err := yaml.Marshal(version)
	if err != nil {
		return err
	}
	_, err = out.Write(text)
	return err
}
