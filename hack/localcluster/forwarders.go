package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// registerInterval is how often it is looked whether a registration has to be renewed or has expired. Forwarders
	// register as soon as they are Ready.
	registerInterval = 500 * time.Millisecond
	// parallelWrites is how many registrations are written at a time.
	parallelWrites = 8
	// registrationLifetime is how long a registration holds, and renewWithin what is left of it when a forwarder renews
	// it: NSM does so after two thirds of the lifetime (sdk, registry/common/refresh).
	registrationLifetime = time.Minute
	renewWithin          = registrationLifetime / 3

	componentLabel = "app.kubernetes.io/component"
	// registersAnnotation with the value "false" makes a forwarder that is Ready and never registers.
	registersAnnotation = "localcluster/registers"

	podsPath      = "/api/v1/pods?labelSelector=app.kubernetes.io%2Fcomponent+in+%28forwarder%2Cregistry%2Cadmission-webhook%2Cnse%29"
	endpointsPath = "/apis/networkservicemesh.io/v1/networkserviceendpoints?"
)

// registrar stands in for what runs in the pods of a mesh: forwarders and admission webhooks that register themselves,
// endpoints that register their services, and the registry of type k8s, which keeps every registration of a forwarder as a
// NetworkServiceEndpoint, deletes it when it has expired, and keeps a service for ever.
type registrar struct {
	api  *api
	log  io.Writer
	said string // what the last look's error was
	pods *mirror[pod]
	// entries are followed once there is a forwarder, so that a cluster without a mesh is left in peace.
	entries *mirror[entry]
	// woken has something in it when there is something new.
	woken chan struct{}
	// webhooks are the pods of admission webhooks that have registered themselves.
	webhooks map[objectName]bool
	// endpoints are the pods of endpoints that have registered their services.
	endpoints map[objectName]bool
}

func newRegistrar(api *api, log io.Writer) *registrar {
	r := &registrar{
		api: api, log: log, woken: make(chan struct{}, 1), webhooks: map[objectName]bool{}, endpoints: map[objectName]bool{},
	}
	r.pods = &mirror[pod]{api: api, path: podsPath, nameOf: func(p pod) objectName { return p.Metadata.objectName }, changed: r.wake}
	r.entries = &mirror[entry]{
		api: api, path: endpointsPath, nameOf: func(e entry) objectName { return e.Metadata }, wanted: r.hasForwarders, changed: r.wake,
	}
	return r
}

// startForwarders starts the stand-in. It ends with the cluster's context.
func (c *cluster) startForwarders() error {
	log, err := createLog(c.path("log", "forwarders.log"))
	if err != nil {
		return err
	}
	r := newRegistrar(c.api, log)
	c.background.Go(func() {
		defer log.Close()
		r.run(c.ctx)
	})
	return nil
}

func (r *registrar) run(ctx context.Context) {
	var mirrors sync.WaitGroup
	defer mirrors.Wait()
	mirrors.Go(func() { r.pods.run(ctx) })
	mirrors.Go(func() { r.entries.run(ctx) })
	ticker := time.NewTicker(registerInterval)
	defer ticker.Stop()
	for {
		err := r.look(ctx)
		if ctx.Err() != nil {
			return
		}
		r.note(err)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-r.woken:
		}
	}
}

// wake has the registrar look again at once.
func (r *registrar) wake() {
	select {
	case r.woken <- struct{}{}:
	default:
	}
}

func (r *registrar) hasForwarders() bool {
	pods, _, _ := r.pods.list()
	return slices.ContainsFunc(pods, pod.isForwarder)
}

// note writes an error to the log unless the look before had the same.
func (r *registrar) note(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != "" && text != r.said {
		fmt.Fprintln(r.log, time.Now().Format(time.RFC3339), text)
	}
	r.said = text
}

// look does once what is due.
func (r *registrar) look(ctx context.Context) error {
	pods, _, podsErr := r.pods.list()
	entries, isKnown, entriesErr := r.entries.list()
	errs := []error{podsErr, entriesErr, r.registerWebhooks(ctx, pods), r.registerServices(ctx, pods)}
	if isKnown {
		now := time.Now()
		errs = append(errs, r.write(ctx, plan(pods, entries, now), now.Add(registrationLifetime)))
	}
	return errors.Join(errs...)
}

