package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const registryImage = "example.com/nsm/cmd-registry-k8s:v1"

// forwarderPod is a pod of a mesh that is at work; changes make it another.
func forwarderPod(name string, changes ...func(*pod)) pod {
	var p pod
	p.Metadata.objectName = objectName{Namespace: "a", Name: name}
	p.Metadata.Labels = map[string]string{componentLabel: "forwarder"}
	p.Spec.Containers = []container{{Image: "example.com/nsm/cmd-forwarder-vpp:v1"}}
	p.Status.Conditions = []condition{{"Initialized", "True"}, {"Ready", "True"}}
	for _, change := range changes {
		change(&p)
	}
	return p
}

func registryPod(image string, changes ...func(*pod)) pod {
	return forwarderPod("registry", append([]func(*pod){func(p *pod) {
		p.Metadata.Labels = map[string]string{componentLabel: "registry"}
		p.Spec.Containers = []container{{Image: "example.com/sidecar"}, {Image: image}}
	}}, changes...)...)
}

func inNamespace(namespace string) func(*pod) {
	return func(p *pod) { p.Metadata.Namespace = namespace }
}

func terminating(p *pod) { p.Metadata.DeletionTimestamp = "2026-01-01T00:00:00Z" }

func notReady(p *pod) { p.Status.Conditions = []condition{{"Initialized", "True"}, {"Ready", "False"}} }

func annotated(value string) func(*pod) {
	return func(p *pod) { p.Metadata.Annotations = map[string]string{registersAnnotation: value} }
}

// entryUntil is an entry in the pods' namespace.
func entryUntil(name string, expiration time.Time) entry {
	spec, _ := json.Marshal(registration(forwarderPod(name), expiration)["spec"])
	return entry{Metadata: objectName{Namespace: "a", Name: name}, Spec: spec}
}

