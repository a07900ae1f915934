// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package report

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// Registered is what was read for a topology.
type Registered struct {
	// Services and Endpoints are the registry's entries.
	Services, Endpoints []unstructured.Unstructured
	// Pods of the mesh and of clients and endpoints, as far as they may be seen.
	Pods []corev1.Pod
	// Connections that are live, where somebody was asked for them.
	Connections []Connection
	NotSeen     []string
	Now         time.Time
}

// Topology is what registries know: network services, and the endpoints that offer them.
type Topology struct {
	metav1.TypeMeta `json:",inline"`
	// Services are network services.
	Services []Service `json:"services"`
	// Endpoints of the registry, those that have expired included.
	Endpoints []Endpoint `json:"endpoints"`
	// Clients are pods that ask for network services.
	Clients []Client `json:"clients"`
	// Connections that are live, if they were asked for.
	Connections []Connection `json:"connections,omitempty"`
	// NotSeen tells what could not be read, and why.
	NotSeen []string `json:"notSeen,omitempty"`
}

// Service is a network service.
type Service struct {
	// Namespace of the registry's entries.
	Namespace string `json:"namespace"`
	// Name of the network service.
	Name string `json:"name"`
	// Payload is IP or ETHERNET.
	Payload string `json:"payload,omitempty"`
	// Undeclared: endpoints offer it, and there is no NetworkService of its name.
	Undeclared bool `json:"undeclared,omitempty"`
	// Endpoints that offer it, by name.
	Endpoints []string `json:"endpoints"`
	// Live counts those of them that have not expired.
	Live int `json:"live"`
}

