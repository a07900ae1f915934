// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package settings follows what an admin may change while the operator runs: the level
// of its log, and the TLS profile of the cluster on OpenShift.
package settings

import (
	"context"
	"slices"
	"strings"
	"sync"

	configv1 "github.com/openshift/api/config/v1"
	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/networkservicemesh/nsm-operator/internal/watchfacts"
)

// ConfigMaps the loop may watch anyway.
//
// +kubebuilder:rbac:groups="",resources=configmaps,verbs=get;list;watch
// +kubebuilder:rbac:groups=config.openshift.io,resources=apiservers,resourceNames=cluster,verbs=list;watch

// Settings are those of one process.
type Settings struct {
	// Level of the log: as the flags have it, until a ConfigMap says otherwise.
	Level zap.AtomicLevel
	// TLS of the operator's servers.
	TLS TLS

	watcher *watchfacts.Watcher
	all     []*setting
}

// setting is one of them.
type setting struct {
	query watchfacts.Query
	// use takes over what was read: "" where there is nothing.
	use func(text string)

	// mu has the settings taken over in the order in which they were read.
	mu   sync.Mutex
	last string
}

// Follow reads the settings, and goes on to take over every change until the context
// ends. What cannot be read yet is taken over later.
func (s *Settings) Follow(ctx context.Context, config *rest.Config, namespace string) error {
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		return err
	}
	scheme.AddKnownTypes(configv1.GroupVersion, &configv1.APIServer{}, &configv1.APIServerList{})
	metav1.AddToGroupVersion(scheme, configv1.GroupVersion)
	c, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	if err != nil {
		return err
	}
	s.watcher = watchfacts.New(c, s.changed)
	s.all = slices.DeleteFunc([]*setting{s.logLevel(namespace), s.tlsProfile()}, func(one *setting) bool {
		return !isServed(c, one.query.List())
	})
	go func() { _ = s.watcher.Start(ctx) }()
	for _, one := range s.all {
		s.watcher.Watch(one.owner(), one.query)
	}
	for _, one := range s.all {
		if err := s.take(ctx, one); err != nil {
			ctrl.Log.WithName("settings").Error(err, "A setting will be taken over later")
		}
	}
	return nil
}

// isServed reports whether there is such a kind, as far as the API server says. A watch
// for one that there is not would be an error in the log of every start.
func isServed(c client.Client, list client.ObjectList) bool {
	kind, err := c.GroupVersionKindFor(list)
	if err != nil {
		return true
	}
	_, err = c.RESTMapper().RESTMapping(schema.GroupKind{Group: kind.Group, Kind: strings.TrimSuffix(kind.Kind, "List")}, kind.Version)
	return !meta.IsNoMatchError(err)
}

// changed is told that there is something else to read now.
func (s *Settings) changed(ctx context.Context, owner types.NamespacedName) {
	for _, one := range s.all {
		if one.owner() != owner {
			continue
		}
		if err := s.take(ctx, one); err != nil && ctx.Err() == nil {
			ctrl.Log.WithName("settings").Error(err, "A setting will be taken over later")
		}
	}
}

// take over what can be read of a setting now.
func (s *Settings) take(ctx context.Context, one *setting) error {
	one.mu.Lock()
	defer one.mu.Unlock()
	values, err := s.watcher.Facts(ctx, one.owner(), one.query)
	if err != nil {
		return err
	}
	if text := values[one.query.Name]; text != one.last {
		one.last = text
		one.use(text)
	}
	return nil
}

// owner is by what the watcher tells settings apart.
func (s *setting) owner() types.NamespacedName { return types.NamespacedName{Name: s.query.ID} }
