// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package preflight_test

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/preflight"
)

// withEnv is a component with these variables of its own, a name before each value.
func withEnv(pairs ...string) nsmv1beta1.ComponentSpec {
	var env []corev1.EnvVar
	for i := 0; i < len(pairs); i += 2 {
		env = append(env, corev1.EnvVar{Name: pairs[i], Value: pairs[i+1]})
	}
	return nsmv1beta1.ComponentSpec{ContainerSpec: nsmv1beta1.ContainerSpec{Env: env}}
}

// Programs hang without their collector, whatever its address comes from.
func TestCollectorsAreThoseThatProgramsCall(t *testing.T) {
	t.Parallel()
	to := func(endpoint string) *nsmv1beta1.TelemetrySpec {
		return &nsmv1beta1.TelemetrySpec{OpenTelemetry: &nsmv1beta1.OpenTelemetrySpec{Endpoint: endpoint}}
	}
	registry := func(pairs ...string) *nsmv1beta1.RegistrySpec {
		return &nsmv1beta1.RegistrySpec{ComponentSpec: withEnv(pairs...)}
	}
	const usual = "observability/otel-collector"
	for name, test := range map[string]struct {
		spec     nsmv1beta1.NSMSpec
		services []string
	}{
		"no telemetry":                 {nsmv1beta1.NSMSpec{}, nil},
		"NSM's own address":            {nsmv1beta1.NSMSpec{Telemetry: to("")}, []string{usual}},
		"an address of its own":        {nsmv1beta1.NSMSpec{Telemetry: to("collector:4317")}, []string{"nsm/collector"}},
		"an address outside":           {nsmv1beta1.NSMSpec{Telemetry: to("collector.example.com:4317")}, nil},
		"a component's own address":    {nsmv1beta1.NSMSpec{Telemetry: to(""), Registry: registry("NSM_OPEN_TELEMETRY_ENDPOINT", "other.x:4317")}, []string{usual, "x/other"}},
		"a component that has none":    {nsmv1beta1.NSMSpec{Telemetry: to("collector:4317"), Registry: registry("TELEMETRY", "false", "NSM_OPEN_TELEMETRY_ENDPOINT", "other.x:4317")}, []string{"nsm/collector"}},
		"a component that alone has":   {nsmv1beta1.NSMSpec{Registry: registry("TELEMETRY", "true")}, []string{usual}},
		"an address without telemetry": {nsmv1beta1.NSMSpec{Registry: registry("NSM_OPEN_TELEMETRY_ENDPOINT", "other.x:4317")}, nil},
	} {
		g := NewWithT(t)
		facts := good()
		withMesh(facts, test.spec)
		g.Expect(facts.Meshes[0].Collectors()).To(Equal(test.services), name)
		result := resultOf(preflight.Run(facts), "NSM011")
		if test.services == nil {
			g.Expect(result.Outcome).To(Equal(preflight.Skipped), name)
			continue
		}
		g.Expect(result.Outcome).To(Equal(preflight.Failed), name)
		facts.Collectors = map[string][]discoveryv1.EndpointSlice{}
		for _, service := range test.services {
			facts.Collectors[service] = []discoveryv1.EndpointSlice{{Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.1"}}}}}
		}
		g.Expect(resultOf(preflight.Run(facts), "NSM011").Outcome).To(Equal(preflight.OK), name)
	}
}

// Behind a Service a policy knows the pods of its namespace alone.
func TestPoliciesThatCutTelemetryOff(t *testing.T) {
	t.Parallel()
	isolated := func(spec nsmv1beta1.NSMSpec) nsmv1beta1.NSMSpec {
		spec.NetworkPolicy = nsmv1beta1.NetworkPolicyManaged
		spec.Telemetry = &nsmv1beta1.TelemetrySpec{OpenTelemetry: &nsmv1beta1.OpenTelemetrySpec{Endpoint: "collector.observability.svc:4317"}}
		return spec
	}
	memory := nsmv1beta1.NSMSpec{Registry: &nsmv1beta1.RegistrySpec{Type: nsmv1beta1.RegistryTypeMemory}}
	without := isolated(memory)
	without.NetworkPolicy = nsmv1beta1.NetworkPolicyNone
	pod := &corev1.ObjectReference{Kind: "Pod"}
	const says = "mesh nsm/mesh: spec.networkPolicy keeps Deployment nsm-registry from Service observability/collector, to which its telemetry goes: it leads to port 14317"
	for name, test := range map[string]struct {
		spec    nsmv1beta1.NSMSpec
		port    int32
		address string
		target  *corev1.ObjectReference
		change  func(*preflight.Facts)
		says    string
	}{
		"a pod on its node's network":                  {isolated(memory), 14317, "192.0.2.1", pod, nil, says},
		"a pod on its node's network, by what it says": {isolated(memory), 14317, "192.0.2.2", pod, func(f *preflight.Facts) { f.Pods[0].Spec.HostNetwork = true }, says},
		"outside of the cluster":                       {isolated(memory), 14317, "192.0.2.3", nil, nil, says},
		"outside, where pods cannot be seen": {isolated(memory), 14317, "192.0.2.3", nil, func(f *preflight.Facts) {
			f.Pods, f.Unseen = nil, map[preflight.Part]string{preflight.PartPods: "forbidden"}
		}, ""},
		"on its node's network, with the same port": {isolated(memory), 4317, "192.0.2.1", pod, nil, ""},
		"a pod of its own":                          {isolated(memory), 14317, "192.0.2.2", pod, nil, ""},
		"a registry that may call the API server":   {isolated(nsmv1beta1.NSMSpec{}), 14317, "192.0.2.1", pod, nil, ""},
		"no policy": {without, 14317, "192.0.2.1", pod, nil, ""},
	} {
		g := NewWithT(t)
		facts := good()
		withMesh(facts, test.spec)
		facts.Nodes[0].Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "192.0.2.1"}}
		facts.Pods[0].Status.PodIP = "192.0.2.2"
		facts.Collectors = map[string][]discoveryv1.EndpointSlice{"observability/collector": {{
			Ports:     []discoveryv1.EndpointPort{{Port: ptr.To(test.port)}},
			Endpoints: []discoveryv1.Endpoint{{Addresses: []string{test.address}, TargetRef: test.target}},
		}}}
		if test.change != nil {
			test.change(facts)
		}
		result := resultOf(preflight.Run(facts), "NSM011")
		if test.says == "" {
			g.Expect(result.Outcome).To(Equal(preflight.OK), "%s: %s", name, result.Message)
			continue
		}
		g.Expect(result.Outcome).To(Equal(preflight.Warning), name)
		g.Expect(result.Message).To(HavePrefix(test.says), name)
	}
}

