// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package v1beta1

import corev1 "k8s.io/api/core/v1"

// DashboardSpec describes NSM's dashboard: a pod with a backend, which the fields of
// every component are about, and a UI.
type DashboardSpec struct {
	ComponentSpec `json:",inline"`

	// ui changes the container of the UI. An image of your own has its files in
	// /app, and serves on port 3000.
	// +optional
	UI *ContainerSpec `json:"ui,omitempty"`

	// pollingIntervalSeconds is the time between two requests of the UI to the
	// backend, in seconds (POLLING_INTERVAL_SECONDS). Default: 1.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3600
	PollingIntervalSeconds *int32 `json:"pollingIntervalSeconds,omitempty"`

	// serviceType of the Services "dashboard-ui" and "dashboard-backend": ClusterIP,
	// NodePort or LoadBalancer. Neither of them asks who you are. Default: ClusterIP.
	// +optional
	// +kubebuilder:validation:Enum=ClusterIP;NodePort;LoadBalancer
	ServiceType corev1.ServiceType `json:"serviceType,omitempty"`

	// serviceAnnotations are added to these Services alone, such as those that a
	// cloud's load balancer reads. Default: none.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	ServiceAnnotations map[string]string `json:"serviceAnnotations,omitzero"`
}
