// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/report"
)

// connections are the live ones of the meshes of the namespace. Only the managers know
// them, who talk to nobody without an identity of SPIRE's; the backend of a dashboard has
// one, and answers everybody. What it cannot be asked is not seen.
func (c *cluster) connections(ctx context.Context) ([]report.Connection, error) {
	before := len(c.notSeen)
	nsms, err := c.nsms(ctx, nil)
	if err := c.unlessHidden(err, "list nsms, for live connections"); err != nil {
		return nil, err
	}
	if len(nsms) == 0 && len(c.notSeen) == before {
		c.notSeen = append(c.notSeen, "live connections: there is no NSM here")
	}
	var all []report.Connection
	for i := range nsms {
		nsm := &nsms[i]
		found, err := c.connectionsOf(ctx, nsm)
		if ctx.Err() != nil {
			return nil, c.explain(ctx.Err(), "live connections")
		}
		if err != nil {
			c.notSeen = append(c.notSeen, fmt.Sprintf("live connections of mesh %s/%s: %v", nsm.Namespace, nsm.Name, err))
		}
		all = append(all, found...)
	}
	return all, nil
}

func (c *cluster) connectionsOf(ctx context.Context, nsm *nsmv1beta1.NSM) ([]report.Connection, error) {
	if nsm.Spec.Dashboard == nil {
		return nil, errors.New("it has no dashboard: spec.dashboard adds one")
	}
	core, err := typedcorev1.NewForConfig(c.config)
	if err != nil {
		return nil, err
	}
	answers := map[string][]byte{}
	for _, path := range []string{"nodes", "edges"} {
		answers[path], err = core.Services(nsm.Namespace).ProxyGet("http", mesh.DashboardBackend, "http", path, nil).DoRaw(ctx)
		switch {
		case apierrors.IsForbidden(err):
			return nil, errors.New("get services/proxy: forbidden")
		case err != nil:
			return nil, fmt.Errorf("its dashboard gives no answer: %s", saidOf(answers[path], err))
		}
	}
	return report.ConnectionsOf(nsm.Namespace+"/"+nsm.Name, answers["nodes"], answers["edges"])
}

// saidOf what a proxy answers is the API server's own message, or else the error.
func saidOf(answer []byte, err error) string {
	status := metav1.Status{}
	if json.Unmarshal(answer, &status) == nil && status.Message != "" {
		return status.Message
	}
	return err.Error()
}
