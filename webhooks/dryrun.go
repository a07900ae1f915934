// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package webhooks

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

// dryRunTimeout bounds what dry runs add to a write of an NSM, for which
// the API server gives the webhook ten seconds. Without an answer by then the NSM
// is taken as it is.
var dryRunTimeout = 3 * time.Second

// dryRun has the API server look at the workloads and Services of a mesh before
// the mesh is taken: what passes through from the NSM to them (env, tolerations,
// affinity, labels and so on) is checked by the API server's own rules, in its
// release. It sends each as a dry run, under a name of its own, so that what exists
// plays no part.
type dryRun struct {
	// client asks the API server itself.
	client client.Client
}

// newDryRun has a client of its own: the manager's reads from the cache, waits
// for its own writes and is limited in their number.
func newDryRun(mgr ctrl.Manager) (dryRun, error) {
	config := rest.CopyConfig(mgr.GetConfig())
	config.QPS = -1
	// Warnings about the workloads are for those who look at them.
	config.WarningHandler = rest.NoWarnings{}
	direct, err := client.New(config, client.Options{Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper()})
	return dryRun{client: direct}, err
}

// refusals lists what the API server would refuse of the objects that an NSM
// changes, as mistakes in the NSM. before is nil for an NSM that is new. Whatever
// else goes wrong on the way, such as a quota or a policy, refuses no NSM: it may
// be over by the time that counts.
func (r dryRun) refusals(ctx context.Context, before, nsm *nsmv1beta1.NSM) field.ErrorList {
	ctx, cancel := context.WithTimeout(ctx, dryRunTimeout)
	defer cancel()
	known := triedOf(before)
	var (
		group sync.WaitGroup
		lock  sync.Mutex
		all   field.ErrorList
	)
	for _, object := range triedOf(nsm) {
		if slices.ContainsFunc(known, func(other mesh.Object) bool { return reflect.DeepEqual(other, object) }) {
			continue
		}
		group.Go(func() {
			errs := r.try(ctx, nsm, object)
			lock.Lock()
			defer lock.Unlock()
			all = append(all, errs...)
		})
	}
	group.Wait()
	return sorted(all)
}

// sorted brings mistakes into the order of their paths, each of them once: two
// objects may have it.
func sorted(errs field.ErrorList) field.ErrorList {
	slices.SortFunc(errs, func(a, b *field.Error) int { return strings.Compare(a.Error(), b.Error()) })
	return slices.CompactFunc(errs, func(a, b *field.Error) bool { return a.Error() == b.Error() })
}

// triedOf renders what the API server is asked about, for a cluster that has all
// that a mesh can use.
func triedOf(nsm *nsmv1beta1.NSM) []mesh.Object {
	if nsm == nil {
		return nil
	}
	wanted := release.Newest()
	if nsm.Spec.Version != "" {
		var err error
		if wanted, err = release.Parse(nsm.Spec.Version); err != nil {
			return nil
		}
	}
	// Admission gets the NSM with other metadata each time.
	nsm = &nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Namespace: nsm.Namespace, Name: nsm.Name}, Spec: nsm.Spec}
	in := mesh.Input{NSM: nsm, Release: wanted, Platform: mesh.Platform{ClusterProperties: true}}
	if mesh.Invalid(in) != "" {
		return nil
	}
	return slices.DeleteFunc(mesh.Objects(mesh.Components(in)), func(object mesh.Object) bool { return !mesh.IsTried(object) })
}

// try sends one object as a dry run.
func (r dryRun) try(ctx context.Context, nsm *nsmv1beta1.NSM, object mesh.Object) field.ErrorList {
	trial, ok := object.DeepCopyObject().(client.Object)
	if !ok {
		return nil
	}
	trial.SetGenerateName(object.GetName() + "-")
	trial.SetName("")
	trial.SetOwnerReferences(nil)
	err := r.client.Create(ctx, trial, client.DryRunAll)
	logger := log.FromContext(ctx).WithValues("object", object.GetName())
	if err != nil && !isInvalid(err) {
		logger.Info("Could not check an object of the mesh by a dry run", "reason", err.Error())
	}
	var errs field.ErrorList
	for _, cause := range causesOf(err) {
		path := mesh.FieldOf(&nsm.Spec, object, cause.Field, complaintOf(cause))
		if path == "" {
			logger.Info("The API server would refuse an object of the mesh for a field that does not come from the NSM", "field", cause.Field, "reason", cause.Message)
			continue
		}
		errs = append(errs, &field.Error{
			Type: typeOf(cause), Field: path, BadValue: field.OmitValueType{}, Detail: complaintOf(cause),
		})
	}
	return errs
}

// isInvalid reports whether the API server's own rules refuse an object. Webhooks and
// policies of others may give the same reason.
func isInvalid(err error) bool {
	return apierrors.IsInvalid(err) && len(causesOf(err)) > 0
}

// causesOf an object's refusal by the API server's own rules.
func causesOf(err error) []metav1.StatusCause {
	var refusal apierrors.APIStatus
	if !errors.As(err, &refusal) || !apierrors.IsInvalid(err) {
		return nil
	}
	status := refusal.Status()
	if status.Details == nil || strings.HasPrefix(status.Message, "admission webhook ") {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(status.Details.Causes), func(cause metav1.StatusCause) bool { return cause.Field == "" })
}

// typeOf a cause, as far as it is one that field.Error can print.
func typeOf(cause metav1.StatusCause) field.ErrorType {
	switch kind := field.ErrorType(cause.Type); kind {
	case field.ErrorTypeNotFound, field.ErrorTypeRequired, field.ErrorTypeDuplicate, field.ErrorTypeInvalid,
		field.ErrorTypeNotSupported, field.ErrorTypeForbidden, field.ErrorTypeTooLong, field.ErrorTypeTooMany,
		field.ErrorTypeTypeInvalid:
		return kind
	default:
		return field.ErrorTypeInvalid
	}
}

// complaintOf a cause is its message without the words that its type stands for:
// the value, and what is allowed.
func complaintOf(cause metav1.StatusCause) string {
	return strings.TrimPrefix(strings.TrimPrefix(cause.Message, typeOf(cause).String()), ": ")
}
