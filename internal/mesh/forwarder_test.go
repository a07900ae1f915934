// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

// render the components of a role.
func render(t *testing.T, role mesh.Role, spec nsmv1beta1.NSMSpec, hashes map[mesh.ConfigFile]string) []mesh.Component {
	t.Helper()
	if spec.Version == "" {
		spec.Version = release.Newest().String()
	}
	nsmRelease, err := release.Parse(spec.Version)
	if err != nil {
		t.Fatal(err)
	}
	nsm := &nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Namespace: "nsm", Name: "mesh"}, Spec: spec}
	var some []mesh.Component
	for _, component := range mesh.Components(mesh.Input{NSM: nsm, Release: nsmRelease, FileHashes: hashes}) {
		if component.Role == role {
			some = append(some, component)
		}
	}
	if len(some) == 0 {
		t.Fatalf("no component is a %s", role)
	}
	return some
}

// Whoever is waited for in the registry has to get there.
func TestWhichForwardersRegister(t *testing.T) {
	env := func(name, value string) nsmv1beta1.ContainerSpec {
		return nsmv1beta1.ContainerSpec{Env: []corev1.EnvVar{{Name: name, Value: value}}}
	}
	vpp := func(container nsmv1beta1.ContainerSpec) []nsmv1beta1.ForwarderSpec {
		return []nsmv1beta1.ForwarderSpec{{
			Type: nsmv1beta1.ForwarderTypeVPP, ComponentSpec: nsmv1beta1.ComponentSpec{ContainerSpec: container},
		}}
	}
	for name, tc := range map[string]struct {
		spec nsmv1beta1.NSMSpec
		want bool
	}{
		"by default":              {nsmv1beta1.NSMSpec{}, true},
		"of type ovs":             {nsmv1beta1.NSMSpec{Forwarders: []nsmv1beta1.ForwarderSpec{{Type: nsmv1beta1.ForwarderTypeOVS}}}, true},
		"of type sriov":           {nsmv1beta1.NSMSpec{Forwarders: []nsmv1beta1.ForwarderSpec{{Type: nsmv1beta1.ForwarderTypeSRIOV}}}, true},
		"in the first release":    {nsmv1beta1.NSMSpec{Version: "v1.0.0"}, false},
		"in the second release":   {nsmv1beta1.NSMSpec{Version: "v1.1.0"}, true},
		"with a memory registry":  {nsmv1beta1.NSMSpec{Registry: &nsmv1beta1.RegistrySpec{Type: nsmv1beta1.RegistryTypeMemory}}, false},
		"under another name":      {nsmv1beta1.NSMSpec{Forwarders: vpp(env("NSM_NAME", "forwarder"))}, false},
		"for another service":     {nsmv1beta1.NSMSpec{Forwarders: vpp(env("NSM_NSNAME", "my-forwarder"))}, false},
		"for the service by name": {nsmv1beta1.NSMSpec{Forwarders: vpp(env("NSM_NSNAME", "forwarder"))}, true},
		"with another log level":  {nsmv1beta1.NSMSpec{Forwarders: vpp(env("NSM_LOG_LEVEL", "TRACE"))}, true},
		"in another namespace":    {nsmv1beta1.NSMSpec{Registry: registryWith(env("NSM_NAMESPACE", "other"))}, false},
		"in an old one's":         {nsmv1beta1.NSMSpec{Version: "v1.6.1", Registry: registryWith(env("REGISTRY_K8S_NAMESPACE", "other"))}, false},
		"with an unread variable": {nsmv1beta1.NSMSpec{Registry: registryWith(env("REGISTRY_K8S_NAMESPACE", "other"))}, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := render(t, mesh.RoleForwarder, tc.spec, nil)[0].Registers; got != tc.want {
				t.Errorf("registers: %t, want %t", got, tc.want)
			}
		})
	}
	for _, role := range []mesh.Role{mesh.RoleRegistry, mesh.RoleManager} {
		if render(t, role, nsmv1beta1.NSMSpec{}, nil)[0].Registers {
			t.Errorf("a %s is no endpoint", role)
		}
	}
}

func registryWith(container nsmv1beta1.ContainerSpec) *nsmv1beta1.RegistrySpec {
	return &nsmv1beta1.RegistrySpec{ComponentSpec: nsmv1beta1.ComponentSpec{ContainerSpec: container}}
}

func TestIsEndpointOf(t *testing.T) {
	for endpoint, want := range map[string]bool{
		"forwarder-vpp-abcde":                                        true,
		"forwarder-vpp-abcde-1234":                                   true,
		"3f2504e0-4f89-11d3-9a0c-0305e82c3301-forwarder-vpp-abcde":   true,
		"3f2504e0-4f89-11d3-9a0c-0305e82c3301-forwarder-vpp-abcdef":  false,
		"another-one-with-a-name-of-that-length-forwarder-vpp-abcde": false,
		"forwarder-vpp-abcdef":                                       false,
		"forwarder-vpp":                                              false,
		"":                                                           false,
	} {
		if got := mesh.IsEndpointOf(endpoint, "forwarder-vpp-abcde"); got != want {
			t.Errorf("%q: %t, want %t", endpoint, got, want)
		}
	}
}

