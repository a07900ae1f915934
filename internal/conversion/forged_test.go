// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package conversion

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

// What somebody writes into the annotation of conversion must not lead to anything
// that could not have been written honestly.

// withData is an object with an annotation of somebody's own making.
func withData(tb testing.TB, in object, data string) object {
	tb.Helper()
	out, _ := clone(in).(object)
	ensureChild(ensureChild(out, "metadata"), "annotations")[Annotation] = data
	return out
}

func TestForgedDifferences(t *testing.T) {
	flat := shapes(t)["flat"]
	for _, test := range []struct{ name, data, want string }{
		{"takes away a forwarder's type", `{"path":[".spec",".forwarders","#vpp",".type"],"was":["vpp"]}`, ``},
		{"has a forwarder of a type that there is not", `{"path":[".spec",".forwarders","#vpp",".type"],"was":["vpp"],"is":["magic"]}`, ``},
		{"says another release", `{"path":[".spec",".version"],"was":["v1.0.0"],"is":["v1.18.0"]}`, ``},
		{"says what the flat shape has no word for", `{"path":[".spec",".registry",".type"],"was":["memory"],"is":["k8s"]}`, `spec: {registry: {type: k8s}}`},
		{"adds a forwarder", `{"path":[".spec",".forwarders","#mine"],"is":[{"name":"mine","type":"vpp"}]}`, ``},
		{"has an image of its own", `{"path":[".spec",".nsmgr",".image"],"is":["evil.example.com/nsmgr:v1"]}`, ``},
		{"removes the spec", `{"path":[".spec"],"was":[{}]}`, ``},
		{"replaces everything", `{"path":[],"is":[{"spec":{"version":"v1.18.0"}}]}`, ``},
		{"has a value of the wrong type", `{"path":[".spec",".nsmgr",".resources"],"is":["much"]}`, ``},
		{"has a field that there is not", `{"path":[".spec",".surprise"],"is":[1]}`, ``},
		{"has a value that is not allowed", `{"path":[".spec",".upgrade",".onFailure"],"is":["Explode"]}`, ``},
		{"breaks a rule", `{"path":[".spec",".forwarders"],"was":[[{"name":"vpp","type":"vpp"}]],"is":[[{"name":"vpp","type":"vpp","ovs":{"bridge":"br0"}}]]}`, ``},
		{"has a status", `{"path":[".status"],"is":[{"version":"v9.9.9"}]}`, ``},
		{"has a part of a status", `{"path":[".status",".version"],"is":["v9.9.9"]}`, ``},
		{"says what v1beta1 alone can say", `{"path":[".spec",".upgrade",".maxUnavailable"],"is":["20%"]}`, `spec: {upgrade: {maxUnavailable: "20%"}}`},
		{"says so beside what does not count",
			`{"path":[".spec",".version"],"was":["v1.0.0"],"is":["v1.18.0"]},{"path":[".spec",".upgrade",".maxUnavailable"],"is":["20%"]},{"path":[".spec",".openshift"],"is":["no"]}`,
			`spec: {upgrade: {maxUnavailable: "20%"}}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := up(t, flat)
			if test.want != "" {
				want = patched(t, want, test.want)
			}
			hub := upBySchema(t, withData(t, flat, `{"v1beta1":[`+test.data+`]}`))
			if toJSON(t, []any{get(hub, "spec"), get(hub, "status")}) != toJSON(t, []any{get(want, "spec"), get(want, "status")}) {
				t.Errorf("got  %s\nwant %s", toJSON(t, hub), toJSON(t, want))
			}
			if back := down(t, hub); !same(get(back, "spec"), get(flat, "spec")) {
				t.Errorf("back in v1alpha1: %s", toJSON(t, back))
			}
		})
	}
}

// TestForgedOriginals: readers of v1alpha1 see what runs.
func TestForgedOriginals(t *testing.T) {
	hub := everything(t)
	plain := down(t, hub)
	for _, test := range []struct{ name, spec, want string }{
		{"another release", `{"version":"v1.0.0"}`, ``},
		{"another image", `{"version":"v1.18.0","nsmgr":{"image":"quay.io/harmless:v1"}}`, ``},
		{"a forwarder that there is not", `{"forwarders":[{"name":"forwarder-vpp","type":"vpp"},{"name":"x","type":"ovs"}]}`, ``},
		{"no webhook where there is one", `{"version":"v1.18.0","webhook":{"image":"a/b:c"}}`, ``},
		{"no object", `"nothing to see"`, ``},
		{"nothing", `null`, ``},
		{"the same in other words", toJSON(t, get(patched(t, plain, `spec: {version: null, tag: v1.18.0}`), "spec")), `spec: {version: null, tag: v1.18.0}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := plain
			if test.want != "" {
				want = patched(t, plain, test.want)
			}
			forged := withData(t, hub, `{"v1alpha1":{"of":"0123456789abcdef","spec":`+test.spec+`,"status":{"phase":"Running"},"statusOf":"absent"}}`)
			got := down(t, forged)
			// An object that v1beta1 has none of may be there, and say nothing.
			if !same(specUp(get(got, "spec")), specUp(get(want, "spec"))) || get(got, "status") != nothing {
				t.Errorf("got  %s\nwant %s", toJSON(t, got), toJSON(t, want))
			}
			if test.want != "" && !same(get(got, "spec"), get(want, "spec")) {
				t.Errorf("got  %s\nwant %s", toJSON(t, got), toJSON(t, want))
			}
			if back := up(t, got); !same(get(back, "spec"), get(hub, "spec")) {
				t.Errorf("back in v1beta1: %s", toJSON(t, back))
			}
		})
	}
}

