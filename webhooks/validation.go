// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package webhooks

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/apischema"
	"github.com/networkservicemesh/nsm-operator/internal/conversion"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

// interdomainNamespace is where NSM's own code looks for the registry and the
// proxy of another domain.
const interdomainNamespace = "nsm-system"

// validator refuses what the schema cannot. Nothing of an NSM is immutable, so
// there is nothing that an update may not change.
type validator struct {
	dryRun dryRun
	reader client.Reader
}

// ValidateCreate implements admission.Validator.
func (v *validator) ValidateCreate(ctx context.Context, nsm *nsmv1beta1.NSM) (admission.Warnings, error) {
	found, err := v.validate(ctx, nsm)
	if err != nil {
		return nil, err
	}
	noRoom, _, err := roomOf(ctx)
	if err != nil {
		return nil, err
	}
	found.found = append(found.found, noRoom...)
	if found.none() {
		found.found = v.dryRun.refusals(ctx, nil, nsm)
	}
	return answer(ctx, nsm, found, append(warnings(nsm), bugWarnings(nsm)...))
}

// ValidateUpdate implements admission.Validator. An object on its way out may
// lose its finalizer whatever its spec says; and what was wrong before and has
// not been touched does not stand in the way of other changes. As long as there is
// an object, nothing of it gets lost.
func (v *validator) ValidateUpdate(ctx context.Context, before, nsm *nsmv1beta1.NSM) (admission.Warnings, error) {
	noRoom, known, err := roomOf(ctx)
	if err != nil {
		return nil, err
	}
	if nsm.DeletionTimestamp != nil {
		return nil, invalid(nsm, noRoom)
	}
	found, err := v.validate(ctx, nsm)
	if err != nil {
		return nil, err
	}
	warned := warnings(nsm)
	if !found.none() {
		old, err := v.validate(ctx, before)
		if err != nil {
			return nil, err
		}
		var knownToo field.ErrorList
		found, knownToo = found.since(old)
		known = append(known, knownToo...)
	}
	found.found = append(found.found, noRoom...)
	if found.none() {
		var refusedBefore field.ErrorList
		found.found, refusedBefore = v.tryBoth(ctx, before, nsm)
		known = append(known, refusedBefore...)
	}
	for _, err := range known {
		warned = append(warned, err.Error())
	}
	warned = append(warned, upgradeWarnings(before, nsm)...)
	return answer(ctx, nsm, found, warned)
}

// tryBoth separates what the API server would refuse of a change into what is
// new and what it would have refused before. Both are tried within the time of one
// dry run. Where the second has no answer by then, nothing counts as new.
func (v *validator) tryBoth(ctx context.Context, before, nsm *nsmv1beta1.NSM) (added, known field.ErrorList) {
	ctx, cancel := context.WithTimeout(ctx, dryRunTimeout)
	defer cancel()
	refused := v.dryRun.refusals(ctx, before, nsm)
	if len(refused) == 0 {
		return nil, nil
	}
	added, known = news(refused, v.dryRun.refusals(ctx, nil, before))
	if ctx.Err() != nil {
		return nil, append(added, known...)
	}
	return added, known
}

// ValidateDelete implements admission.Validator; it is not registered for it.
func (v *validator) ValidateDelete(context.Context, *nsmv1beta1.NSM) (admission.Warnings, error) {
	return nil, nil
}

// answer gives mistakes and warnings the form that the API server passes on.
func answer(ctx context.Context, nsm *nsmv1beta1.NSM, found mistakes, warned admission.Warnings) (admission.Warnings, error) {
	if isV1alpha1(ctx) {
		warned = inV1alpha1(nsm, found.found, warned)
	}
	return warned, invalid(nsm, found.all())
}

func invalid(nsm *nsmv1beta1.NSM, errs field.ErrorList) error {
	if len(errs) == 0 {
		return nil
	}
	return apierrors.NewInvalid(groupKind, nsm.Name, errs)
}

