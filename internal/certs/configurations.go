// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package certs

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/networkservicemesh/nsm-operator/config/webhook"
)

// account is the ServiceAccount of every installation, in its own namespace.
const account = "nsm-operator"

// Creating cannot be limited to a name. Deleting is what OpenShift asks for of
// whoever changes the owners of an object.
//
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=validatingwebhookconfigurations,verbs=create
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=validatingwebhookconfigurations,resourceNames=nsm-operator-validation,verbs=get;watch;patch;delete

// readConfigurations reads the two configurations that are built in.
func (i *Issuer) readConfigurations() error {
	i.mutating = &admissionregistrationv1.MutatingWebhookConfiguration{}
	i.validating = &admissionregistrationv1.ValidatingWebhookConfiguration{}
	return errors.Join(
		yaml.UnmarshalStrict(webhook.Mutating, i.mutating),
		yaml.UnmarshalStrict(webhook.Validating, i.validating),
	)
}

// injectMutating writes into a configuration how to call its webhooks. A replica that
// leads writes all the rest as well: during an upgrade replicas of two versions
// run, and one of them has to decide.
func (i *Issuer) injectMutating(configuration *admissionregistrationv1.MutatingWebhookConfiguration, ca []byte) {
	if i.leads.Load() || !exists(configuration) {
		before := configuration.Webhooks
		configuration.Webhooks = i.mutating.DeepCopy().Webhooks
		if i.waits {
			configuration.Webhooks = slices.DeleteFunc(configuration.Webhooks, isNoGuard)
		}
		for n := range configuration.Webhooks {
			entry := &configuration.Webhooks[n]
			at := slices.IndexFunc(before, func(other admissionregistrationv1.MutatingWebhook) bool { return other.Name == entry.Name })
			if at >= 0 {
				entry.NamespaceSelector, entry.ObjectSelector = before[at].NamespaceSelector, before[at].ObjectSelector
			}
		}
	}
	for n := range configuration.Webhooks {
		i.injectAdmission(&configuration.Webhooks[n].ClientConfig, ca)
	}
}

func isNoGuard(entry admissionregistrationv1.MutatingWebhook) bool {
	path := entry.ClientConfig.Service.Path
	return ptr.Deref(path, "") != guardPath
}

// injectValidating is injectMutating for the other kind.
func (i *Issuer) injectValidating(configuration *admissionregistrationv1.ValidatingWebhookConfiguration, ca []byte) {
	if i.leads.Load() || !exists(configuration) {
		before := configuration.Webhooks
		configuration.Webhooks = i.validating.DeepCopy().Webhooks
		for n := range configuration.Webhooks {
			entry := &configuration.Webhooks[n]
			at := slices.IndexFunc(before, func(other admissionregistrationv1.ValidatingWebhook) bool { return other.Name == entry.Name })
			if at >= 0 {
				entry.NamespaceSelector, entry.ObjectSelector = before[at].NamespaceSelector, before[at].ObjectSelector
			}
		}
	}
	for n := range configuration.Webhooks {
		i.injectAdmission(&configuration.Webhooks[n].ClientConfig, ca)
	}
}

// injectAdmission changes all but the path, which is the webhook's own.
func (i *Issuer) injectAdmission(config *admissionregistrationv1.WebhookClientConfig, ca []byte) {
	path := ptr.To("")
	if config.Service != nil && config.Service.Path != nil {
		path = config.Service.Path
	} else if called, err := url.Parse(ptr.Deref(config.URL, "")); err == nil {
		// An operator outside the cluster was here before.
		path = &called.Path
	}
	*config = admissionregistrationv1.WebhookClientConfig{CABundle: ca}
	if i.URL != "" {
		config.URL = ptr.To(i.URL + *path)
		return
	}
	config.Service = &admissionregistrationv1.ServiceReference{
		Name: serviceName, Namespace: i.Namespace, Path: path, Port: ptr.To[int32](443),
	}
}

// own makes the operator's rights the owners of an object, a configuration or the Secret:
// the ClusterRoleBindings of its ServiceAccount. Whoever uninstalls the operator, OLM and
// Helm included, deletes those, and Kubernetes deletes the object when the last of them is
// gone. During an upgrade by OLM there are two, of which the older one goes.
//
// Owners are only added, and it reports whether any were. Those that do not exist any more
// are removed by Kubernetes. Once there are none any more, the operator is being uninstalled:
// what a replica that has not ended yet would make then would stay for ever.
func (i *Issuer) own(ctx context.Context, object client.Object) (changed bool, err error) {
	if i.owners != nil && isOwnedBy(object, i.owners) {
		return false, nil
	}
	// Those that were read before may be gone by now.
	owners, err := Owners(ctx, i.client, i.Namespace)
	if err != nil {
		return false, fmt.Errorf("ClusterRoleBindings of the operator: %w", err)
	}
	if len(owners) == 0 && len(i.owners) > 0 {
		return false, errors.New("the operator is being uninstalled: its ClusterRoleBindings are gone")
	}
	i.owners = owners
	all := object.GetOwnerReferences()
	for _, owner := range owners {
		if !hasOwner(all, owner.UID) {
			all, changed = append(all, owner), true
		}
	}
	object.SetOwnerReferences(all)
	return changed, nil
}

// Owners are the ClusterRoleBindings of the ServiceAccount of the operator in a
// namespace.
func Owners(ctx context.Context, reader client.Reader, namespace string) ([]metav1.OwnerReference, error) {
	var bindings rbacv1.ClusterRoleBindingList
	if err := reader.List(ctx, &bindings); err != nil {
		return nil, err
	}
	owners := []metav1.OwnerReference{}
	for n := range bindings.Items {
		binding := &bindings.Items[n]
		if binding.DeletionTimestamp == nil && slices.ContainsFunc(binding.Subjects, func(subject rbacv1.Subject) bool {
			return subject.Kind == rbacv1.ServiceAccountKind && subject.Namespace == namespace && subject.Name == account
		}) {
			owners = append(owners, metav1.OwnerReference{
				APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRoleBinding", Name: binding.Name, UID: binding.UID,
			})
		}
	}
	return owners, nil
}

func isOwnedBy(object client.Object, owners []metav1.OwnerReference) bool {
	return !slices.ContainsFunc(owners, func(owner metav1.OwnerReference) bool { return !hasOwner(object.GetOwnerReferences(), owner.UID) })
}

func hasOwner(owners []metav1.OwnerReference, uid types.UID) bool {
	return slices.ContainsFunc(owners, func(owner metav1.OwnerReference) bool { return owner.UID == uid })
}