// write makes the changes. One that fails is due again at the next look, and does not keep the others from being made.
func (r *registrar) write(ctx context.Context, due changes, expiration time.Time) error {
	var writes []func() error
	for _, p := range due.create {
		writes = append(writes, func() error { return r.api.create(ctx, p.Metadata.endpoints(), registration(p, expiration)) })
	}
	for _, p := range due.renew {
		writes = append(writes, func() error { return r.api.merge(ctx, p.Metadata.endpoint(), registration(p, expiration)) })
	}
	for _, e := range due.delete {
		writes = append(writes, func() error { return r.api.delete(ctx, e.Metadata.endpoint()) })
	}
	errs := make([]error, len(writes))
	var group sync.WaitGroup
	slots := make(chan struct{}, parallelWrites)
	for i, write := range writes {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			errs[i] = unlessAway(write())
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

// unlessAway drops the error of what is not there: an entry that somebody else has deleted, or the kind before its
// definition or while the API server prepares its storage ("too many requests"); and that of an entry that is there, which
// the watch has not told of yet.
func unlessAway(err error) error {
	switch statusOf(err) {
	case http.StatusNotFound, http.StatusTooManyRequests, http.StatusConflict:
		return nil
	}
	return err
}

// changes are what is due: pods whose registration is to be made or renewed, and entries that have expired.
type changes struct {
	create, renew []pod
	delete        []entry
}

// plan says what is due. Nothing is in a namespace whose registry is not Ready. An entry without a forwarder is not
// touched until it has expired, as after a forwarder's death.
func plan(pods []pod, entries []entry, now time.Time) changes {
	registries := map[string]bool{}
	for _, p := range pods {
		if p.isRegistry() {
			registries[p.Metadata.Namespace] = true
		}
	}
	known := map[objectName]entry{}
	for _, e := range entries {
		known[e.Metadata] = e
	}
	var due changes
	for _, p := range pods {
		if !registries[p.Metadata.Namespace] || !p.registers() {
			continue
		}
		e, exists := known[p.Metadata.objectName]
		delete(known, p.Metadata.objectName) // what is left in the end are the entries that nobody renews
		switch {
		case !exists:
			due.create = append(due.create, p)
		case e.expiration().Sub(now) < renewWithin:
			due.renew = append(due.renew, p)
		}
	}
	for _, e := range entries {
		if _, left := known[e.Metadata]; left && registries[e.Metadata.Namespace] && e.expired(now) {
			due.delete = append(due.delete, e)
		}
	}
	return due
}

// registration is the NetworkServiceEndpoint of a forwarder. Its spec is NSM's protobuf message as encoding/json writes
// it, which is how the registry stores it.
func registration(p pod, expiration time.Time) object {
	return object{
		"apiVersion": "networkservicemesh.io/v1", "kind": "NetworkServiceEndpoint",
		"metadata": object{"name": p.Metadata.Name, "namespace": p.Metadata.Namespace},
		"spec": object{
			"name":                  p.Metadata.Name,
			"network_service_names": []string{"forwarder"},
			"url":                   fmt.Sprintf("tcp://%s:5001", p.Status.HostIP),
			"expiration_time":       timestamp{expiration.Unix(), expiration.Nanosecond()},
		},
	}
}

// timestamp is a protobuf timestamp as encoding/json writes it.
type timestamp struct {
	Seconds int64 `json:"seconds,omitempty"`
	Nanos   int   `json:"nanos,omitempty"`
}

type objectName struct{ Namespace, Name string }

// endpoints is where the namespace's registrations are.
func (n objectName) endpoints() string {
	return "/apis/networkservicemesh.io/v1/namespaces/" + n.Namespace + "/networkserviceendpoints"
}

// endpoint is where the registration of that name is.
func (n objectName) endpoint() string { return n.endpoints() + "/" + n.Name }

// entry is a NetworkServiceEndpoint, of whomever. Its spec may hold anything.
type entry struct {
	Metadata objectName
	Spec     json.RawMessage
}

// expiration is the zero time when the entry does not tell.
func (e entry) expiration() time.Time {
	var spec struct {
		ExpirationTime *timestamp `json:"expiration_time"`
	}
	if err := json.Unmarshal(e.Spec, &spec); err != nil || spec.ExpirationTime == nil {
		return time.Time{}
	}
	return time.Unix(spec.ExpirationTime.Seconds, int64(spec.ExpirationTime.Nanos))
}

func (e entry) expired(now time.Time) bool {
	expiration := e.expiration()
	return !expiration.IsZero() && !now.Before(expiration)
}

// pod is the part of a pod that tells what it is to a mesh.
type pod struct {
	Metadata struct {
		objectName
		DeletionTimestamp   string
		Labels, Annotations map[string]string
	}
	Spec struct {
		NodeName   string
		Containers []container
	}
	Status struct {
		HostIP     string
		Conditions []condition
	}
}

type (
	container struct {
		Image string
		Env   []variable
	}
	variable  struct{ Name, Value string }
	condition struct{ Type, Status string }
)

// works reports whether what is in the pod would be at work.
func (p pod) works() bool {
	return p.Metadata.DeletionTimestamp == "" && slices.Contains(p.Status.Conditions, condition{"Ready", "True"})
}

func (p pod) isForwarder() bool { return p.Metadata.Labels[componentLabel] == "forwarder" && p.works() }

func (p pod) registers() bool {
	return p.isForwarder() && p.Metadata.Annotations[registersAnnotation] != "false"
}

// isRegistry reports whether the pod is a registry that keeps its entries in the cluster; the other kind, which keeps
// them in memory, differs in its image alone.
func (p pod) isRegistry() bool {
	return p.Metadata.Labels[componentLabel] == "registry" && p.works() &&
		slices.ContainsFunc(p.Spec.Containers, func(c container) bool {
			return strings.Contains(path.Base(c.Image), "registry-k8s")
		})
}