// roomOf the request that is answered: see conversion.Write.
func roomOf(ctx context.Context) (added, known field.ErrorList, err error) {
	request, err := admission.RequestFromContext(ctx)
	if err == nil {
		var write conversion.Write
		if write, err = writeOf(&request.AdmissionRequest); err == nil {
			added, known, err = write.Room()
		}
	}
	if err != nil {
		return nil, nil, apierrors.NewInternalError(err)
	}
	return added, known, nil
}

// inV1alpha1 tells whoever wrote v1alpha1 all in its own words.
func inV1alpha1(nsm *nsmv1beta1.NSM, errs field.ErrorList, warned admission.Warnings) admission.Warnings {
	words := conversion.WordsOf(nsm)
	for _, err := range errs {
		err.Field = words.Path(err.Field)
		err.Detail = words.Sentence(err.Detail)
	}
	for i := range warned {
		warned[i] = words.Sentence(warned[i])
	}
	return append(words.Warnings(), warned...)
}

// isV1alpha1 reports whether somebody wrote v1alpha1: the API server converts it
// before it asks.
func isV1alpha1(ctx context.Context) bool {
	request, err := admission.RequestFromContext(ctx)
	return err == nil && isInV1alpha1(&request.AdmissionRequest) && request.Operation != admissionv1.Delete
}

// mistakes of an NSM.
type mistakes struct {
	// carried are those of what conversion carries along, in the words of the
	// version that was written.
	carried field.ErrorList
	// found are all others, in the words of v1beta1.
	found field.ErrorList
}

func (m mistakes) none() bool { return len(m.carried)+len(m.found) == 0 }

func (m mistakes) all() field.ErrorList { return slices.Concat(m.carried, m.found) }

// since separates mistakes into those that are new and those that were there.
func (m mistakes) since(before mistakes) (added mistakes, known field.ErrorList) {
	var knownToo field.ErrorList
	added.carried, known = news(m.carried, before.carried)
	added.found, knownToo = news(m.found, before.found)
	return added, append(known, knownToo...)
}

// news separates mistakes into those that are new and those that were there. One
// that stands at another place of a list was there: something before it has come or
// gone. A second one of the same kind is new.
func news(errs, before field.ErrorList) (added, known field.ErrorList) {
	added = errs
	for _, text := range []func(*field.Error) string{(*field.Error).Error, withoutIndices} {
		var found field.ErrorList
		added, before, found = matched(added, before, text)
		known = append(known, found...)
	}
	return added, known
}

// matched finds, for each mistake before, one that has the same text, and returns
// what is left of both, and what was found.
func matched(errs, before field.ErrorList, text func(*field.Error) string) (added, gone, known field.ErrorList) {
	count := map[string]int{}
	for _, old := range before {
		count[text(old)]++
	}
	for _, err := range errs {
		if count[text(err)] == 0 {
			added = append(added, err)
			continue
		}
		count[text(err)]--
		known = append(known, err)
	}
	for _, old := range before {
		if count[text(old)] > 0 {
			count[text(old)]--
			gone = append(gone, old)
		}
	}
	return added, gone, known
}

var index = regexp.MustCompile(`\[[0-9]+\]`)

// withoutIndices is a mistake without the places in lists that its paths name.
func withoutIndices(err *field.Error) string {
	anywhere := *err
	anywhere.Field = index.ReplaceAllString(err.Field, "[]")
	anywhere.Detail = conversion.SpecPath.ReplaceAllStringFunc(err.Detail, func(path string) string { return index.ReplaceAllString(path, "[]") })
	return anywhere.Error()
}

// validate finds all mistakes at once. The error is for what could not be
// checked.
func (v *validator) validate(ctx context.Context, nsm *nsmv1beta1.NSM) (mistakes, error) {
	conflict, err := v.validateAlone(ctx, nsm)
	if err != nil {
		return mistakes{}, apierrors.NewInternalError(err)
	}
	found, err := check(ctx, nsm)
	if err != nil {
		return mistakes{}, apierrors.NewInternalError(err)
	}
	found.found = append(found.found, conflict...)
	return found, nil
}

