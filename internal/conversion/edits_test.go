// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package conversion

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	nsmv1alpha1 "github.com/networkservicemesh/nsm-operator/apis/v1alpha1"
	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

// patched is an object with a merge patch (RFC 7386) applied.
func patched(tb testing.TB, in object, patch string) object {
	tb.Helper()
	out, _ := clone(in).(object)
	mergePatch(out, parseYAML(tb, patch))
	return out
}

func mergePatch(into, patch object) {
	for key, value := range patch {
		fields, isObject := value.(object)
		switch {
		case value == nil:
			delete(into, key)
		case isObject:
			mergePatch(ensureChild(into, key), fields)
		default:
			into[key] = value
		}
	}
}

// TestEditsInV1beta1: an object written in some shape of v1alpha1 is edited in
// v1beta1; v1alpha1 has the edit where it counts, and all else as it was.
func TestEditsInV1beta1(t *testing.T) {
	for _, test := range []struct{ shape, edit, want string }{
		{"flat", `spec: {version: v1.1.1}`, `spec: {tag: v1.1.1}`},
		{"flat", `spec: {images: {registry: quay.io}}`, `spec: {registry: quay.io}`},
		{"flat", `spec: {images: {pullPolicy: null}}`, `spec: {nsmPullPolicy: null}`},
		{"flat", `spec: {registry: {image: "quay.io/a/b:c"}}`, `spec: {registryMemoryImage: "quay.io/a/b:c"}`},
		{"flat", `spec: {nsmgr: {image: "quay.io/a/b:c"}}`, `spec: {nsmgrImage: "quay.io/a/b:c"}`},
		{"flat", `spec: {nsmgr: {env: [{name: A, value: b}]}}`, `spec: {nsmgr: {envVars: [{name: A, value: b}]}}`},
		{"flat", `spec: {forwarders: [{name: vpp, type: vpp, image: "quay.io/a/b:c"}]}`, `spec: {forwardingPlaneImage: "quay.io/a/b:c"}`},
		{"flat", `spec: {forwarders: [{name: vpp, type: vpp}, {name: forwarder-ovs, type: ovs}]}`, `spec: {forwarders: [{name: forwarder-ovs, type: ovs}]}`},
		{"flat", `spec: {forwarders: [{name: vpp, type: vpp, env: [{name: A, value: b}]}]}`,
			`spec: {forwardingPlaneName: null, forwardingPlaneImage: null, forwarders: [{name: vpp, type: vpp, envVars: [{name: A, value: b}]}]}`},
		{"flat", `spec: {forwarders: [{name: forwarder-ovs, type: ovs}]}`,
			`spec: {forwardingPlaneName: null, forwardingPlaneImage: null, forwarders: [{name: forwarder-ovs, type: ovs}]}`},
		// The order of the two can be said in v1beta1 only.
		{"flat", `spec: {forwarders: [{name: forwarder-ovs, type: ovs}, {name: vpp, type: vpp}]}`, `spec: {forwarders: [{name: forwarder-ovs, type: ovs}]}`},
		{"flat-contradicting", `spec: {version: v1.9.0}`, `spec: {tag: v1.9.0}`},
		{"flat-contradicting", `spec: {version: null}`, `spec: {tag: null, version: null}`},
		{"flat-contradicting", `spec: {nsmgr: {image: "a/b:c"}}`, `spec: {nsmgr: {image: "a/b:c"}}`},
		{"lists", `spec: {version: v1.3.1}`, `spec: {version: v1.3.1, admwhImage: "ghcr.io/networkservicemesh/cmd-admission-webhook-k8s:v1.3.0", exclPrefImage: "ghcr.io/networkservicemesh/cmd-exclude-prefixes-k8s:v1.3.0"}`},
		{"lists", `spec: {forwarders: [{name: forwarder-ovs, type: ovs}]}`, `spec: {forwardingPlanes: [{name: forwarder-ovs, image: cmd-forwarder-ovs}]}`},
		{"lists", `spec: {forwarders: [{name: forwarder-ovs, type: ovs}, {name: s, type: sriov}]}`,
			`spec: {forwardingPlanes: [{name: forwarder-ovs, image: cmd-forwarder-ovs}, {name: s, type: sriov}]}`},
		{"lists", `spec: {forwarders: [{name: forwarder-ovs, type: ovs}, {name: forwarder-vpp, type: vpp}]}`,
			`spec: {forwardingPlanes: [{name: forwarder-ovs, image: cmd-forwarder-ovs}, {name: forwarder-vpp, image: cmd-forwarder-vpp}]}`},
		{"lists-capital", `spec: {forwarders: [{name: forwarder-vpp, type: vpp, image: "a/b:c"}, {name: forwarder-sriov, type: sriov, image: "quay.io/nsm/sriov:v1.3.0"}]}`,
			`spec: {forwarders: [{Name: forwarder-vpp, Image: "a/b:c"}, {Name: forwarder-sriov, Image: "quay.io/nsm/sriov:v1.3.0"}]}`},
		{"nested", `spec: {registry: {replicas: 3}}`, `spec: {registry: {replicaCount: 3}}`},
		{"nested", `spec: {registry: {type: memory, replicas: null}}`, `spec: {registry: {type: memory, replicaCount: null}}`},
		{"nested", `spec: {logLevel: INFO}`, `spec: {nsmLogLevel: INFO}`},
		{"nested", `spec: {admissionWebhook: {image: null, enabled: false}}`, `spec: {webhook: {image: null}}`},
		{"nested", `spec: {nsmgr: {excludePrefixes: null}}`, `spec: {exclPref: null}`},
		{"nested", `spec: {telemetry: {pprof: {enabled: true}}}`, ``},
		{"unknown-fields", `spec: {version: v1.9.0}`, `spec: {version: v1.9.0}`},
		{"unknown-fields", `spec: {registry: {image: "a/b:c"}}`, `spec: {registry: {image: "a/b:c"}}`},
		{"unknown-fields", `spec: {forwarders: [{name: forwarder-vpp, type: vpp, image: "a/b:c", env: [{name: A, value: b}]}]}`,
			`spec: {forwarders: [{name: forwarder-vpp, image: "a/b:c", speed: 9, envVars: [{name: A, value: b, secret: true}]}, nonsense]}`},
		{"wrong-types", `spec: {version: v1.18.0}`, `spec: {version: v1.18.0}`},
		{"wrong-types", `spec: {registry: {type: k8s}}`, `spec: {registry: {type: k8s}}`},
		{"duplicates", `spec: {version: v1.9.0}`, `spec: {version: v1.9.0}`},
		{"spec-is-text", `spec: {logLevel: INFO}`, `spec: {nsmLogLevel: INFO}`},
		{"no-spec", `spec: {logLevel: INFO}`, `spec: {nsmLogLevel: INFO}`},
	} {
		t.Run(test.shape+"/"+test.edit, func(t *testing.T) {
			shape := shapes(t)[test.shape]
			edited := patched(t, up(t, shape), test.edit)
			got := down(t, edited)
			want := shape
			if test.want != "" {
				want = patched(t, shape, test.want)
			}
			if toJSON(t, get(got, "spec")) != toJSON(t, get(want, "spec")) {
				t.Errorf("got  %s\nwant %s", toJSON(t, get(got, "spec")), toJSON(t, get(want, "spec")))
			}
			back := up(t, got)
			if toJSON(t, get(back, "spec")) != toJSON(t, get(edited, "spec")) {
				t.Errorf("back in v1beta1 %s\nwant %s", toJSON(t, get(back, "spec")), toJSON(t, get(edited, "spec")))
			}
		})
	}
}

