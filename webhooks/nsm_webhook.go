// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package webhooks

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
	"sigs.k8s.io/controller-runtime/pkg/webhook/conversion"

	nsmv1alpha1 "github.com/networkservicemesh/nsm-operator/apis/v1alpha1"
	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

// +kubebuilder:webhookconfiguration:mutating=true,name=nsm-operator-defaults
// +kubebuilder:webhookconfiguration:mutating=false,name=nsm-operator-validation
// +kubebuilder:webhook:path=/mutate-nsm-networkservicemesh-io-v1beta1-nsm,mutating=true,failurePolicy=fail,sideEffects=None,groups=nsm.networkservicemesh.io,resources=nsms,verbs=create,versions=v1beta1,name=defaults.nsm.networkservicemesh.io,admissionReviewVersions=v1,matchPolicy=Equivalent,timeoutSeconds=10,serviceName=nsm-operator-service,serviceNamespace=nsm-operator-system
// +kubebuilder:webhook:path=/validate-nsm-networkservicemesh-io-v1beta1-nsm,mutating=false,failurePolicy=fail,sideEffects=None,groups=nsm.networkservicemesh.io,resources=nsms,verbs=create;update,versions=v1beta1,name=validation.nsm.networkservicemesh.io,admissionReviewVersions=v1,matchPolicy=Equivalent,timeoutSeconds=10,serviceName=nsm-operator-service,serviceNamespace=nsm-operator-system

// Setup registers conversion, defaulting and validation with the manager's
// webhook server. The reader, a cache, tells what other meshes there are.
func Setup(mgr ctrl.Manager, reader client.Reader) error {
	return ctrl.NewWebhookManagedBy(mgr, &nsmv1beta1.NSM{}).
		WithConverter(conversion.NewHubSpokeConverter(&nsmv1beta1.NSM{},
			conversion.NewSpokeConverter(&nsmv1alpha1.NSM{}, ConvertFromV1beta1, ConvertToV1beta1))).
		WithDefaulter(defaulter{}).
		WithValidator(&validator{reader: reader}).
		Complete()
}

// defaulter writes what must not move by itself afterwards: the release, and
// the names of forwarders.
type defaulter struct{}

// Default implements admission.Defaulter.
func (defaulter) Default(_ context.Context, nsm *nsmv1beta1.NSM) error {
	if nsm.Spec.Version == "" {
		nsm.Spec.Version = release.Newest().String()
	}
	for i := range nsm.Spec.Forwarders {
		forwarder := &nsm.Spec.Forwarders[i]
		if forwarder.Name == "" && forwarder.Type != "" {
			forwarder.Name = nsmv1beta1.DefaultForwarderName(forwarder.Type)
		}
	}
	return nil
}

// validator refuses what the schema cannot.
type validator struct {
	reader client.Reader
}

// ValidateCreate implements admission.Validator.
func (v *validator) ValidateCreate(ctx context.Context, nsm *nsmv1beta1.NSM) (admission.Warnings, error) {
	return v.validate(ctx, nsm)
}

// ValidateUpdate implements admission.Validator. An object on its way out may
// lose its finalizer whatever its spec says.
func (v *validator) ValidateUpdate(ctx context.Context, _, nsm *nsmv1beta1.NSM) (admission.Warnings, error) {
	if nsm.DeletionTimestamp != nil {
		return nil, nil
	}
	return v.validate(ctx, nsm)
}

// ValidateDelete implements admission.Validator; it is not registered for it.
func (v *validator) ValidateDelete(context.Context, *nsmv1beta1.NSM) (admission.Warnings, error) {
	return nil, nil
}

func (v *validator) validate(ctx context.Context, nsm *nsmv1beta1.NSM) (admission.Warnings, error) {
	spec := field.NewPath("spec")
	warnings, errs := validateVersion(&nsm.Spec, spec)
	errs = append(errs, validateContainers(&nsm.Spec, spec)...)
	conflict, err := v.validateAlone(ctx, nsm)
	if err != nil {
		return warnings, apierrors.NewInternalError(err)
	}
	errs = append(errs, conflict...)
	warnings = append(warnings, unsupported(&nsm.Spec)...)
	if len(errs) == 0 {
		return warnings, nil
	}
	return warnings, apierrors.NewInvalid(nsmv1beta1.GroupVersion.WithKind("NSM").GroupKind(), nsm.Name, errs)
}

// validateVersion checks the release, and that it has all that is asked for.
func validateVersion(spec *nsmv1beta1.NSMSpec, path *field.Path) (admission.Warnings, field.ErrorList) {
	if spec.Version == "" {
		return nil, nil
	}
	wanted, err := release.Parse(spec.Version)
	if err != nil {
		return nil, field.ErrorList{field.Invalid(path.Child("version"), spec.Version, err.Error())}
	}
	var errs field.ErrorList
	for i := range spec.Forwarders {
		if spec.Forwarders[i].Type == nsmv1beta1.ForwarderTypeOVS && !wanted.Facts().OVS.Exists() {
			errs = append(errs, field.Invalid(path.Child("forwarders").Index(i).Child("type"), spec.Forwarders[i].Type,
				fmt.Sprintf("NSM %s has no such forwarder: it has vpp and sriov", wanted)))
		}
	}
	if wanted.IsKnown() {
		return nil, errs
	}
	return admission.Warnings{fmt.Sprintf(
		"spec.version: %s is no release that this operator knows (the newest is %s); it is run like the last one before it",
		wanted, release.Newest())}, errs
}

// validateAlone refuses a mesh that cannot live beside another one.
func (v *validator) validateAlone(ctx context.Context, nsm *nsmv1beta1.NSM) (field.ErrorList, error) {
	var all nsmv1beta1.NSMList
	if err := v.reader.List(ctx, &all); err != nil {
		return nil, err
	}
	var errs field.ErrorList
	for i := range all.Items {
		other := &all.Items[i]
		if other.Namespace == nsm.Namespace && other.Name == nsm.Name {
			continue
		}
		if conflict := mesh.Conflict(other, nsm); conflict != "" {
			errs = append(errs, field.Forbidden(field.NewPath("metadata", "name"), fmt.Sprintf(
				"%q cannot live beside the NSM %s/%s: %s", nsm.Name, other.Namespace, other.Name, conflict)))
		}
	}
	return errs, nil
}

// unsupported warns of fields that nothing acts on yet.
func unsupported(spec *nsmv1beta1.NSMSpec) admission.Warnings {
	var fields []string
	if spec.AdmissionWebhook != nil && ptr.Deref(spec.AdmissionWebhook.Enabled, true) {
		fields = append(fields, "spec.admissionWebhook")
	}
	if spec.CSIDriver != nil {
		fields = append(fields, "spec.csiDriver")
	}
	if spec.Interdomain != nil {
		fields = append(fields, "spec.interdomain")
	}
	if spec.OpenShift != nil {
		fields = append(fields, "spec.openshift")
	}
	if len(fields) == 0 {
		return nil
	}
	return admission.Warnings{strings.Join(fields, ", ") + ": this version of the operator does not act on it yet"}
}
