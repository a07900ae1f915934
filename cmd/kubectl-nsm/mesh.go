// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/platform"
	"github.com/networkservicemesh/nsm-operator/internal/release"
	"github.com/networkservicemesh/nsm-operator/internal/report"
	"github.com/networkservicemesh/nsm-operator/internal/rollout"
)

// defaultOperatorNamespace is where the manifests put the operator.
const defaultOperatorNamespace = "nsm-operator-system"

// objectsOf lists all objects that a mesh is made of, as the operator does, but for
// Secrets, which nobody but the operator reads.
func objectsOf(in mesh.Input, components []mesh.Component) []mesh.Object {
	objects := slices.Concat(mesh.Identities(in), mesh.Constraints(in, components), mesh.Objects(components), mesh.PodMonitors(in, components))
	return slices.DeleteFunc(objects, func(object mesh.Object) bool {
		_, isSecret := object.(*corev1.Secret)
		return isSecret
	})
}

// inputOf reads what the objects of a mesh depend on beside its spec, as far as it may
// be read. The spec is the effective one: where a change was rolled back, the one before.
func (c *cluster) inputOf(ctx context.Context, nsm *nsmv1beta1.NSM) (mesh.Input, error) {
	in := mesh.Input{}
	record := &appsv1.ControllerRevision{}
	found, err := c.seeOne(ctx, record, nsm.Namespace, mesh.RecordName)
	if err != nil {
		return in, err
	}
	if !found || !mesh.IsOf(record, nsm) {
		in.NSM, _ = rollout.Effective(nsm, nil)
	} else {
		in.NSM, _ = rollout.Effective(nsm, record)
	}
	if in.Release, err = release.Parse(rollout.VersionOf(&in.NSM.Spec)); err != nil {
		return in, fmt.Errorf("NSM %s/%s: spec.version: %q: %w", nsm.Namespace, nsm.Name, in.NSM.Spec.Version, err)
	}
	for _, read := range []func(context.Context, *mesh.Input) error{c.readPlatform, c.readKubeletDirectory, c.readOperator, c.readClientNamespaces, c.readFiles, c.readWebhook, c.readRedirects} {
		if err := read(ctx, &in); err != nil {
			return in, err
		}
	}
	return in, nil
}

// seeOne reads an object, and reports whether it is there to be seen.
func (c *cluster) seeOne(ctx context.Context, object client.Object, namespace, name string) (bool, error) {
	err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, object)
	if client.IgnoreNotFound(err) == nil {
		return err == nil, nil
	}
	return false, c.unlessHidden(err, "get "+mesh.KindOf(object)+" "+name)
}

func (c *cluster) readPlatform(ctx context.Context, in *mesh.Input) error {
	var err error
	in.Platform, err = platform.Detect(ctx, c.asks)
	return c.unlessHidden(err, "what the cluster offers")
}

// readKubeletDirectory takes what pods of the mesh mount.
func (c *cluster) readKubeletDirectory(ctx context.Context, in *mesh.Input) error {
	var daemonSets appsv1.DaemonSetList
	err := c.see(ctx, &daemonSets, "daemonsets", client.InNamespace(in.NSM.Namespace), client.MatchingLabels(mesh.OwnerLabels(in.NSM)))
	for i := range daemonSets.Items {
		in.KubeletDirectoryBefore = cmp.Or(in.KubeletDirectoryBefore, mesh.MountedKubeletDirectory(&daemonSets.Items[i]))
	}
	return err
}

// readOperator finds out where the operator that acts on the mesh runs, and which images
// it has been given. Where several may, none is taken.
func (c *cluster) readOperator(ctx context.Context, in *mesh.Input) error {
	in.OperatorNamespace = defaultOperatorNamespace
	operators, err := c.seeOperators(ctx)
	if err != nil {
		return err
	}
	may := operators.Of(in.NSM.Namespace)
	if len(may) > 1 {
		c.notSeen = append(c.notSeen, fmt.Sprintf("mesh %s/%s: %s: it is shown without what their Deployments say of images",
			in.NSM.Namespace, in.NSM.Name, report.Several(may)))
	}
	if len(may) != 1 {
		return nil
	}
	in.OperatorNamespace = may[0].Namespace
	var environment []string
	for i := range operators.Deployments {
		if operators.Deployments[i].Namespace != in.OperatorNamespace {
			continue
		}
		for _, container := range operators.Deployments[i].Spec.Template.Spec.Containers {
			for _, variable := range container.Env {
				environment = append(environment, variable.Name+"="+variable.Value)
			}
		}
	}
	in.RelatedImages = mesh.RelatedImages(environment)
	return nil
}