// TestEditsInV1alpha1: an object of v1beta1 is edited in v1alpha1; v1beta1 has
// the edit, and all else as it was.
func TestEditsInV1alpha1(t *testing.T) {
	for _, test := range []struct{ edit, want string }{
		{`spec: {version: v1.19.0}`, `spec: {version: v1.19.0}`},
		{`spec: {tag: v1.19.0}`, `spec: {version: v1.19.0}`},
		{`spec: {version: null}`, `spec: {version: null}`},
		{`spec: {nsmLogLevel: DEBUG}`, `spec: {logLevel: DEBUG}`},
		{`spec: {spireAgentSocket: null}`, `spec: {spire: {agentSocket: null}}`},
		{`spec: {organization: mirror}`, `spec: {images: {repository: mirror}}`},
		{`spec: {nsmPullPolicy: Always}`, `spec: {images: {pullPolicy: Always}}`},
		{`spec: {registry: {replicaCount: 3}}`, `spec: {registry: {replicas: 3}}`},
		{`spec: {registry: {envVars: null}}`, `spec: {registry: {env: null}}`},
		{`spec: {nsmgr: {image: null}}`, `spec: {nsmgr: {image: null}}`},
		{`spec: {nsmgr: {envVars: [{name: A}]}}`, `spec: {nsmgr: {env: [{name: A}]}}`},
		{`spec: {exclPref: {exclPrefImage: "a/b:c"}}`, `spec: {nsmgr: {excludePrefixes: {image: "a/b:c"}}}`},
		{`spec: {webhook: {image: "a/b:c"}}`, `spec: {admissionWebhook: {image: "a/b:c", enabled: true}}`},
		{`spec: {forwarders: [{name: forwarder-vpp, type: vpp, image: "a/b:c"}, {name: forwarder-ovs, type: ovs, image: "quay.io/nsm/cmd-forwarder-ovs:v1.18.0"}]}`,
			`spec: {forwarders: [{name: forwarder-vpp, type: vpp, image: "a/b:c", nodeSelector: {a: b}, vpp: {init: NONE}}, {name: forwarder-ovs, type: ovs, image: "quay.io/nsm/cmd-forwarder-ovs:v1.18.0", ovs: {bridge: br0}}]}`},
		{`spec: {forwarders: [{name: forwarder-ovs, type: ovs}, {name: s, type: sriov}]}`,
			`spec: {forwarders: [{name: forwarder-ovs, type: ovs, ovs: {bridge: br0}}, {name: s, type: sriov}]}`},
		{`spec: {forwarders: [{name: forwarder-ovs, type: ovs}, {name: forwarder-vpp, type: vpp}]}`,
			`spec: {forwarders: [{name: forwarder-ovs, type: ovs, ovs: {bridge: br0}}, {name: forwarder-vpp, type: vpp, nodeSelector: {a: b}, vpp: {init: NONE}}]}`},
		{`spec: {forwarders: null}`, `spec: {forwarders: null}`},
		{`metadata: {labels: {a: b}}`, `metadata: {labels: {a: b}}`},
	} {
		t.Run(test.edit, func(t *testing.T) {
			hub := everything(t)
			edited := patched(t, down(t, hub), test.edit)
			got := up(t, edited)
			want := patched(t, hub, test.want)
			if toJSON(t, get(got, "spec")) != toJSON(t, get(want, "spec")) {
				t.Errorf("got  %s\nwant %s", toJSON(t, get(got, "spec")), toJSON(t, get(want, "spec")))
			}
			expectSame(t, down(t, got), patchedData(down(t, got), edited))
		})
	}
}

