// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package migrate brings stored NSMs into the version in which they are stored
// today, so that the older one can be dropped from the CRD some day, and that
// reading them takes no conversion.
package migrate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// CRD is the name of the CustomResourceDefinition of NSMs.
const CRD = "nsms.nsm.networkservicemesh.io"

// pageSize is how many objects are held at a time. Each may have 256 KiB of
// annotations, and more of managed fields.
const pageSize = 50

// Why not Kubernetes' own StorageVersionMigration: it is stable since 1.37 only,
// OpenShift serves another API of that name, and neither touches
// status.storedVersions, which is what the next release of the CRD depends on.

// The list, and the rewriting of NSMs, is what the loop may do anyway.
//
// +kubebuilder:rbac:groups=apiextensions.k8s.io,resources=customresourcedefinitions,resourceNames=nsms.nsm.networkservicemesh.io,verbs=get
// +kubebuilder:rbac:groups=apiextensions.k8s.io,resources=customresourcedefinitions/status,resourceNames=nsms.nsm.networkservicemesh.io,verbs=patch

// Migration is run by the leader, once at its start. It keeps no account of how
// far it got: a write that changes nothing of an object makes the API server
// store it anew only when it is stored in another version, so that after a crash
// it goes through all of them again and rewrites the rest.
type Migration struct {
	// Config is the access to the API server.
	Config *rest.Config
	// PageSize is how many objects are held at a time. Optional.
	PageSize int64

	client client.Client
}

// Start implements manager.Runnable: it tries until it has succeeded. The
// operator does not depend on that, and goes on meanwhile.
func (m *Migration) Start(ctx context.Context) error {
	logger := ctrl.Log.WithName("migrate")
	backoff := wait.Backoff{Duration: time.Second, Factor: 2, Jitter: 0.5, Steps: 10, Cap: 5 * time.Minute}
	// Only the context ends it early.
	_ = backoff.DelayFunc().Until(ctx, true, false, func(ctx context.Context) (bool, error) {
		result, err := m.Run(ctx)
		if err != nil {
			if ctx.Err() == nil {
				logger.Error(err, "Stored NSMs are not all migrated; trying again")
			}
			return false, nil
		}
		logger.Info("Stored NSMs are up to date", "rewritten", result.Rewritten, "cleaned", result.Cleaned)
		return true, nil
	})
	return nil
}

// NeedLeaderElection implements manager.LeaderElectionRunnable: one is enough.
func (*Migration) NeedLeaderElection() bool { return true }

// Result counts the writes of a migration.
type Result struct {
	// Rewritten objects were written without a change.
	Rewritten int
	// Cleaned objects lost managed fields of versions that are not served.
	Cleaned int
}

