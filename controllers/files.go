// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/watchfacts"
)

// fileHashes are the hashes of the forwarders' files that come from ConfigMaps.
// Of a file that is not there, the pods' own hash is kept: they have the file
// that they started with, and would not start again without one.
func (r *NSMReconciler) fileHashes(ctx context.Context, nsm *nsmv1beta1.NSM) (map[mesh.ConfigFile]string, error) {
	hashes := map[mesh.ConfigFile]string{}
	for _, file := range mesh.ConfigFiles(&nsm.Spec) {
		facts, err := r.watcher.Facts(ctx, client.ObjectKeyFromObject(nsm), fileQuery(nsm.Namespace, file))
		if err != nil {
			return nil, err
		}
		hash, isThere := facts[file.ConfigMap]
		if !isThere {
			if hash, err = r.hashInUse(ctx, nsm.Namespace, file); err != nil {
				return nil, err
			}
		}
		hashes[file] = hash
	}
	return hashes, nil
}

// hashInUse is the hash of a file that its forwarder's pods have; "" for none.
func (r *NSMReconciler) hashInUse(ctx context.Context, namespace string, file mesh.ConfigFile) (string, error) {
	forwarder := &appsv1.DaemonSet{}
	err := r.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: file.Forwarder}, forwarder)
	return forwarder.Spec.Template.Annotations[file.Annotation], client.IgnoreNotFound(err)
}

// fileQuery watches the ConfigMap of a file, and keeps the hash of the file.
func fileQuery(namespace string, file mesh.ConfigFile) watchfacts.Query {
	return watchfacts.Query{
		ID:        "ConfigMap " + namespace + "/" + file.ConfigMap + ", key " + file.Key,
		List:      func() client.ObjectList { return &corev1.ConfigMapList{} },
		Namespace: namespace, Name: file.ConfigMap,
		Keep: func(object client.Object) (watchfacts.Fact, bool) {
			configMap, ok := object.(*corev1.ConfigMap)
			if !ok {
				return watchfacts.Fact{}, false
			}
			hash, isThere := file.HashIn(configMap)
			return watchfacts.Fact{Value: hash}, isThere
		},
	}
}