// patchedData is an object with the annotation of another.
func patchedData(from, into object) object {
	out, _ := clone(into).(object)
	removeAnnotation(out)
	if value := carried(from); value != "" {
		ensureChild(ensureChild(out, "metadata"), "annotations")[Annotation] = value
	}
	return out
}

func TestAnnotationComesAndGoes(t *testing.T) {
	hub := everything(t)
	spoke := down(t, hub)
	if carried(spoke) == "" {
		t.Fatal("v1alpha1 cannot say it all and carries nothing")
	}
	if text(annotations(spoke), "kubectl.kubernetes.io/last-applied-configuration") != "{}" {
		t.Error("kubectl's annotation is gone")
	}
	if carried(up(t, spoke)) != "" {
		t.Error("v1beta1 says it all and carries something nevertheless")
	}
	plain := parseYAML(t, "{apiVersion: nsm.networkservicemesh.io/v1alpha1, kind: NSM, metadata: {name: a}, spec: {version: v1.9.0, nsmLogLevel: INFO, registry: {type: k8s}}}")
	converted := up(t, plain)
	if _, ok := child(converted, "metadata")["annotations"]; ok {
		t.Errorf("both say the same, and yet: %s", carried(converted))
	}
	// What only v1beta1 knew goes, and the annotation with it.
	spoke = down(t, patched(t, converted, `spec: {upgrade: {maxUnavailable: 2}}`))
	if carried(spoke) == "" {
		t.Error("the upgrade is not carried")
	}
	if got := carried(down(t, patched(t, up(t, spoke), `spec: {upgrade: null}`))); got != "" {
		t.Errorf("nothing to carry any more, and yet: %s", got)
	}
}

func TestSomebodyElsesAnnotationStays(t *testing.T) {
	in := parseYAML(t, `{apiVersion: nsm.networkservicemesh.io/v1alpha1, kind: NSM, spec: {version: v1.9.0}, metadata: {annotations: {nsm.networkservicemesh.io/conversion-data: "hands off"}}}`)
	if got := carried(up(t, in)); got != "hands off" {
		t.Errorf("got %q", got)
	}
}