// Endpoint is a NetworkServiceEndpoint. Each of its facts comes with its source.
type Endpoint struct {
	// Namespace of the registry's entry.
	Namespace string `json:"namespace"`
	// Name of the endpoint.
	Name string `json:"name"`
	// Services that it offers.
	Services []string `json:"services"`
	// Pod is its own, as namespace/name.
	Pod Fact `json:"pod"`
	// Node that it is on.
	Node Fact `json:"node"`
	// Manager is the pod of the manager through which it is reached.
	Manager Fact `json:"manager"`
	// URL of its manager.
	URL string `json:"url,omitempty"`
	// ExpiresAt is when its entry ends unless it is renewed.
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`
	// Expired: that time is over.
	Expired bool `json:"expired,omitempty"`
	// ExpiredFor is how long ago that was, in seconds, by the API server's clock.
	ExpiredFor int64 `json:"expiredForSeconds,omitempty"`
}

// Fact is a value, and where it is from; empty for one that is not known.
type Fact struct {
	// Value of it.
	Value string `json:"value,omitempty"`
	// Source is path_ids, pod, url or label.
	Source Source `json:"source,omitempty"`
}

// Source of a fact.
type Source string

// The sources, the best first.
const (
	// SourceIdentity: the SPIFFE ID that signed the entry, which no other pod has.
	SourceIdentity Source = "path_ids"
	// SourcePod: a pod that was read.
	SourcePod Source = "pod"
	// SourceURL: the pod that has the address in the entry's URL.
	SourceURL Source = "url"
	// SourceLabel: a label of the entry, which its endpoint or its manager sets.
	SourceLabel Source = "label"
)

// Client is a pod that asks for network services.
type Client struct {
	// Namespace of the pod.
	Namespace string `json:"namespace"`
	// Pod is its name.
	Pod string `json:"pod"`
	// Node that it is on.
	Node string `json:"node,omitempty"`
	// AsksFor are the URLs of the annotation that it has.
	AsksFor string `json:"asksFor"`
	// Names of the network services in them.
	Names []string `json:"services"`
	// Connected are the network services to which a live connection was read; none for not
	// known.
	Connected []string `json:"connected,omitempty"`
}

// entry is the spec of a NetworkServiceEndpoint, as the registry writes it
// (api:pkg/api/registry/registry.pb.go): Go's JSON of a protobuf message.
type entry struct {
	Name     string   `json:"name"`
	Services []string `json:"network_service_names"`
	Labels   map[string]struct {
		Labels map[string]string `json:"labels"`
	} `json:"network_service_labels"`
	URL     string   `json:"url"`
	PathIDs []string `json:"path_ids"`
	Expires *struct {
		Seconds int64 `json:"seconds"`
	} `json:"expiration_time"`
}

// labelNode is the label by which clients, endpoints and managers tell their node.
const labelNode = "nodeName"

// TopologyOf what was read.
func TopologyOf(seen *Registered) *Topology {
	t := &Topology{TypeMeta: TypeOf("Topology"), Services: []Service{}, Endpoints: []Endpoint{}, Clients: []Client{}, NotSeen: seen.NotSeen}
	places := placesOf(seen.Pods)
	for i := range seen.Endpoints {
		t.Endpoints = append(t.Endpoints, places.endpoint(&seen.Endpoints[i], seen.Now))
	}
	slices.SortFunc(t.Endpoints, func(a, b Endpoint) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	t.addServices(seen.Services)
	for i := range seen.Pods {
		if client, is := clientOf(&seen.Pods[i]); is {
			t.Clients = append(t.Clients, client)
		}
	}
	slices.SortFunc(t.Clients, func(a, b Client) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Pod, b.Pod))
	})
	t.connect(seen.Connections)
	return t
}

// IsFine reports whether each endpoint is live, each service has one, and no connection is
// down.
func (t *Topology) IsFine() bool {
	if slices.ContainsFunc(t.Connections, func(c Connection) bool { return !c.Healthy }) {
		return false
	}
	return !slices.ContainsFunc(t.Services, func(s Service) bool { return s.Live == 0 }) &&
		!slices.ContainsFunc(t.Endpoints, func(e Endpoint) bool { return e.Expired })
}

// addServices adds network services with the endpoints that offer them: those that are
// declared, and others that endpoints offer.
func (t *Topology) addServices(declared []unstructured.Unstructured) {
	type key struct{ namespace, name string }
	services := map[key]*Service{}
	for i := range declared {
		payload, _, _ := unstructured.NestedString(declared[i].Object, "spec", "payload")
		name := nameIn(&declared[i])
		services[key{declared[i].GetNamespace(), name}] = &Service{
			Namespace: declared[i].GetNamespace(), Name: name, Payload: payload, Endpoints: []string{},
		}
	}
	for i := range t.Endpoints {
		endpoint := &t.Endpoints[i]
		for _, name := range endpoint.Services {
			at := key{endpoint.Namespace, name}
			if services[at] == nil {
				// Forwarders offer a service that nobody declares.
				services[at] = &Service{Namespace: at.namespace, Name: name, Undeclared: name != mesh.ForwarderService, Endpoints: []string{}}
			}
			services[at].Endpoints = append(services[at].Endpoints, endpoint.Name)
			if !endpoint.Expired {
				services[at].Live++
			}
		}
	}
	for _, service := range services {
		t.Services = append(t.Services, *service)
	}
	slices.SortFunc(t.Services, func(a, b Service) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
}

// nameIn a registry's entry: the registry goes by that in the spec.
func nameIn(object *unstructured.Unstructured) string {
	name, _, _ := unstructured.NestedString(object.Object, "spec", "name")
	return cmp.Or(name, object.GetName())
}

// places are the pods that were read, by what entries know of them.
type places struct {
	byName, byAddress map[string]*corev1.Pod
}

func placesOf(pods []corev1.Pod) places {
	p := places{map[string]*corev1.Pod{}, map[string]*corev1.Pod{}}
	for i := range pods {
		pod := &pods[i]
		p.byName[pod.Namespace+"/"+pod.Name] = pod
		// Pods on the network of their node share its address.
		if pod.Spec.HostNetwork {
			continue
		}
		for _, address := range pod.Status.PodIPs {
			p.byAddress[address.IP] = pod
		}
	}
	return p
}

// endpoint is what an entry, and the pods behind it, tell.
func (p places) endpoint(object *unstructured.Unstructured, now time.Time) Endpoint {
	spec := entryOf(object)
	e := Endpoint{Namespace: object.GetNamespace(), Name: cmp.Or(spec.Name, object.GetName()), Services: spec.Services, URL: spec.URL}
	if e.Services == nil {
		e.Services = []string{}
	}
	if spec.Expires != nil {
		e.ExpiresAt = &metav1.Time{Time: time.Unix(spec.Expires.Seconds, 0).UTC()}
		if e.Expired = e.ExpiresAt.Time.Before(now); e.Expired {
			e.ExpiredFor = int64(now.Sub(e.ExpiresAt.Time).Seconds())
		}
	}
	if len(spec.PathIDs) > 0 {
		e.Pod = Fact{podIn(spec.PathIDs[0]), SourceIdentity}
	}
	if len(spec.PathIDs) > 1 {
		e.Manager = Fact{podIn(spec.PathIDs[1]), SourceIdentity}
	}
	if pod := p.byName[e.Namespace+"/"+e.Name]; e.Pod.Value == "" && pod != nil {
		// A forwarder registers by the name of its pod.
		e.Pod = Fact{pod.Namespace + "/" + pod.Name, SourcePod}
	}
	if manager := p.byAddress[hostIn(spec.URL)]; e.Manager.Value == "" && manager != nil {
		e.Manager = Fact{manager.Namespace + "/" + manager.Name, SourceURL}
	}
	e.Node = p.node(&e, spec)
	for _, fact := range []*Fact{&e.Pod, &e.Manager, &e.Node} {
		if fact.Value == "" {
			fact.Source = ""
		}
	}
	return e
}

// node of an endpoint: that of its pod, else that of its manager, else what a label says.
func (p places) node(e *Endpoint, spec entry) Fact {
	if pod := p.byName[e.Pod.Value]; pod != nil && pod.Spec.NodeName != "" {
		return Fact{pod.Spec.NodeName, SourcePod}
	}
	if pod := p.byName[e.Manager.Value]; pod != nil && pod.Spec.NodeName != "" {
		return Fact{pod.Spec.NodeName, e.Manager.Source}
	}
	for _, service := range slices.Sorted(maps.Keys(spec.Labels)) {
		if node := spec.Labels[service].Labels[labelNode]; node != "" {
			return Fact{node, SourceLabel}
		}
	}
	return Fact{}
}

// entryOf an object; what cannot be read of it is left out.
func entryOf(object *unstructured.Unstructured) entry {
	var spec entry
	data, err := json.Marshal(object.Object["spec"])
	if err != nil || json.Unmarshal(data, &spec) != nil {
		names, _, _ := unstructured.NestedStringSlice(object.Object, "spec", "network_service_names")
		return entry{Services: names}
	}
	return spec
}

// podIn a SPIFFE ID is the namespace and name of a pod, as the operator's and NSM's own
// registrations have them: spiffe://<trust domain>/ns/<namespace>/pod/<name>. "" for any
// other ID.
func podIn(id string) string {
	parsed, err := url.Parse(id)
	if err != nil {
		return ""
	}
	parts := strings.Split(strings.TrimPrefix(parsed.Path, "/"), "/")
	if len(parts) != 4 || parts[0] != "ns" || parts[2] != "pod" {
		return ""
	}
	return parts[1] + "/" + parts[3]
}

// hostIn a URL such as tcp://10.0.0.1:5001.
func hostIn(text string) string {
	parsed, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return parsed.Hostname()
}

// clientOf a pod that asks for NSM.
func clientOf(pod *corev1.Pod) (Client, bool) {
	asks := pod.Annotations[mesh.ClientAnnotation]
	if asks == "" {
		return Client{}, false
	}
	c := Client{Namespace: pod.Namespace, Pod: pod.Name, Node: pod.Spec.NodeName, AsksFor: asks, Names: []string{}}
	for one := range strings.SplitSeq(asks, ",") {
		// kernel://service@domain/interface?label=value
		if parsed, err := url.Parse(strings.TrimSpace(one)); err == nil {
			name := parsed.Host
			if parsed.User != nil {
				name = parsed.User.Username()
			}
			if name != "" {
				c.Names = append(c.Names, name)
			}
		}
	}
	return c, true
}