// A port of a node is had by one alone, whatever a forwarder's address comes from.
func TestPortsOfPrometheus(t *testing.T) {
	t.Parallel()
	on := &nsmv1beta1.TelemetrySpec{Prometheus: &nsmv1beta1.PrometheusSpec{Enabled: ptr.To(true)}}
	two := func(changes ...func(*nsmv1beta1.ForwarderSpec)) nsmv1beta1.NSMSpec {
		forwarders := []nsmv1beta1.ForwarderSpec{{Type: "vpp"}, {Type: "vpp", Name: "other"}}
		for i, change := range changes {
			change(&forwarders[i])
		}
		return nsmv1beta1.NSMSpec{Telemetry: on, Forwarders: forwarders}
	}
	with := func(pairs ...string) func(*nsmv1beta1.ForwarderSpec) {
		return func(f *nsmv1beta1.ForwarderSpec) { f.ComponentSpec = withEnv(pairs...) }
	}
	at := func(pool string) func(*nsmv1beta1.ForwarderSpec) {
		return func(f *nsmv1beta1.ForwarderSpec) { f.NodeSelector = map[string]string{"pool": pool} }
	}
	pod := func(node string, change func(*corev1.Pod)) func(*preflight.Facts) {
		return func(f *preflight.Facts) {
			pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "web", Name: "proxy"}, Spec: corev1.PodSpec{
				NodeName: node, HostNetwork: true, Containers: []corev1.Container{{}},
			}}
			change(&pod)
			f.Pods = append(f.Pods, pod)
		}
	}
	declares := func(port int32) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Spec.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: port}} }
	}
	serves := func(p *corev1.Pod) {
		p.Labels = map[string]string{mesh.LabelComponent: string(mesh.RoleForwarder), mesh.LabelNSM: "another", mesh.LabelNamespace: "web"}
		p.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "PROMETHEUS", Value: "true"}}
	}
	pools := func(f *preflight.Facts) {
		f.Nodes[0].Labels["pool"] = "blue"
		two := f.Nodes[0].DeepCopy()
		two.Name, two.Labels["pool"] = "two", "green"
		f.Nodes = append(f.Nodes, *two)
	}
	unseen := func(f *preflight.Facts) {
		f.Nodes, f.Unseen = nil, map[preflight.Part]string{preflight.PartNodes: "forbidden"}
	}
	const both = "forwarders forwarder-vpp and other serve Prometheus on the same port of their nodes, "
	const taken = "forwarder forwarder-vpp serves Prometheus on port 8081 of its nodes, and pod web/proxy has it on node one"
	one := nsmv1beta1.NSMSpec{Telemetry: on}
	for name, test := range map[string]struct {
		spec   nsmv1beta1.NSMSpec
		change func(*preflight.Facts)
		says   string
	}{
		"two":                                 {two(), nil, both + "8081"},
		"two with the same port of their own": {two(with("NSM_PROMETHEUS_LISTEN_ON", ":9000"), with("NSM_PROMETHEUS_LISTEN_ON", "0.0.0.0:9000")), nil, both + "9000"},
		"two with ports of their own":         {two(with("NSM_PROMETHEUS_LISTEN_ON", ":9000")), nil, ""},
		"two, of which one serves none":       {two(with("PROMETHEUS", "false")), nil, ""},
		"two on the same nodes":               {two(at("blue"), at("blue")), pools, both + "8081"},
		"two on other nodes":                  {two(at("blue"), at("green")), pools, ""},
		"two, where nodes are not seen":       {two(at("blue")), unseen, both + "8081"},
		"two on other nodes that are unseen":  {two(at("blue"), at("green")), unseen, ""},
		"two of a release without metrics":    {func() nsmv1beta1.NSMSpec { s := two(); s.Version = "v1.13.0"; return s }(), nil, ""},
		"somebody's pod":                      {one, pod("one", declares(8081)), taken},
		"somebody's pod on another port":      {one, pod("one", declares(8082)), ""},
		"somebody's pod, without metrics":     {nsmv1beta1.NSMSpec{}, pod("one", declares(8081)), ""},
		"somebody's pod on another node": {
			nsmv1beta1.NSMSpec{Telemetry: on, Forwarders: two(at("blue")).Forwarders[:1]}, func(f *preflight.Facts) { pools(f); pod("two", declares(8081))(f) }, "",
		},
		"a forwarder of another mesh": {one, pod("one", serves), taken},
	} {
		g := NewWithT(t)
		facts := good()
		withMesh(facts, test.spec)
		if test.change != nil {
			test.change(facts)
		}
		result := resultOf(preflight.Run(facts), "NSM010")
		if test.says == "" {
			g.Expect(result.Outcome).To(Equal(preflight.OK), "%s: %s", name, result.Message)
			continue
		}
		g.Expect(result.Outcome).To(Equal(preflight.Warning), name)
		g.Expect(result.Message).To(ContainSubstring(test.says), name)
	}
}