func TestLargeDataIsCompressed(t *testing.T) {
	hub := everything(t)
	pods := object{}
	for i := range 2000 {
		pods[fmt.Sprintf("example.com/label-%d", i)] = strings.Repeat("value", 10)
	}
	child(child(hub, "spec"), "nsmgr")["podAnnotations"] = pods
	spoke := down(t, hub)
	if size := len(carried(spoke)); size == 0 || size > MaxPlain*4 {
		t.Errorf("%d bytes", size)
	}
	expectSame(t, up(t, spoke), hub)
	if toJSON(t, down(t, hub)) != toJSON(t, spoke) {
		t.Error("another time it comes out otherwise")
	}
}

// TestNoRoom: the API server fails a conversion that makes the annotations
// larger than it allows.
func TestNoRoom(t *testing.T) {
	hub := everything(t)
	annotations(hub)["example.com/large"] = strings.Repeat("x", MaxTotal-600)
	spoke := down(t, hub)
	if carried(spoke) != TooLarge {
		t.Fatalf("carried: %.40s", carried(spoke))
	}
	if total := size(annotations(spoke)); total > MaxTotal {
		t.Errorf("%d bytes", total)
	}
	// Written like this, something would be lost: admission gets to see it.
	written := up(t, spoke)
	if carried(written) != TooLarge {
		t.Fatalf("carried: %.40s", carried(written))
	}
	write := Write{Before: object{}, After: written, InV1alpha1: true}
	if errs, _, err := write.Room(); err != nil || len(errs) != 1 || !strings.Contains(errs[0].Detail, "256 KiB") {
		t.Errorf("got %v, %v", errs, err)
	}
	// And not even room for that.
	annotations(hub)["example.com/large"] = strings.Repeat("x", MaxTotal-30)
	if carried(down(t, hub)) != "" {
		t.Error("it does not fit")
	}
	write.After = up(t, down(t, hub))
	if errs, _, err := write.Room(); err != nil || len(errs) != 1 {
		t.Errorf("got %v, %v", errs, err)
	}
}

func TestPhase(t *testing.T) {
	available := `[{type: Available, status: "True"}]`
	for _, test := range []struct{ metadata, status, want string }{
		{`{}`, `{conditions: ` + available + `}`, "Running"},
		{`{}`, `{conditions: [{type: Available, status: "False"}]}`, "Creating"},
		{`{}`, `{version: v1.0.0}`, "Pending"},
		{`{deletionTimestamp: "2026-01-01T00:00:00Z"}`, `{conditions: ` + available + `}`, "Terminating"},
		{`{deletionTimestamp: "2026-01-01T00:00:00Z"}`, `null`, "Terminating"},
	} {
		hub := parseYAML(t, `{apiVersion: nsm.networkservicemesh.io/v1beta1, kind: NSM, metadata: `+test.metadata+`, status: `+test.status+`}`)
		if test.status == "null" {
			delete(hub, "status")
		}
		spoke := down(t, hub)
		if got := text(child(spoke, "status"), "phase"); got != test.want {
			t.Errorf("%s, %s: got %q, want %q", test.metadata, test.status, got, test.want)
		}
		expectSame(t, up(t, spoke), hub)
	}
	// The phase that the released operator wrote is nobody's any more.
	hub := up(t, shapes(t)["nested"])
	if got := get(down(t, hub), "status"); got != nothing {
		t.Errorf("got %v", got)
	}
	hub = patched(t, hub, `status: {conditions: [{type: Available, status: "False"}]}`)
	if got := text(child(down(t, hub), "status"), "phase"); got != "Creating" {
		t.Errorf("got %q", got)
	}
	hub = patched(t, hub, `{status: null, metadata: {deletionTimestamp: "2026-01-01T00:00:00Z"}}`)
	if got := text(child(down(t, hub), "status"), "phase"); got != "Terminating" {
		t.Errorf("got %q", got)
	}
}

func TestUnreadableIsTold(t *testing.T) {
	for shape, want := range map[string]string{
		"flat":         "",
		"nested":       "",
		"duplicates":   "",
		"spec-is-text": `spec: "nonsense": must be an object`,
		"wrong-types": `spec.forwarders: {"vpp":{}}: must be a list; spec.nsmPullPolicy: ["Always"]: must be a string; ` +
			`spec.nsmgr.envVars: "A=B": must be a list; spec.nsmgr.image: 7: must be a string: write it in quotes; ` +
			`spec.registry: 5: must be a string (the image registry's host) or an object (the NSM registry); ` +
			`spec.version: 1.18: must be a string: write it in quotes; spec.webhook: false: must be an object`,
		"unknown-fields": `spec.forwarders[1]: "nonsense": must be an object; spec.registry.replicaCount: "3": must be a whole number`,
	} {
		var nsm nsmv1beta1.NSM
		if err := json.Unmarshal([]byte(toJSON(t, up(t, shapes(t)[shape]))), &nsm); err != nil {
			t.Fatal(err)
		}
		if got := Unreadable(&nsm); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", shape, got, want)
		}
	}
}

