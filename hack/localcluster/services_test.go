package main

import (
	"net/http"
	"slices"
	"testing"
)

const servicesInA = "/apis/networkservicemesh.io/v1/namespaces/a/networkservices"

func onNode(name string) func(*pod) {
	return func(p *pod) { p.Spec.NodeName = name }
}

// endpointPod is in another namespace than the mesh.
func endpointPod(env []variable) pod {
	return forwarderPod("e", inNamespace("b"), onNode("node-1"), func(p *pod) {
		p.Metadata.Labels = map[string]string{componentLabel: endpointComponent}
		p.Spec.Containers = []container{{Image: "sidecar"}, {Image: "example.com/cmd-nse-icmp-responder:v1", Env: env}}
	})
}

func TestServices(t *testing.T) {
	create, one, two := "POST "+servicesInA, "PATCH "+servicesInA+"/one", "PATCH "+servicesInA+"/two"
	f := &fakeAPI{}
	endpoint := endpointPod([]variable{{"NSM_SERVICE_NAMES", "one,two"}})
	r := startRegistrar(t, f, []pod{endpoint, registryPod(registryImage)})
	r.entries.items = nil // of forwarders, which are not looked at here
	for _, step := range []struct {
		name   string
		node   string
		status int
		want   []string
	}{
		{"no mesh on its node", "node-2", 0, nil},
		{"the kind is not served yet", "node-1", http.StatusNotFound, []string{create, create}},
		{"somebody has made the services", "node-1", http.StatusConflict, []string{create, one, create, two}},
		{"only once", "node-1", 0, nil},
	} {
		r.pods.items[objectName{"a", "f"}] = forwarderPod("f", onNode(step.node))
		f.requests, f.broken = nil, map[string]int{create: step.status}
		must(t, r.look(t.Context()))
		if !slices.Equal(f.requests, step.want) {
			t.Errorf("%s: %q, want %q", step.name, f.requests, step.want)
		}
	}
}

func TestServicesOfAnEndpoint(t *testing.T) {
	for name, test := range map[string]struct {
		env  []variable
		want []string
	}{
		"by the newer name":   {[]variable{{"NSM_SERVICE_NAMES", "one,two"}}, []string{"one", "two"}},
		"by the older name":   {[]variable{{"NSE_SERVICE_NAME", "one"}}, []string{"one"}},
		"told not to":         {[]variable{{"NSM_SERVICE_NAMES", "one"}, {"NSM_REGISTER_SERVICE", "false"}}, nil},
		"told to, in so much": {[]variable{{"NSM_REGISTER_SERVICE", "true"}, {"NSM_SERVICE_NAMES", "one"}}, []string{"one"}},
	} {
		p := endpointPod(test.env)
		if got := p.services(); !p.isEndpoint() || !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