// check finds all mistakes that can be seen on the NSM itself.
func check(ctx context.Context, nsm *nsmv1beta1.NSM) (mistakes, error) {
	bySchema, err := checkSchema(ctx, nsm)
	if err != nil {
		return mistakes{}, err
	}
	spec := field.NewPath("spec")
	errs := validateVersion(&nsm.Spec, spec)
	errs = append(errs, validateContainers(&nsm.Spec, spec)...)
	errs = append(errs, validateInterdomain(nsm, spec)...)
	errs = append(errs, validateVL3(&nsm.Spec, spec)...)
	errs = append(errs, validateClientNamespaces(&nsm.Spec, spec)...)
	// One mistake is reported once.
	errs = slices.DeleteFunc(errs, func(err *field.Error) bool {
		return slices.ContainsFunc(bySchema, func(known *field.Error) bool { return known.Field == err.Field })
	})
	return mistakes{carried: validateCarried(nsm), found: append(bySchema, errs...)}, nil
}

// checkSchema checks what was written in v1alpha1 by the schema of v1beta1, as
// the API server does for what is written in v1beta1.
func checkSchema(ctx context.Context, nsm *nsmv1beta1.NSM) (field.ErrorList, error) {
	if !isV1alpha1(ctx) {
		return nil, nil
	}
	schema, err := apischema.V1beta1()
	if err != nil {
		return nil, err
	}
	return schema.Check(ctx, nsm)
}

// validateCarried refuses what conversion carries along without understanding it.
func validateCarried(nsm *nsmv1beta1.NSM) field.ErrorList {
	var errs field.ErrorList
	for _, problem := range conversion.Problems(nsm) {
		// In the detail the value stands as it was written, and not as Go prints it.
		errs = append(errs, &field.Error{
			Type: field.ErrorTypeInvalid, Field: problem.Path, BadValue: field.OmitValueType{},
			Detail: string(problem.Value) + ": " + problem.Detail,
		})
	}
	for _, unknown := range conversion.Unknown(nsm) {
		if conversion.IsObsolete(unknown) {
			continue
		}
		errs = append(errs, field.Forbidden(field.NewPath(unknown),
			"v1alpha1 has no such field; an NSM registry has type, replicaCount, image and envVars"))
	}
	return errs
}

// validateVersion checks the release, and that it has all that is asked for.
func validateVersion(spec *nsmv1beta1.NSMSpec, path *field.Path) field.ErrorList {
	if spec.Version == "" {
		return nil
	}
	wanted, err := release.Parse(spec.Version)
	if err != nil {
		return field.ErrorList{field.Invalid(path.Child("version"), spec.Version, err.Error())}
	}
	errs := validateReleaseHas(spec, wanted, path)
	for i := range spec.Forwarders {
		if spec.Forwarders[i].Type == nsmv1beta1.ForwarderTypeOVS && !wanted.Facts().OVS.Exists() {
			errs = append(errs, field.Invalid(path.Child("forwarders").Index(i).Child("type"), spec.Forwarders[i].Type,
				fmt.Sprintf("must be vpp or sriov: NSM %s has no other forwarder", wanted)))
		}
	}
	return errs
}

// validateReleaseHas refuses what NSM itself does not have yet in a release.
func validateReleaseHas(spec *nsmv1beta1.NSMSpec, wanted release.Release, path *field.Path) field.ErrorList {
	facts := wanted.Facts()
	var errs field.ErrorList
	refuse := func(path *field.Path, what, from string) {
		errs = append(errs, field.Forbidden(path, fmt.Sprintf("must be left out with NSM %s: NSM has %s from %s on", wanted, what, from)))
	}
	if spec.VL3 != nil && !facts.VL3IPAM.Exists() {
		refuse(path.Child("vl3"), "IP address managers of vL3 networks", "v1.3.0")
	}
	if spec.Dashboard != nil && !facts.DashboardBackend.Exists() {
		refuse(path.Child("dashboard"), "a dashboard", "v1.12.0")
	}
	return errs
}