// A forwarder whose name begins like another's has endpoints of its own.
func TestIsEndpointOfAny(t *testing.T) {
	for endpoint, want := range map[string]bool{
		"forwarder-vpp-bcdf2":                                      true,
		"forwarder-vpp-bcdf2-1234":                                 true,
		"3f2504e0-4f89-11d3-9a0c-0305e82c3301-forwarder-vpp-bcdf2": true,
		"forwarder-vpp-xdp-bcdf2":                                  false,
		"forwarder-vpp-debug-bcdf2":                                false,
		"forwarder-bcdf2":                                          false,
		"my-forwarder-vpp-bcdf2":                                   false,
	} {
		if got := mesh.IsEndpointOfAny(endpoint, "forwarder-vpp"); got != want {
			t.Errorf("%q: %t, want %t", endpoint, got, want)
		}
	}
}

// A file's hash is on the pods of the forwarder that reads it, so that another
// file makes other pods.
func TestFileHashes(t *testing.T) {
	file := func(name string) *nsmv1beta1.FileSource {
		return &nsmv1beta1.FileSource{ConfigMap: &nsmv1beta1.ConfigMapKey{Name: name, Key: "file"}}
	}
	spec := nsmv1beta1.NSMSpec{Forwarders: []nsmv1beta1.ForwarderSpec{
		{Type: nsmv1beta1.ForwarderTypeVPP, DeviceSelector: file("devices")},
		{Type: nsmv1beta1.ForwarderTypeOVS, SRIOVConfig: file("sriov"), DeviceSelector: &nsmv1beta1.FileSource{HostPath: "/etc/selector"}},
		// forwarder-sriov reads no device selector.
		{Type: nsmv1beta1.ForwarderTypeSRIOV, SRIOVConfig: file("sriov"), DeviceSelector: file("devices")},
	}}
	devices := mesh.ConfigFile{
		Forwarder: "forwarder-vpp", Annotation: "nsm.networkservicemesh.io/device-selector-hash", ConfigMap: "devices", Key: "file",
	}
	ovs := mesh.ConfigFile{
		Forwarder: "forwarder-ovs", Annotation: "nsm.networkservicemesh.io/sriov-config-hash", ConfigMap: "sriov", Key: "file",
	}
	sriov := ovs
	sriov.Forwarder = "forwarder-sriov"
	if diff := cmp.Diff([]mesh.ConfigFile{devices, ovs, sriov}, mesh.ConfigFiles(&spec)); diff != "" {
		t.Fatal(diff)
	}
	for i, want := range []map[string]string{{devices.Annotation: "1"}, {ovs.Annotation: "2"}, nil} {
		daemonSet, ok := render(t, mesh.RoleForwarder, spec, map[mesh.ConfigFile]string{devices: "1", ovs: "2", sriov: ""})[i].Workload.(*appsv1.DaemonSet)
		if !ok {
			t.Fatal("a forwarder is a DaemonSet")
		}
		if diff := cmp.Diff(want, daemonSet.Spec.Template.Annotations); diff != "" {
			t.Errorf("%s: %s", daemonSet.Name, diff)
		}
	}
}

// The images of memory registries hold a program to ask them, from some release on.
func TestRegistryProbe(t *testing.T) {
	for version, want := range map[string]bool{"v1.7.1": false, "v1.8.0": true, "v1.18.0": true} {
		for _, registryType := range []nsmv1beta1.RegistryType{nsmv1beta1.RegistryTypeK8s, nsmv1beta1.RegistryTypeMemory} {
			spec := nsmv1beta1.NSMSpec{Version: version, Registry: &nsmv1beta1.RegistrySpec{Type: registryType}}
			deployment, ok := render(t, mesh.RoleRegistry, spec, nil)[0].Workload.(*appsv1.Deployment)
			if !ok {
				t.Fatal("a registry is a Deployment")
			}
			container := deployment.Spec.Template.Spec.Containers[0]
			asked := container.ReadinessProbe.Exec != nil
			if asked != (want && registryType == nsmv1beta1.RegistryTypeMemory) {
				t.Errorf("%s %s: its server is asked: %t", version, registryType, asked)
			}
			if container.LivenessProbe != nil {
				t.Errorf("%s %s: nothing restarts a registry, which would lose its entries", version, registryType)
			}
		}
	}
}

// Of the forwarders with tunnels only vpp finds an address itself; ovs does not
// start without one, whatever has come past the schema.
func TestTunnelIP(t *testing.T) {
	for forwarder, want := range map[nsmv1beta1.ForwarderType]map[nsmv1beta1.TunnelIP]bool{
		nsmv1beta1.ForwarderTypeVPP:   {"": true, nsmv1beta1.TunnelIPNode: true, nsmv1beta1.TunnelIPAuto: false},
		nsmv1beta1.ForwarderTypeOVS:   {"": true, nsmv1beta1.TunnelIPNode: true, nsmv1beta1.TunnelIPAuto: true},
		nsmv1beta1.ForwarderTypeSRIOV: {"": false, nsmv1beta1.TunnelIPNode: false, nsmv1beta1.TunnelIPAuto: false},
	} {
		for tunnelIP, given := range want {
			daemonSet, ok := render(t, mesh.RoleForwarder, nsmv1beta1.NSMSpec{
				Forwarders: []nsmv1beta1.ForwarderSpec{{Type: forwarder, TunnelIP: tunnelIP}},
			}, nil)[0].Workload.(*appsv1.DaemonSet)
			if !ok {
				t.Fatal("a forwarder is no DaemonSet")
			}
			got := slices.ContainsFunc(daemonSet.Spec.Template.Spec.Containers[0].Env, func(e corev1.EnvVar) bool { return e.Name == "NSM_TUNNEL_IP" })
			if got != given {
				t.Errorf("%s with tunnelIP %q is given an address: %t, want %t", forwarder, tunnelIP, got, given)
			}
		}
	}
}