func TestPlan(t *testing.T) {
	now := time.Unix(1800000000, 500)
	in := func(left time.Duration) time.Time { return now.Add(left) }
	registry := registryPod(registryImage)
	forwarder := forwarderPod("f")
	for name, test := range map[string]struct {
		pods    []pod
		entries []entry
		want    string
	}{
		"nothing":                                       {},
		"a forwarder registers":                         {pods: []pod{forwarder, registry}, want: "create a/f"},
		"every forwarder does":                          {pods: []pod{forwarder, forwarderPod("g"), registry}, want: "create a/f, create a/g"},
		"one that is annotated otherwise too":           {pods: []pod{forwarderPod("f", annotated("true")), registry}, want: "create a/f"},
		"not one that is annotated so":                  {pods: []pod{forwarderPod("f", annotated("false")), registry}},
		"not one that is not Ready":                     {pods: []pod{forwarderPod("f", notReady), registry}},
		"not one that terminates":                       {pods: []pod{forwarderPod("f", terminating), registry}},
		"not without a registry":                        {pods: []pod{forwarder}},
		"not with a registry that is not Ready":         {pods: []pod{forwarder, registryPod(registryImage, notReady)}},
		"not with a registry that terminates":           {pods: []pod{forwarder, registryPod(registryImage, terminating)}},
		"not with one that keeps its entries in memory": {pods: []pod{forwarder, registryPod("registry-k8s.example.com/cmd-registry-memory")}},
		"not with another namespace's registry":         {pods: []pod{forwarder, registryPod(registryImage, inNamespace("b"))}},
		"a namesake's entry in another namespace is another's": {
			pods:    []pod{forwarderPod("f", inNamespace("b")), registryPod(registryImage, inNamespace("b"))},
			entries: []entry{entryUntil("f", in(time.Minute))}, want: "create b/f",
		},
		"a fresh entry is left alone": {pods: []pod{forwarder, registry}, entries: []entry{entryUntil("f", in(time.Minute))}},
		"and is until the renewal":    {pods: []pod{forwarder, registry}, entries: []entry{entryUntil("f", in(20*time.Second))}},
		"it is renewed in time":       {pods: []pod{forwarder, registry}, entries: []entry{entryUntil("f", in(20*time.Second-1))}, want: "renew a/f"},
		"and when it has expired":     {pods: []pod{forwarder, registry}, entries: []entry{entryUntil("f", in(-time.Hour))}, want: "renew a/f"},
		"and when it does not tell": {
			pods:    []pod{forwarder, registry},
			entries: []entry{{Metadata: forwarder.Metadata.objectName, Spec: json.RawMessage(`"?"`)}}, want: "renew a/f",
		},
		"a dead forwarder's entry is left":                   {pods: []pod{registry}, entries: []entry{entryUntil("f", in(1))}},
		"until it expires":                                   {pods: []pod{registry}, entries: []entry{entryUntil("f", in(0))}, want: "delete a/f"},
		"a forwarder's that renews no more, too":             {pods: []pod{forwarderPod("f", notReady), registry}, entries: []entry{entryUntil("f", in(0))}, want: "delete a/f"},
		"or is told not to":                                  {pods: []pod{forwarderPod("f", annotated("false")), registry}, entries: []entry{entryUntil("f", in(0))}, want: "delete a/f"},
		"without a registry nobody deletes it":               {pods: []pod{forwarder}, entries: []entry{entryUntil("f", in(-time.Hour))}},
		"nor with another namespace's":                       {pods: []pod{registryPod(registryImage, inNamespace("b"))}, entries: []entry{entryUntil("f", in(-time.Hour))}},
		"an entry that does not tell its expiration is kept": {pods: []pod{registry}, entries: []entry{{Metadata: objectName{"a", "x"}, Spec: json.RawMessage(`{"name":"x"}`)}}},
		"an entry without a spec is kept":                    {pods: []pod{registry}, entries: []entry{{Metadata: objectName{"a", "x"}}}},
		"all at once": {
			pods: []pod{forwarderPod("new"), forwarderPod("old"), forwarderPod("fresh"), registry},
			entries: []entry{
				entryUntil("dead", in(-1)), entryUntil("dying", in(15*time.Second)),
				entryUntil("fresh", in(50*time.Second)), entryUntil("old", in(15*time.Second)),
			},
			want: "create a/new, renew a/old, delete a/dead",
		},
	} {
		if got := plan(test.pods, test.entries, now).String(); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func (c changes) String() string {
	var all []string
	add := func(verb string, of objectName) { all = append(all, verb+" "+of.Namespace+"/"+of.Name) }
	for _, p := range c.create {
		add("create", p.Metadata.objectName)
	}
	for _, p := range c.renew {
		add("renew", p.Metadata.objectName)
	}
	for _, e := range c.delete {
		add("delete", e.Metadata)
	}
	return strings.Join(all, ", ")
}

func TestRegistration(t *testing.T) {
	p := forwarderPod("f", func(p *pod) { p.Status.HostIP = "198.18.0.1" })
	for expiration, want := range map[time.Time]string{
		time.Unix(1800000000, 7): `{"expiration_time":{"seconds":1800000000,"nanos":7},"name":"f","network_service_names":["forwarder"],"url":"tcp://198.18.0.1:5001"}`,
		time.Unix(1800000000, 0): `{"expiration_time":{"seconds":1800000000},"name":"f","network_service_names":["forwarder"],"url":"tcp://198.18.0.1:5001"}`,
	} {
		spec, err := json.Marshal(registration(p, expiration)["spec"])
		if err != nil || string(spec) != want {
			t.Errorf("%s, %v, want %s", spec, err, want)
		}
		if got := (entry{Spec: spec}).expiration(); !got.Equal(expiration) {
			t.Errorf("read back: %s, want %s", got, expiration)
		}
	}
}

// fakeAPI notes all writes, and refuses some.
type fakeAPI struct {
	mu       sync.Mutex
	broken   map[string]int
	requests []string
}

func (f *fakeAPI) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	asked := request.Method + " " + request.URL.Path
	f.requests = append(f.requests, asked)
	if status := f.broken[asked]; status != 0 {
		w.WriteHeader(status)
	}
	_, _ = io.WriteString(w, `{}`)
}

// startRegistrar returns one that knows the objects of a mesh.
func startRegistrar(t *testing.T, f *fakeAPI, pods []pod, entries ...entry) *registrar {
	t.Helper()
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	r := newRegistrar(&api{url: server.URL, client: server.Client()}, io.Discard)
	r.pods.items, r.entries.items = map[objectName]pod{}, map[objectName]entry{}
	for _, p := range pods {
		r.pods.items[p.Metadata.objectName] = p
	}
	for _, e := range entries {
		r.entries.items[e.Metadata] = e
	}
	return r
}

const inA = "/apis/networkservicemesh.io/v1/namespaces/a/networkserviceendpoints"

// What is due is written, and nothing where the entries are not known.
func TestWrites(t *testing.T) {
	f := &fakeAPI{}
	past := time.Now().Add(-time.Hour)
	r := startRegistrar(t, f, []pod{forwarderPod("new"), forwarderPod("old"), registryPod(registryImage)}, entryUntil("old", past), entryUntil("dead", past))
	must(t, r.look(t.Context()))
	slices.Sort(f.requests)
	if want := []string{"DELETE " + inA + "/dead", "PATCH " + inA + "/old", "POST " + inA}; !slices.Equal(f.requests, want) {
		t.Errorf("%q, want %q", f.requests, want)
	}
	f.requests, r.entries.items = nil, nil
	must(t, r.look(t.Context()))
	if len(f.requests) > 0 {
		t.Errorf("without knowing the entries: %q", f.requests)
	}
}

// The entries are followed where there are forwarders.
func TestEntriesAreWanted(t *testing.T) {
	for name, test := range map[string]struct {
		pods []pod
		want bool
	}{
		"no mesh":          {nil, false},
		"a registry alone": {[]pod{registryPod(registryImage)}, false},
		"a forwarder":      {[]pod{forwarderPod("f")}, true},
	} {
		if got := startRegistrar(t, &fakeAPI{}, test.pods).hasForwarders(); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// A change that is refused does not keep the others from being made, and what somebody else has done already is done.
func TestRefusals(t *testing.T) {
	f := &fakeAPI{broken: map[string]int{"POST " + inA: http.StatusForbidden}}
	r := startRegistrar(t, f, []pod{forwarderPod("f"), registryPod(registryImage)}, entryUntil("x", time.Now().Add(-time.Hour)))
	if err := r.look(t.Context()); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("a refused registration: %v", err)
	}
	if !slices.Contains(f.requests, "DELETE "+inA+"/x") {
		t.Errorf("after it: %q", f.requests)
	}
	f.broken = map[string]int{"DELETE " + inA + "/x": http.StatusNotFound, "POST " + inA: http.StatusConflict}
	if err := r.look(t.Context()); err != nil {
		t.Errorf("somebody else was first: %v", err)
	}
	r.entries.failure = errors.New("500")
	if err := r.look(t.Context()); err == nil || !strings.Contains(err.Error(), "500") {
		t.Errorf("entries that cannot be read are forgotten: %v", err)
	}
}

func TestNote(t *testing.T) {
	var log strings.Builder
	r := &registrar{log: &log}
	for _, text := range []string{"", "one", "one", "two", "two", "", "two"} {
		var err error
		if text != "" {
			err = errors.New(text)
		}
		r.note(err)
	}
	var noted []string
	for line := range strings.Lines(log.String()) {
		noted = append(noted, strings.Fields(line)[1])
	}
	if want := []string{"one", "two", "two"}; !slices.Equal(noted, want) {
		t.Errorf("noted %q, want %q", noted, want)
	}
}

// startCluster brings a control plane with one node up until the end of the test, when the stand-in must have had nothing
// to complain of.
func startCluster(t *testing.T) *operatorRun {
	t.Helper()
	c := &operatorRun{cluster: cluster{assets: os.Getenv("KUBEBUILDER_ASSETS"), dir: t.TempDir(), nodes: 1}}
	if c.assets == "" {
		c.assets = filepath.Join("..", "..", "bin", "k8s")
	}
	must(t, c.checkAssets())
	must(t, c.prepare())
	t.Cleanup(func() {
		c.down()
		if log, err := os.ReadFile(c.path("log", "forwarders.log")); err != nil || len(log) > 0 {
			t.Errorf("the stand-in's log: %s, %v", log, err)
		}
	})
	must(t, c.bringUp())
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func await(t *testing.T, what string, condition func(context.Context) error) {
	t.Helper()
	must(t, waitFor(t.Context(), what, startTimeout, condition))
}

// In a real control plane: what the stand-in goes by is what simulated pods show, and the API server takes what it writes.
func TestForwardersRegister(t *testing.T) {
	c := startCluster(t)
	_, err := c.output(c.kubectl("apply", "--server-side", "-f", "../../config/crd/networkservicemesh"))
	must(t, err)
	must(t, c.waitForDefinitions())
	c.seeWebhooks(t)
	c.seeRegistration(t)
	c.seeRenewal(t)
	c.seeExpiry(t)
}

// seeWebhooks makes a webhook that the operator registers, and then one that registers itself.
func (c *operatorRun) seeWebhooks(t *testing.T) {
	t.Helper()
	webhook := object{componentLabel: webhookComponent}
	must(t, c.createPod("webhook-1", "example.com/webhook", webhook, object{certificateAnnotation: "a"}))
	await(t, "a webhook", func(ctx context.Context) error { return c.podReady(ctx, "webhook-1") })
	must(t, c.createPod("webhook-2", "example.com/webhook", webhook, nil))
	await(t, "a registration", func(ctx context.Context) error { return c.api.get(ctx, webhooksPath+"/webhook-2", nil) })
	if err := c.api.get(t.Context(), webhooksPath+"/webhook-1", nil); statusOf(err) != http.StatusNotFound {
		t.Errorf("the registration of the operator's webhook: %v", err)
	}
}

// seeRegistration makes two forwarders, one of which is silent, and then a registry.
func (c *operatorRun) seeRegistration(t *testing.T) {
	t.Helper()
	forwarder := object{componentLabel: "forwarder"}
	must(t, c.createPod("forwarder-1", "example.com/forwarder", forwarder, object{registersAnnotation: "false"}))
	must(t, c.createPod("forwarder-2", "example.com/forwarder", forwarder, nil))
	await(t, "forwarders", func(ctx context.Context) error {
		return errors.Join(c.podReady(ctx, "forwarder-1"), c.podReady(ctx, "forwarder-2"))
	})
	must(t, c.createPod("registry", registryImage, object{componentLabel: "registry"}, nil))
	var got struct{ Spec struct{ Name, URL string } }
	await(t, "a registration", func(ctx context.Context) error {
		return c.api.get(ctx, inDefault("forwarder-2").endpoint(), &got)
	})
	if got.Spec.Name != "forwarder-2" || got.Spec.URL != "tcp://198.18.0.1:5001" {
		t.Errorf("registered: %+v", got.Spec)
	}
	if err := c.api.get(t.Context(), inDefault("forwarder-1").endpoint(), nil); statusOf(err) != http.StatusNotFound {
		t.Errorf("the silent forwarder's registration: %v", err)
	}
}

// seeRenewal lets little be left of a registration. Somebody's label shows that its renewal changes nothing else.
func (c *operatorRun) seeRenewal(t *testing.T) {
	t.Helper()
	must(t, c.api.merge(t.Context(), inDefault("forwarder-2").endpoint(), object{
		"metadata": object{"labels": object{"kept": "yes"}},
		"spec":     object{"expiration_time": timestamp{Seconds: time.Now().Add(10 * time.Second).Unix()}},
	}))
	await(t, "a renewal", func(ctx context.Context) error {
		var list struct{ Items []entry }
		err := c.api.get(ctx, inDefault("").endpoints()+"?labelSelector=kept", &list)
		if err != nil || len(list.Items) != 1 || time.Until(list.Items[0].expiration()) < renewWithin {
			return fmt.Errorf("%d entries, %v", len(list.Items), err)
		}
		return nil
	})
}

// seeExpiry writes an entry that a forwarder has left behind.
func (c *operatorRun) seeExpiry(t *testing.T) {
	t.Helper()
	dead := registration(forwarderPod("forwarder-0", inNamespace("default")), time.Now())
	must(t, c.api.create(t.Context(), inDefault("").endpoints(), dead))
	await(t, "the end of an expired entry", func(ctx context.Context) error {
		if err := c.api.get(ctx, inDefault("forwarder-0").endpoint(), nil); statusOf(err) != http.StatusNotFound {
			return fmt.Errorf("still there, or %v", err)
		}
		return nil
	})
}

func inDefault(name string) objectName { return objectName{Namespace: "default", Name: name} }

func (c *cluster) createPod(name, image string, labels, annotations object) error {
	return c.api.create(c.ctx, "/api/v1/namespaces/default/pods", object{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": object{"name": name, "labels": labels, "annotations": annotations},
		"spec":     object{"containers": []object{{"name": "main", "image": image}}},
	})
}

func (c *cluster) podReady(ctx context.Context, name string) error {
	var p pod
	if err := c.api.get(ctx, "/api/v1/namespaces/default/pods/"+name, &p); err != nil {
		return err
	}
	if !p.works() {
		return fmt.Errorf("%s is not Ready", name)
	}
	return nil
}