func validateInterdomain(nsm *nsmv1beta1.NSM, path *field.Path) field.ErrorList {
	if nsm.Spec.Interdomain == nil || nsm.Namespace == interdomainNamespace {
		return nil
	}
	return field.ErrorList{field.Forbidden(path.Child("interdomain"), fmt.Sprintf(
		"must be left out in namespace %q: other domains look for registry.%[2]s and nsmgr-proxy.%[2]s, so only an NSM in namespace %[2]s can be reached",
		nsm.Namespace, interdomainNamespace))}
}

// validateClientNamespaces refuses a selector that selects nothing, since no
// namespace can have such labels.
func validateClientNamespaces(spec *nsmv1beta1.NSMSpec, path *field.Path) field.ErrorList {
	if spec.OpenShift == nil {
		return nil
	}
	return metav1validation.ValidateLabelSelector(spec.OpenShift.ClientNamespaces,
		metav1validation.LabelSelectorValidationOptions{}, path.Child("openshift", "clientNamespaces"))
}

// validateAlone refuses a mesh that cannot live beside another one.
func (v *validator) validateAlone(ctx context.Context, nsm *nsmv1beta1.NSM) (field.ErrorList, error) {
	var all nsmv1beta1.NSMList
	if err := v.reader.List(ctx, &all, client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	var errs field.ErrorList
	for i := range all.Items {
		other := &all.Items[i]
		if other.Namespace == nsm.Namespace && other.Name == nsm.Name || other.DeletionTimestamp != nil && other.Namespace != nsm.Namespace {
			continue
		}
		// Where one is in the way for certain, there is no need to ask about the others: there may be many.
		if conflict := mesh.Conflict(other, nsm); conflict != "" && (len(errs) > 0 || v.isThere(ctx, other)) {
			errs = append(errs, field.Forbidden(field.NewPath("metadata", "name"), fmt.Sprintf(
				"%q cannot live beside the NSM %s/%s: %s", nsm.Name, other.Namespace, other.Name, conflict)))
		}
	}
	return errs, nil
}

// isThere asks the API server itself, since the cache may know an NSM for a moment longer
// than it is there: whoever has just seen the last of one may create the next.
func (v *validator) isThere(ctx context.Context, nsm *nsmv1beta1.NSM) bool {
	asked := &metav1.PartialObjectMetadata{}
	asked.SetGroupVersionKind(nsmv1beta1.GroupVersion.WithKind("NSM"))
	return !apierrors.IsNotFound(v.dryRun.client.Get(ctx, client.ObjectKeyFromObject(nsm), asked))
}

// warnings of what is allowed, and may not be what was meant.
func warnings(nsm *nsmv1beta1.NSM) admission.Warnings {
	wanted, err := release.Parse(nsm.Spec.Version)
	if err != nil {
		return nil
	}
	warned := append(ineffective(&nsm.Spec, wanted), misplaced(nsm.Spec.Forwarders)...)
	warned = append(warned, withoutImage(&nsm.Spec, wanted)...)
	warned = append(warned, unmounted(nsm, wanted)...)
	warned = append(warned, overridden(&nsm.Spec)...)
	warned = append(warned, suspicious(&nsm.Spec)...)
	warned = append(warned, identityWarnings(nsm)...)
	if !wanted.IsKnown() {
		warned = append(warned, fmt.Sprintf(
			"spec.version: %s is not a release that this operator knows (the newest is %s); it is run like %s",
			wanted, release.Newest(), wanted.Like()))
	}
	return warned
}

// identityWarnings tells of a namespace whose pods SPIRE's controller manager ignores
// by default, and of a class that it may not find: nothing would ever become ready there.
func identityWarnings(nsm *nsmv1beta1.NSM) admission.Warnings {
	spire := ptr.Deref(nsm.Spec.Spire, nsmv1beta1.SpireSpec{})
	if spire.Registration == nsmv1beta1.SpireRegistrationNone {
		return nil
	}
	var warned admission.Warnings
	if pattern := mesh.IgnoredBySPIRE(nsm.Namespace); pattern != "" {
		warned = append(warned, fmt.Sprintf(
			"metadata.namespace: %q matches %q, by which SPIRE's controller manager ignores namespaces unless its ignoreNamespaces says otherwise: the mesh gets no identities there",
			nsm.Namespace, pattern))
	}
	if length := len(spire.ClassName); length > validation.LabelValueMaxLength {
		warned = append(warned, fmt.Sprintf(
			"spec.spire.className: has %d characters, and a label at most %d: a SPIRE controller manager with filterByClassName, which looks for the class in a label, does not find the ClusterSPIFFEID",
			length, validation.LabelValueMaxLength))
	}
	return warned
}

// bugWarnings tells what is known to be broken in the release of a new mesh.
func bugWarnings(nsm *nsmv1beta1.NSM) admission.Warnings {
	wanted, err := release.Parse(nsm.Spec.Version)
	if err != nil {
		return nil
	}
	var warned admission.Warnings
	for _, bug := range release.Bugs(wanted) {
		warned = append(warned, "spec.version: "+bug)
	}
	return warned
}

// upgradeWarnings tells what is known to go wrong between two releases.
func upgradeWarnings(before, nsm *nsmv1beta1.NSM) admission.Warnings {
	from, err := release.Parse(before.Spec.Version)
	if err != nil {
		return nil
	}
	to, err := release.Parse(nsm.Spec.Version)
	if err != nil {
		return nil
	}
	var warned admission.Warnings
	for _, warning := range release.Warnings(from, to) {
		warned = append(warned, "spec.version: "+warning)
	}
	return warned
}

// ineffective warns of fields that the release does not know.
func ineffective(spec *nsmv1beta1.NSMSpec, wanted release.Release) admission.Warnings {
	facts := wanted.Facts()
	telemetry := ptr.Deref(spec.Telemetry, nsmv1beta1.TelemetrySpec{})
	openTelemetry := ptr.Deref(telemetry.OpenTelemetry, nsmv1beta1.OpenTelemetrySpec{})
	interdomain := ptr.Deref(spec.Interdomain, nsmv1beta1.InterdomainSpec{})
	var warned admission.Warnings
	warn := func(ineffective bool, path, from string) {
		if ineffective {
			warned = append(warned, fmt.Sprintf("%s: has no effect with NSM %s: it is from %s on", path, wanted, from))
		}
	}
	webhook := ptr.Deref(spec.AdmissionWebhook, nsmv1beta1.AdmissionWebhookSpec{})
	warn(ptr.Deref(webhook.Replicas, 1) > 1 && !facts.WebhookCertificate, "spec.admissionWebhook.replicas", "v1.12.0")
	client := ptr.Deref(webhook.Client, nsmv1beta1.InjectedClientSpec{})
	warn(len(client.Env) > 0 && !facts.WebhookClientEnv, "spec.admissionWebhook.client.env", "v1.2.0")
	warn(client.Resources != nil && !facts.WebhookClientResources, "spec.admissionWebhook.client.resources", "v1.11.0")
	warn(spec.CSIDriver != nil && !facts.CSIDriver, "spec.csiDriver", "v1.10.0")
	warn(interdomain.ClusterName != "" && !facts.ClusterInfo.Exists(), "spec.interdomain.clusterName", "v1.6.0")
	warn(interdomain.ClusterInfo != nil && !facts.ClusterInfo.Exists(), "spec.interdomain.clusterInfo", "v1.6.0")
	warn(telemetry.Prometheus != nil && !facts.Prometheus, "spec.telemetry.prometheus", "v1.14.0")
	warn(telemetry.Pprof != nil && !facts.Pprof, "spec.telemetry.pprof", "v1.14.0")
	warn(telemetry.OpenTelemetry != nil && facts.OpenTelemetryEndpointEnv == "", "spec.telemetry.openTelemetry", "v1.2.0")
	warn(openTelemetry.ExportInterval != nil && !facts.MetricsExportInterval, "spec.telemetry.openTelemetry.exportInterval", "v1.11.0")
	if prometheus := telemetry.Prometheus; prometheus != nil && ptr.Deref(prometheus.PodMonitor, false) && !ptr.Deref(prometheus.Enabled, false) {
		warned = append(warned, "spec.telemetry.prometheus.podMonitor: has no effect as long as enabled is not true")
	}
	for i := range spec.Forwarders {
		vpp := ptr.Deref(spec.Forwarders[i].VPP, nsmv1beta1.VPPSpec{})
		warn(vpp.Init != "" && !facts.VPPInit, fmt.Sprintf("spec.forwarders[%d].vpp.init", i), "v1.9.0")
	}
	return warned
}

// misplaced warns of fields that a forwarder of another type would know
// (cmd-forwarder-ovs and cmd-forwarder-sriov, Config in main.go).
func misplaced(forwarders []nsmv1beta1.ForwarderSpec) admission.Warnings {
	var warned admission.Warnings
	for i := range forwarders {
		forwarder := &forwarders[i]
		if forwarder.TunnelIP != "" && forwarder.Type == nsmv1beta1.ForwarderTypeSRIOV {
			warned = append(warned, fmt.Sprintf(
				"spec.forwarders[%d].tunnelIP: has no effect for a forwarder of type sriov, which has no tunnels", i))
		}
		if len(forwarder.MechanismPriority) > 0 && forwarder.Type != nsmv1beta1.ForwarderTypeVPP {
			warned = append(warned, fmt.Sprintf(
				"spec.forwarders[%d].mechanismPriority: has no effect for a forwarder of type %s: only vpp knows it", i, forwarder.Type))
		}
	}
	return warned
}

// withoutImage warns of forwarders on nodes for which NSM publishes no image of them.
// Where the image is another one, it may be for these.
func withoutImage(spec *nsmv1beta1.NSMSpec, wanted release.Release) admission.Warnings {
	images := ptr.Deref(spec.Images, nsmv1beta1.ImagesSpec{})
	if !wanted.Facts().VPPOnAMD64Only || images.Template != "" || images.Overrides["cmd-forwarder-vpp"] != "" {
		return nil
	}
	var warned admission.Warnings
	for i, forwarder := range mesh.Forwarders(spec) {
		arch := mesh.NodeSelector(spec, forwarder.NodeSelector)[corev1.LabelArchStable]
		if forwarder.Type != nsmv1beta1.ForwarderTypeVPP || forwarder.Image != "" || arch == "" || arch == "amd64" {
			continue
		}
		path := "spec.nodeSelector"
		if forwarder.NodeSelector != nil {
			path = fmt.Sprintf("spec.forwarders[%d].nodeSelector", i)
		}
		warned = append(warned, fmt.Sprintf(
			"%s[%s]: is %q, for which NSM %s publishes no vpp forwarder: must be amd64 for %s, unless that has an image of its own",
			path, corev1.LabelArchStable, arch, wanted, cmp.Or(forwarder.Name, nsmv1beta1.DefaultForwarderName(forwarder.Type))))
	}
	return warned
}

// unmounted warns of a directory of the kubelet that no pod of the mesh mounts.
func unmounted(nsm *nsmv1beta1.NSM, wanted release.Release) admission.Warnings {
	in := mesh.Input{NSM: nsm, Release: wanted}
	if nsm.Spec.KubeletDirectory == "" || mesh.Invalid(in) != "" || mesh.MountsKubelets(mesh.Components(in)) {
		return nil
	}
	return admission.Warnings{fmt.Sprintf(
		"spec.kubeletDirectory: has no effect: no part of this mesh mounts it with NSM %s", wanted)}
}
