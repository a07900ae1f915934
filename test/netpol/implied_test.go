// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package netpol

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Each kind of probe that goes through the network is a connection, and what is not known is
// not passed over: it would seem to be allowed.
func TestProbes(t *testing.T) {
	t.Parallel()
	of := func(handler corev1.ProbeHandler) []Connection {
		return probes(pod{End{Name: "one", Namespace: "nsm"}, corev1.PodSpec{Containers: []corev1.Container{{
			Ports: []corev1.ContainerPort{{Name: "probes", ContainerPort: 8081}}, LivenessProbe: &corev1.Probe{ProbeHandler: handler},
		}}}})
	}
	for name, c := range map[string]struct {
		handler corev1.ProbeHandler
		ports   []int32
	}{
		"HTTP": {corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Port: intstr.FromString("probes")}}, []int32{8081}},
		"TCP":  {corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(5001)}}, []int32{5001}},
		"gRPC": {corev1.ProbeHandler{GRPC: &corev1.GRPCAction{Port: 5002}}, []int32{5002}},
		"exec": {corev1.ProbeHandler{Exec: &corev1.ExecAction{}}, nil},
	} {
		var ports []int32
		for _, connection := range of(c.handler) {
			ports = append(ports, connection.Port)
		}
		if !slices.Equal(ports, c.ports) {
			t.Errorf("%s: ports %v, want %v", name, ports, c.ports)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a probe of no known kind is passed over")
		}
	}()
	of(corev1.ProbeHandler{})
}
