// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package apischema_test

import (
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/apischema"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

func check(t *testing.T, spec nsmv1beta1.NSMSpec) []string {
	t.Helper()
	schema, err := apischema.New()
	if err != nil {
		t.Fatal(err)
	}
	nsm := &nsmv1beta1.NSM{Spec: spec}
	nsm.Name = "mesh"
	errs, err := schema.Check(t.Context(), nsm)
	if err != nil {
		t.Fatal(err)
	}
	var sentences []string
	for _, err := range errs {
		sentences = append(sentences, err.Error())
	}
	return sentences
}

func TestCheck(t *testing.T) {
	for name, test := range map[string]struct {
		spec nsmv1beta1.NSMSpec
		want []string
	}{
		"nothing": {},
		"all kinds of mistakes, in the order of their paths": {
			spec: nsmv1beta1.NSMSpec{
				LogLevel: "loud",
				Registry: &nsmv1beta1.RegistrySpec{Replicas: ptr.To(int32(101))},
				Nsmgr: &nsmv1beta1.NsmgrSpec{ComponentSpec: nsmv1beta1.ComponentSpec{ContainerSpec: nsmv1beta1.ContainerSpec{
					Env: []corev1.EnvVar{{Name: "A"}, {Name: "A"}},
				}}},
				Forwarders: []nsmv1beta1.ForwarderSpec{{Name: "default", Type: "vpp"}},
			},
			want: []string{
				`spec.forwarders[0].name: Invalid value: "default": is the name of another part of the mesh; choose a name such as forwarder-vpp`,
				`spec.logLevel: Unsupported value: "loud": supported values: "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"`,
				`spec.nsmgr.env[1]: Duplicate value: {"name":"A"}`,
				`spec.registry.replicas: Invalid value: 101: should be less than or equal to 100`,
			},
		},
		"what rules cannot rely on": {
			spec: nsmv1beta1.NSMSpec{Forwarders: []nsmv1beta1.ForwarderSpec{{Name: "nsmgr"}}},
			want: []string{`spec.forwarders[0].type: Required value`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := check(t, test.spec); !slices.Equal(got, test.want) {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}

// TestReservedNames: no forwarder can have the name of anything that the
// renderer makes beside forwarders, in any release.
func TestReservedNames(t *testing.T) {
	schema, err := apischema.New()
	if err != nil {
		t.Fatal(err)
	}
	nsm := &nsmv1beta1.NSM{Spec: nsmv1beta1.NSMSpec{
		CSIDriver: &nsmv1beta1.CSIDriverSpec{}, Interdomain: &nsmv1beta1.InterdomainSpec{ClusterName: "one"},
		VL3: &nsmv1beta1.VL3Spec{}, Dashboard: &nsmv1beta1.DashboardSpec{},
	}}
	nsm.Name, nsm.Namespace = "mesh", "nsm-system"
	for _, version := range release.Known() {
		known, err := release.Parse(version)
		if err != nil {
			t.Fatal(err)
		}
		for _, component := range mesh.Components(mesh.Input{NSM: nsm, Release: known, Platform: mesh.Platform{ClusterProperties: true}}) {
			if component.Role == mesh.RoleForwarder {
				continue
			}
			for _, object := range mesh.Objects([]mesh.Component{component}) {
				_, isAccount := object.(*corev1.ServiceAccount)
				if !isAccount && object != component.Workload {
					continue
				}
				named := nsm.DeepCopy()
				named.Spec.Forwarders = []nsmv1beta1.ForwarderSpec{{Name: object.GetName(), Type: "vpp"}}
				if errs, err := schema.Check(t.Context(), named); err != nil || len(errs) != 1 {
					t.Errorf("%s: a forwarder named %s is not refused: %v %v", known, object.GetName(), errs, err)
				}
			}
		}
	}
}

// TestReservedNamesOfIPAMs: no IP address manager can have the name of anything that
// the renderer makes beside those and forwarders, Services included.
func TestReservedNamesOfIPAMs(t *testing.T) {
	schema, err := apischema.New()
	if err != nil {
		t.Fatal(err)
	}
	nsm := &nsmv1beta1.NSM{Spec: nsmv1beta1.NSMSpec{
		CSIDriver: &nsmv1beta1.CSIDriverSpec{}, Interdomain: &nsmv1beta1.InterdomainSpec{ClusterName: "one"}, Dashboard: &nsmv1beta1.DashboardSpec{},
	}}
	nsm.Name, nsm.Namespace = "mesh", "nsm-system"
	tried := 0
	for _, component := range mesh.Components(mesh.Input{NSM: nsm, Release: release.Newest(), Platform: mesh.Platform{ClusterProperties: true}}) {
		if component.Role == mesh.RoleForwarder {
			continue
		}
		for _, object := range mesh.Objects([]mesh.Component{component}) {
			switch object.(type) {
			case *corev1.ServiceAccount, *corev1.Service, *appsv1.Deployment, *appsv1.DaemonSet:
			default:
				continue
			}
			tried++
			named := nsm.DeepCopy()
			named.Spec.VL3 = &nsmv1beta1.VL3Spec{IPAMs: []nsmv1beta1.VL3IPAMSpec{{Name: object.GetName()}}}
			if errs, err := schema.Check(t.Context(), named); err != nil || len(errs) != 1 {
				t.Errorf("an IP address manager named %s is not refused: %v %v", object.GetName(), errs, err)
			}
		}
	}
	if tried < 15 {
		t.Errorf("only %d names", tried)
	}
}
