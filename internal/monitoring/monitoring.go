// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package monitoring has Prometheus' operator, where a cluster has one, watch the NSM
// operator: by the ServiceMonitor and the alerts of config/prometheus.
package monitoring

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/networkservicemesh/nsm-operator/config/prometheus"
	"github.com/networkservicemesh/nsm-operator/internal/backoff"
	"github.com/networkservicemesh/nsm-operator/internal/certs"
)

// Creating cannot be limited to a name. Deleting is what OpenShift asks for of whoever
// changes the owners of an object.
//
// +kubebuilder:rbac:groups=monitoring.coreos.com,namespace=nsm-operator-system,resources=prometheusrules;servicemonitors,verbs=create
// +kubebuilder:rbac:groups=monitoring.coreos.com,namespace=nsm-operator-system,resources=prometheusrules;servicemonitors,resourceNames=nsm-operator,verbs=get;patch;delete

const (
	fieldOwner = client.FieldOwner("nsm-operator")
	// labelManagedBy marks what is ours: somebody may have applied config/prometheus.
	// Objects of meshes have another value.
	labelManagedBy = "app.kubernetes.io/managed-by"
	managedBy      = "nsm-operator-monitoring"
	// manifestNamespace is the operator's namespace in config/prometheus.
	manifestNamespace = "nsm-operator-system"
	// defaultInterval between two looks: definitions come and go with what an admin
	// installs.
	defaultInterval = 30 * time.Second
)

var served = schema.GroupVersion{Group: "monitoring.coreos.com", Version: "v1"}

// Keeper makes the objects while their kinds are served, and puts right what somebody
// changes of them. They go with the operator's rights, which own them.
type Keeper struct {
	// Client reads from the API server.
	Client client.Client
	// Discovery tells which kinds are served.
	Discovery discovery.ServerResourcesInterface
	// Namespace of the operator.
	Namespace string
	// Interval between two looks. Without it: 30 seconds.
	Interval time.Duration

	backoff *backoff.Backoff[string]
	owners  []metav1.OwnerReference
	// told is what was said last, so that it is said once.
	told string
}

// Start implements manager.Runnable: the replica that leads keeps them.
func (k *Keeper) Start(ctx context.Context) error {
	if k.Interval == 0 {
		k.Interval = defaultInterval
	}
	k.backoff = backoff.New[string](clock.RealClock{})
	wanted, err := k.objects()
	if err != nil {
		return err
	}
	ticker := time.NewTicker(k.Interval)
	defer ticker.Stop()
	for {
		if err := k.pass(ctx, wanted); ctx.Err() == nil {
			k.tell(err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// tell what is wrong, unless it is what was wrong before.
func (k *Keeper) tell(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != "" && text != k.told {
		ctrl.Log.WithName("monitoring").Info("What Prometheus is told of the operator is not kept up to date at the moment", "why", text)
	}
	k.told = text
}

// objects that are wanted.
func (k *Keeper) objects() ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	for _, manifest := range [][]byte{prometheus.ServiceMonitor, prometheus.Rules} {
		object := &unstructured.Unstructured{}
		here := strings.ReplaceAll(string(manifest), manifestNamespace, k.Namespace)
		if err := yaml.Unmarshal([]byte(here), object); err != nil {
			return nil, err
		}
		labels := object.GetLabels()
		labels[labelManagedBy] = managedBy
		object.SetLabels(labels)
		all = append(all, object)
	}
	return all, nil
}

// pass brings the objects up to date whose kinds are served.
func (k *Keeper) pass(ctx context.Context, wanted []*unstructured.Unstructured) error {
	return k.eachServed(wanted, func(object *unstructured.Unstructured) error { return k.keep(ctx, object) })
}

// eachServed does something to the objects whose kinds are served; of the others the API
// server is not asked.
func (k *Keeper) eachServed(objects []*unstructured.Unstructured, do func(*unstructured.Unstructured) error) error {
	kinds, err := k.Discovery.ServerResourcesForGroupVersion(served.String())
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	var errs []error
	for _, object := range objects {
		isServed := slices.ContainsFunc(kinds.APIResources, func(kind metav1.APIResource) bool { return kind.Kind == object.GetKind() })
		if !isServed {
			continue
		}
		if err := do(object); err != nil {
			errs = append(errs, fmt.Errorf("%s %s/%s: %w", object.GetKind(), object.GetNamespace(), object.GetName(), err))
		}
	}
	return errors.Join(errs...)
}

// keep one object as it should be.
func (k *Keeper) keep(ctx context.Context, wanted *unstructured.Unstructured) error {
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(wanted.GroupVersionKind())
	err := k.Client.Get(ctx, client.ObjectKeyFromObject(wanted), live)
	exists := err == nil
	switch {
	case client.IgnoreNotFound(err) != nil:
		return err
	case exists && live.GetLabels()[labelManagedBy] != managedBy:
		return errors.New("somebody else has made it, and so it is left alone")
	case exists && isAsWanted(live, wanted) && k.owners != nil && k.isOwned(live):
		return nil
	case k.backoff.Holds(wanted.GetKind(), ""):
		return nil
	}
	if k.owners, err = certs.Owners(ctx, k.Client, k.Namespace); err != nil {
		return err
	}
	if exists && isAsWanted(live, wanted) && k.isOwned(live) {
		return nil
	}
	object := wanted.DeepCopy()
	object.SetOwnerReferences(k.owners)
	if !exists {
		// Whoever is faster, keeps it.
		err = k.Client.Create(ctx, object, fieldOwner)
	} else {
		// Not another one of the same name.
		object.SetUID(live.GetUID())
		err = k.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), fieldOwner, client.ForceOwnership)
	}
	if err == nil {
		k.backoff.Wrote(wanted.GetKind(), "")
		ctrl.Log.WithName("monitoring").Info("Wrote what Prometheus is told of the operator", "kind", object.GetKind())
	}
	return err
}

// isAsWanted reports whether all that is wanted is there. Others may add to it.
func isAsWanted(live, wanted *unstructured.Unstructured) bool {
	return equality.Semantic.DeepDerivative(wanted.Object["spec"], live.Object["spec"]) &&
		equality.Semantic.DeepDerivative(wanted.GetLabels(), live.GetLabels())
}

// isOwned reports whether an object goes with the operator.
func (k *Keeper) isOwned(live *unstructured.Unstructured) bool {
	has := map[types.UID]bool{}
	for _, owner := range live.GetOwnerReferences() {
		has[owner.UID] = true
	}
	return !slices.ContainsFunc(k.owners, func(owner metav1.OwnerReference) bool { return !has[owner.UID] })
}