// Run makes one attempt. It goes on after an object that cannot be written, and
// tells of all of them.
func (m *Migration) Run(ctx context.Context) (Result, error) {
	if err := m.complete(); err != nil {
		return Result{}, err
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := m.client.Get(ctx, client.ObjectKey{Name: CRD}, &crd); err != nil {
		return Result{}, err
	}
	p := pass{client: m.client, crd: &crd, storage: storageVersion(&crd)}
	p.rewrites = !slices.Equal(crd.Status.StoredVersions, []string{p.storage})
	if err := p.all(ctx, m.PageSize); err != nil || !p.rewrites {
		return p.Result, err
	}
	return p.Result, p.finish(ctx)
}

func (m *Migration) complete() error {
	if m.PageSize == 0 {
		m.PageSize = pageSize
	}
	if m.client != nil {
		return nil
	}
	scheme := runtime.NewScheme()
	if err := apiextensionsv1.AddToScheme(scheme); err != nil {
		return err
	}
	var err error
	m.client, err = client.New(m.Config, client.Options{Scheme: scheme})
	return err
}

func storageVersion(crd *apiextensionsv1.CustomResourceDefinition) string {
	for i := range crd.Spec.Versions {
		if crd.Spec.Versions[i].Storage {
			return crd.Spec.Versions[i].Name
		}
	}
	return "" // the API server accepts no such CRD
}

// pass is one way through all objects.
type pass struct {
	Result
	client  client.Client
	crd     *apiextensionsv1.CustomResourceDefinition
	storage string
	// rewrites: there may be objects in another version.
	rewrites bool
}

// all goes through all objects, of which only the metadata is read.
func (p *pass) all(ctx context.Context, pageSize int64) error {
	page := &metav1.PartialObjectMetadataList{}
	page.SetGroupVersionKind(schema.GroupVersionKind{Group: p.crd.Spec.Group, Version: p.storage, Kind: p.crd.Spec.Names.ListKind})
	var failed []error
	for {
		if err := p.client.List(ctx, page, client.Limit(pageSize), client.Continue(page.Continue)); err != nil {
			return errors.Join(append(failed, err)...)
		}
		for i := range page.Items {
			if err := p.one(ctx, &page.Items[i]); client.IgnoreNotFound(err) != nil {
				failed = append(failed, fmt.Errorf("NSM %s/%s: %w", page.Items[i].Namespace, page.Items[i].Name, err))
			}
		}
		if page.Continue == "" {
			return errors.Join(failed...)
		}
	}
}

// one writes an object where that is needed.
func (p *pass) one(ctx context.Context, object *metav1.PartialObjectMetadata) error {
	object.SetGroupVersionKind(schema.GroupVersionKind{Group: p.crd.Spec.Group, Version: p.storage, Kind: p.crd.Spec.Names.Kind})
	cleaned, err := p.clean(ctx, object)
	if cleaned || err != nil || !p.rewrites {
		return err
	}
	// The status has no admission: whatever is stored can be stored again, also
	// what validation, ours or somebody else's, would not let in today.
	err = retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		return p.client.Status().Patch(ctx, object, client.RawPatch(types.MergePatchType, []byte("{}")))
	})
	if err == nil {
		p.Rewritten++
	}
	return err
}

// clean drops managed fields of versions that are not served any more: the API
// server would have to convert to them in order to apply, and refuses that.
func (p *pass) clean(ctx context.Context, object *metav1.PartialObjectMetadata) (bool, error) {
	cleaned := false
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		before := object.DeepCopy()
		object.ManagedFields = slices.DeleteFunc(object.ManagedFields, p.isDead)
		if len(object.ManagedFields) == len(before.ManagedFields) {
			return nil
		}
		if len(object.ManagedFields) == 0 {
			// An empty list would be taken for none given; this says none.
			object.ManagedFields = []metav1.ManagedFieldsEntry{{}}
		}
		err := p.client.Patch(ctx, object, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
		if apierrors.IsConflict(err) {
			return errors.Join(err, p.client.Get(ctx, client.ObjectKeyFromObject(object), object))
		}
		cleaned = err == nil
		return err
	})
	if cleaned {
		p.Cleaned++
	}
	return cleaned, err
}

func (p *pass) isDead(entry metav1.ManagedFieldsEntry) bool {
	return !slices.ContainsFunc(p.crd.Spec.Versions, func(version apiextensionsv1.CustomResourceDefinitionVersion) bool {
		return version.Served && entry.APIVersion == p.crd.Spec.Group+"/"+version.Name
	})
}

// finish writes down that only the one version is stored. The CRD may have got
// another CA meanwhile; another storage version means to begin again.
func (p *pass) finish(ctx context.Context) error {
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		var crd apiextensionsv1.CustomResourceDefinition
		if err := p.client.Get(ctx, client.ObjectKey{Name: CRD}, &crd); err != nil {
			return err
		}
		if now := storageVersion(&crd); now != p.storage || crd.UID != p.crd.UID {
			return fmt.Errorf("CRD %s: it was replaced, or stores %s, not %s", CRD, now, p.storage)
		}
		before := crd.DeepCopy()
		crd.Status.StoredVersions = []string{p.storage}
		return p.client.Status().Patch(ctx, &crd, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	})
}