// TestStatusIsNeverCarried: whoever may write the annotation may not write the status.
func TestStatusIsNeverCarried(t *testing.T) {
	hub := patched(t, everything(t), `status: {version: v1.18.0, observedGeneration: -1, conditions: [{type: Available, status: "True"}]}`)
	spoke := down(t, hub)
	if strings.Contains(carried(spoke), "status") || strings.Contains(carried(spoke), "Available") {
		t.Errorf("carried: %s", carried(spoke))
	}
	expectSame(t, up(t, spoke), hub)
	old := shapes(t)["nested"]
	if hub := up(t, old); strings.Contains(carried(hub), "Running") || get(hub, "status") != nothing {
		t.Errorf("got %s", toJSON(t, hub))
	}
}

func packed(tb testing.TB, text []byte) string {
	tb.Helper()
	var out bytes.Buffer
	writer := gzip.NewWriter(&out)
	if _, err := writer.Write(text); err != nil {
		tb.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		tb.Fatal(err)
	}
	return "gzip:" + base64.StdEncoding.EncodeToString(out.Bytes())
}

// TestHostileSizes: what is beyond any honest object is not read.
func TestHostileSizes(t *testing.T) {
	difference := `{"path":[".spec",".upgrade",".maxUnavailable"],"is":["20%"]}`
	many := strings.Repeat(difference+",", 10_000) + difference
	for name, data := range map[string]string{
		"unpacked":    packed(t, []byte(`{"v1beta1":[`+difference+`]}`+strings.Repeat(" ", 8<<20))),
		"ratio":       packed(t, []byte(`{"v1beta1":[`+difference+`]}`+strings.Repeat(" ", 100<<10))),
		"depth":       `{"v1beta1":[{"path":[".spec",".upgrade"],"is":[` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `]}]}`,
		"values":      `{"v1beta1":[{"path":[".spec",".upgrade"],"is":[[` + strings.Repeat("1,", 100_000) + `1]]}]}`,
		"differences": packed(t, []byte(`{"v1beta1":[`+many+`]}`)),
		"path":        `{"v1beta1":[{"path":[` + strings.Repeat(`".a",`, 100) + `".b"],"is":[1]}]}`,
		"trailing":    `{"v1beta1":[` + difference + `]} and more`,
	} {
		t.Run(name, func(t *testing.T) {
			if _, ok := Decode(data); ok {
				t.Error("it is read")
			}
			// It is left alone as somebody else's, and the object is what it is.
			in := withData(t, parseYAML(t, `{apiVersion: nsm.networkservicemesh.io/v1alpha1, kind: NSM, metadata: {name: a}, spec: {version: v1.9.0}}`), data)
			if hub := up(t, in); carried(hub) != data || toJSON(t, get(hub, "spec")) != `{"admissionWebhook":{"enabled":false},"version":"v1.9.0"}` {
				t.Errorf("got %.300s", toJSON(t, hub))
			}
		})
	}
}

// TestHonestSizes: data that compresses well is read again all the same.
func TestHonestSizes(t *testing.T) {
	for _, labels := range []int{100, 1000, 5000, 10000} {
		values := object{}
		for i := range labels {
			values[fmt.Sprintf("example.com/label-%05d", i)] = strings.Repeat("x", 60)
		}
		data := Data{V1beta1: differences(inSpec(object{}), inSpec(object{"podLabels": []any{values}}))}
		text, err := data.Encode()
		if err != nil || text == TooLarge {
			t.Fatalf("%d: %v %.20s", labels, err, text)
		}
		if read, ok := Decode(text); !ok || toJSON(t, read) != toJSON(t, data) {
			t.Errorf("%d labels, %d bytes: not read", labels, len(text))
		}
	}
	// What is not read is not written either.
	data := Data{V1alpha1: &Original{Spec: json.RawMessage(`"` + strings.Repeat("x", MaxUnpacked) + `"`)}}
	if text, err := data.Encode(); err != nil || text != TooLarge {
		t.Errorf("%v %.20s", err, text)
	}
}

// TestWhatIsToldFitsIntoACondition: however much is wrong.
func TestWhatIsToldFitsIntoACondition(t *testing.T) {
	var variables, fields []string
	for i := range 5000 {
		variables = append(variables, `{"name":7}`)
		fields = append(fields, fmt.Sprintf(`"%s-%d":1`, strings.Repeat("long", 100), i))
	}
	for _, original := range []string{
		`{"nsmgr":{"envVars":[` + strings.Join(variables, ",") + `]}}`,
		`{"registry":{"type":"k8s",` + strings.Join(fields[:500], ",") + `}}`,
		`{` + strings.Join(fields[:500], ",") + `}`,
	} {
		data := Data{V1alpha1: &Original{Spec: json.RawMessage(original)}}
		value, err := data.Encode()
		if err != nil {
			t.Fatal(err)
		}
		nsm := &nsmv1beta1.NSM{}
		nsm.Annotations = map[string]string{Annotation: value}
		unreadable, unknown := Unreadable(nsm), strings.Join(Unknown(nsm), ", ")
		if unreadable+unknown == "" || len(unreadable)+len(unknown) > 10<<10 {
			t.Errorf("%d and %d bytes about %.60s", len(unreadable), len(unknown), original)
		}
	}
}
