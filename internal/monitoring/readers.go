// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package monitoring

import (
	"net/http"
	"strings"

	"github.com/go-logr/logr"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/networkservicemesh/nsm-operator/internal/audience"
)

// Readers lets those read the metrics whom the API server knows by their token, and who may.
// A token may also be for the metrics alone: then the API server is asked whether it is,
// since it takes none itself that is not for it.
func Readers(config *rest.Config, client *http.Client) (metricsserver.Filter, error) {
	filter, err := filters.WithAuthenticationAndAuthorization(config, client)
	if err != nil {
		return nil, err
	}
	return func(log logr.Logger, handler http.Handler) (http.Handler, error) {
		filtered, err := filter(log, handler)
		if err != nil {
			return nil, err
		}
		return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
			if token, isToken := strings.CutPrefix(request.Header.Get("Authorization"), "Bearer "); isToken && audience.IsMetrics(token) {
				request = request.WithContext(authenticator.WithAudiences(request.Context(), authenticator.Audiences{audience.Metrics}))
			}
			filtered.ServeHTTP(w, request)
		}), nil
	}, nil
}