func (c *cluster) readClientNamespaces(ctx context.Context, in *mesh.Input) error {
	wanted := mesh.ClientSelector(*in)
	if wanted == nil {
		return nil
	}
	selector, err := metav1.LabelSelectorAsSelector(wanted)
	if err != nil {
		return fmt.Errorf("spec.openshift.clientNamespaces: %w", err)
	}
	var all corev1.NamespaceList
	if err := c.see(ctx, &all, "namespaces", client.MatchingLabelsSelector{Selector: selector}); err != nil {
		return err
	}
	for i := range all.Items {
		if all.Items[i].DeletionTimestamp == nil {
			in.ClientNamespaces = append(in.ClientNamespaces, all.Items[i].Name)
		}
	}
	slices.Sort(in.ClientNamespaces)
	return nil
}

// readFiles takes the hashes of forwarders' files: of the files themselves, or, where
// they are not there, those that the pods were made with.
func (c *cluster) readFiles(ctx context.Context, in *mesh.Input) error {
	in.FileHashes = map[mesh.ConfigFile]string{}
	for _, file := range mesh.ConfigFiles(&in.NSM.Spec) {
		configMap := &corev1.ConfigMap{}
		found, err := c.seeOne(ctx, configMap, in.NSM.Namespace, file.ConfigMap)
		if err != nil {
			return err
		}
		if hash, isThere := file.HashIn(configMap); found && isThere {
			in.FileHashes[file] = hash
			continue
		}
		forwarder := &appsv1.DaemonSet{}
		if _, err := c.seeOne(ctx, forwarder, in.NSM.Namespace, file.Forwarder); err != nil {
			return err
		}
		in.FileHashes[file] = forwarder.Spec.Template.Annotations[file.Annotation]
	}
	return nil
}

// readWebhook takes the certificate of the admission webhook for what it is: of it only
// the public part is known, by what the API server trusts, and by a fingerprint.
func (c *cluster) readWebhook(ctx context.Context, in *mesh.Input) error {
	if !mesh.WebhookEnabled(&in.NSM.Spec) {
		return nil
	}
	deployment := &appsv1.Deployment{}
	if _, err := c.seeOne(ctx, deployment, in.NSM.Namespace, mesh.WebhookName); err != nil {
		return err
	}
	told := &admissionregistrationv1.MutatingWebhookConfiguration{}
	isTold, err := c.seeOne(ctx, told, "", mesh.WebhookConfigurationName(in.NSM.Namespace))
	if err != nil {
		return err
	}
	served := mesh.ServedCertificate(deployment)
	// Of a mesh that is not there yet everything is shown that will be.
	in.WebhookServing = isTold || served == ""
	in.WebhookLeaving = isTold && served != "" && !mesh.NeedsWebhookCertificate(&in.NSM.Spec, in.Release)
	in.WebhookCertificate.Served = served
	for i := range told.Webhooks {
		in.WebhookCertificate.CABundle = told.Webhooks[i].ClientConfig.CABundle
	}
	return nil
}

// readRedirects takes the images that the operator redirects from the workloads of the mesh,
// for whoever may not read the operator's Deployment. While a change rolls, nobody can tell
// which of them are old.
func (c *cluster) readRedirects(ctx context.Context, in *mesh.Input) error {
	operators, err := c.seeOperators(ctx)
	if err != nil || operators.SeesDeployments {
		return err
	}
	was := *in
	was.NSM, err = c.nsm(ctx, client.ObjectKeyFromObject(in.NSM))
	switch {
	case apierrors.IsNotFound(err), meta.IsNoMatchError(err):
		return nil
	case err != nil:
		return c.unlessHidden(err, "get nsm "+in.NSM.Name)
	}
	ready := meta.FindStatusCondition(was.NSM.Status.Conditions, nsmv1beta1.ConditionReady)
	if ready == nil || ready.Status != metav1.ConditionTrue || ready.ObservedGeneration != was.NSM.Generation {
		return nil
	}
	if was.Release, err = release.Parse(rollout.VersionOf(&was.NSM.Spec)); err != nil {
		return nil //nolint:nilerr // it is not that of the NSM that is asked about
	}
	here := []client.ListOption{client.InNamespace(was.NSM.Namespace), client.MatchingLabels(mesh.OwnerLabels(was.NSM))}
	var daemonSets appsv1.DaemonSetList
	var deployments appsv1.DeploymentList
	if err := c.see(ctx, &daemonSets, "daemonsets", here...); err != nil {
		return err
	}
	if err := c.see(ctx, &deployments, "deployments", here...); err != nil {
		return err
	}
	var running []mesh.Object
	for i := range daemonSets.Items {
		running = append(running, &daemonSets.Items[i])
	}
	for i := range deployments.Items {
		running = append(running, &deployments.Items[i])
	}
	in.RelatedImages = mesh.RedirectedBy(was, running)
	return nil
}
