package main

import (
	"context"
	"errors"
	"net/http"
	"path"
	"slices"
	"strings"
)

const endpointComponent = "nse"

// registerServices plays the part of NSM's endpoints, which register their services when they start, and only then: at the
// manager of their node, which asks the registry of its mesh. One of type k8s keeps a service as a NetworkService without
// labels, or changes the spec of the one that is there, and nobody deletes it.
func (r *registrar) registerServices(ctx context.Context, pods []pod) error {
	var errs []error
	for _, p := range pods {
		if !p.isEndpoint() || r.endpoints[p.Metadata.objectName] {
			continue
		}
		registry := registryFor(p, pods)
		if registry == "" {
			continue
		}
		isDone := true
		for _, name := range p.services() {
			err := r.registerService(ctx, objectName{registry, name})
			isDone = isDone && err == nil
			errs = append(errs, unlessAway(err))
		}
		if isDone {
			r.endpoints[p.Metadata.objectName] = true
		}
	}
	return errors.Join(errs...)
}

func (r *registrar) registerService(ctx context.Context, name objectName) error {
	service := object{
		"apiVersion": "networkservicemesh.io/v1", "kind": "NetworkService",
		"metadata": object{"name": name.Name, "namespace": name.Namespace},
		"spec":     object{"name": name.Name, "payload": "ETHERNET"},
	}
	err := r.api.create(ctx, name.services(), service)
	if statusOf(err) == http.StatusConflict {
		err = r.api.merge(ctx, name.services()+"/"+name.Name, service)
	}
	return err
}

// registryFor the endpoint is the namespace of the mesh on its node, "" where there is none, or one whose registry keeps
// nothing in the cluster or is not Ready.
func registryFor(endpoint pod, pods []pod) string {
	for _, p := range pods {
		if !p.isForwarder() || p.Spec.NodeName != endpoint.Spec.NodeName {
			continue
		}
		isIts := func(other pod) bool { return other.isRegistry() && other.Metadata.Namespace == p.Metadata.Namespace }
		if slices.ContainsFunc(pods, isIts) {
			return p.Metadata.Namespace
		}
	}
	return ""
}

// isEndpoint reports whether the pod is one of NSM's own endpoints.
func (p pod) isEndpoint() bool {
	return p.Metadata.Labels[componentLabel] == endpointComponent && p.works() && p.endpoint() != nil
}

func (p pod) endpoint() *container {
	for i, c := range p.Spec.Containers {
		if strings.HasPrefix(path.Base(c.Image), "cmd-nse-") {
			return &p.Spec.Containers[i]
		}
	}
	return nil
}

// services that the endpoint registers, by what its environment says.
func (p pod) services() []string {
	var names []string
	for _, v := range p.endpoint().Env {
		switch v.Name {
		case "NSM_REGISTER_SERVICE":
			if v.Value == "false" {
				return nil
			}
		case "NSM_SERVICE_NAMES", "NSE_SERVICE_NAME": // the latter in v1.0.0
			names = strings.Split(v.Value, ",")
		}
	}
	return names
}

// services is where the namespace's NetworkServices are.
func (n objectName) services() string {
	return "/apis/networkservicemesh.io/v1/namespaces/" + n.Namespace + "/networkservices"
}