func TestUnknownFieldsAreTold(t *testing.T) {
	in := parseYAML(t, `{apiVersion: nsm.networkservicemesh.io/v1alpha1, kind: NSM, spec: {size: 1, registry: {type: k8s, shards: 2}, forwarders: [{name: a, speed: 9}]}}`)
	var nsm nsmv1beta1.NSM
	if err := json.Unmarshal([]byte(toJSON(t, up(t, in))), &nsm); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(Unknown(&nsm), " "); got != "spec.forwarders[0].speed spec.size spec.registry.shards" {
		t.Errorf("got %s", got)
	}
	if got := Unreadable(&nsm); got != "" {
		t.Errorf("all of it can be read, but: %s", got)
	}
}

// TestPruningIsNoEdit: the API server takes unknown fields out of what comes from
// conversion, so there must be none, or it would look like an edit.
func TestPruningIsNoEdit(t *testing.T) {
	in := parseYAML(t, `
apiVersion: nsm.networkservicemesh.io/v1alpha1
kind: NSM
metadata: {name: a}
spec:
  nsmgr:
    envVars:
    - {name: A, value: b, unknown: 1}
    - {name: B, valueFrom: {unknown: 1, fieldRef: {fieldPath: spec.nodeName, unknown: 1}}}
status: {unknown: 1, conditions: [{type: Available, status: "True", unknown: 1}]}`)
	hub := up(t, in)
	if got := toJSON(t, []any{hub["spec"], hub["status"]}); strings.Contains(got, "unknown") {
		t.Errorf("got %s", got)
	}
	expectSame(t, down(t, hub), withStatusOf(in, hub))
}

// TestV1beta1NeverFailsToDecode: one stored object with values of the wrong
// type, from a time without conversion, must not keep the operator from watching.
func TestV1beta1NeverFailsToDecode(t *testing.T) {
	for _, test := range []struct{ in, unreadable string }{
		{`{"spec":{"version":"v1.18.0","registry":"ghcr.io"},"status":{"version":5,"managers":"3/3"}}`, `spec.registry: "ghcr.io": must be an object`},
		{`{"spec":"nonsense","status":[]}`, `spec: "nonsense": must be an object`},
		{`{"spec":{"forwarders":[{"name":"a","type":7}]}}`, `spec.forwarders[0].type: 7: must be a string: write it in quotes`},
		{`{"spec":{"version":"v1.18.0"}}`, ""},
		{`{"metadata":{},"spec":null}`, ""},
	} {
		var nsm nsmv1beta1.NSM
		if err := json.Unmarshal([]byte(test.in), &nsm); err != nil {
			t.Fatalf("%s: %v", test.in, err)
		}
		if got := Unreadable(&nsm); got != test.unreadable {
			t.Errorf("%s: got %q, want %q", test.in, got, test.unreadable)
		}
		if got, want := toJSON(t, &nsm), test.in; test.unreadable != "" && !same(parse(t, got), parse(t, want)) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	nsm := nsmv1beta1.NSM{}
	if err := json.Unmarshal([]byte(`{"spec":{"version":7,"logLevel":"INFO"}}`), &nsm); err != nil {
		t.Fatal(err)
	}
	nsm.Spec.Version = "v1.18.0"
	if got := toJSON(t, nsm.Spec); got != `{"logLevel":"INFO","version":"v1.18.0"}` {
		t.Errorf("a value given since must win: %s", got)
	}
}

func TestMetadataIsAlwaysThere(t *testing.T) {
	for _, text := range []string{`{}`, `{"metadata":null}`, `{"spec":{}}`} {
		in := parse(t, text)
		for _, out := range []object{up(t, in), down(t, in)} {
			if child(out, "metadata") == nil {
				t.Errorf("%s: %s", text, toJSON(t, out))
			}
		}
	}
}

func TestTypedObjects(t *testing.T) {
	// Whatever comes out in v1alpha1 fits its Go types, too.
	var nsm nsmv1alpha1.NSM
	if err := json.Unmarshal([]byte(toJSON(t, down(t, everything(t)))), &nsm); err != nil {
		t.Fatal(err)
	}
	if nsm.Spec.Registry.Spec == nil || *nsm.Spec.Registry.Spec.ReplicaCount != 2 {
		t.Errorf("got %+v", nsm.Spec.Registry)
	}
}
