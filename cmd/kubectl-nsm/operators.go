// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/networkservicemesh/nsm-operator/internal/installation"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/report"
)

const (
	// operatorName is that of the operator's Deployment, and its label.
	operatorName = "nsm-operator"
	// definitionName is that of the CRD of NSMs, which lists the installations that work.
	definitionName = "nsms.nsm.networkservicemesh.io"
)

// seeOperators reads the installations of the operator, in whichever namespaces they
// are, once.
func (c *cluster) seeOperators(ctx context.Context) (*report.Operators, error) {
	if c.operators != nil {
		return c.operators, nil
	}
	seen := &report.Operators{Leases: map[string]*coordinationv1.Lease{}}
	before := len(c.notSeen)
	var deployments appsv1.DeploymentList
	if err := c.see(ctx, &deployments, "deployments in all namespaces, for the operator's", client.MatchingLabels{mesh.LabelName: operatorName}); err != nil {
		return nil, err
	}
	seen.Deployments, seen.SeesDeployments = deployments.Items, len(c.notSeen) == before
	if err := c.seeLeases(ctx, seen); err != nil {
		return nil, err
	}
	if err := c.seeMembers(ctx, seen); err != nil {
		return nil, err
	}
	seen.NotSeen = c.notSeen[before:]
	c.operators = seen
	return seen, nil
}

// seeLeases reads who leads.
func (c *cluster) seeLeases(ctx context.Context, seen *report.Operators) error {
	seen.SeesLeases = seen.SeesDeployments
	for i := range seen.Deployments {
		key := client.ObjectKey{Namespace: seen.Deployments[i].Namespace, Name: installation.LeaseName}
		lease := &coordinationv1.Lease{}
		err := c.Get(ctx, key, lease)
		switch {
		case err == nil:
			seen.Leases[key.Namespace] = lease
		case !apierrors.IsNotFound(err):
			seen.SeesLeases = false
			if err := c.unlessHidden(err, "get lease "+key.String()); err != nil {
				return err
			}
		}
	}
	return nil
}

// seeMembers reads which installations work.
func (c *cluster) seeMembers(ctx context.Context, seen *report.Operators) error {
	definition := &metav1.PartialObjectMetadata{} // the whole is large
	definition.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"))
	before := len(c.notSeen)
	err := c.unlessHidden(c.Get(ctx, client.ObjectKey{Name: definitionName}, definition), "get customresourcedefinition "+definitionName+", for the operator's version")
	if err == nil && len(c.notSeen) == before {
		seen.SeesMembers = true
		for _, member := range installation.MembersOf(definition.Annotations) {
			seen.Members = append(seen.Members, report.Installation(member))
		}
	}
	return err
}

// warnOfVersions tells the user where the operator is not the one that the plugin knows.
func (o *options) warnOfVersions(ctx context.Context, c *cluster) error {
	operators, err := c.seeOperators(ctx)
	if err != nil {
		return err
	}
	for _, warning := range operators.Judge(version, c.clock.now()).Versions {
		o.warn("warning: %s", warning)
	}
	for key, fields := range c.unknown {
		o.warn("warning: NSM %s: this version of the plugin does not know %s, and leaves it out", key, report.PathsOf(fields))
	}
	return nil
}
