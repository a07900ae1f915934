// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package conversion

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand" //nolint:depguard // what the filler takes
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/apitesting/fuzzer"
	"k8s.io/apimachinery/pkg/api/resource"
	metafuzzer "k8s.io/apimachinery/pkg/apis/meta/fuzzer"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/randfill"
	"sigs.k8s.io/yaml"

	nsmv1alpha1 "github.com/networkservicemesh/nsm-operator/apis/v1alpha1"
	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

const (
	randomObjects = 10_000
	randomEdits   = 400
)

// shapes are the v1alpha1 objects of testdata/shapes, by file name.
func shapes(tb testing.TB) map[string]object {
	tb.Helper()
	files, err := filepath.Glob("testdata/shapes/*.yaml")
	if err != nil || len(files) == 0 {
		tb.Fatalf("no shapes: %v", err)
	}
	all := map[string]object{}
	for _, file := range files {
		all[strings.TrimSuffix(filepath.Base(file), ".yaml")] = parseFile(tb, file)
	}
	return all
}

// everything is an object of v1beta1 with much that v1alpha1 has no word for.
func everything(tb testing.TB) object {
	tb.Helper()
	return parseFile(tb, "testdata/everything.yaml")
}

// registryAlone is an object of v1beta1 without what every one of v1alpha1 has.
func registryAlone(tb testing.TB) object {
	tb.Helper()
	return parseFile(tb, "testdata/registry-alone.yaml")
}

func parseFile(tb testing.TB, file string) object {
	tb.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	return parseYAML(tb, string(data))
}

func parse(tb testing.TB, text string) object {
	tb.Helper()
	parsed, err := Parse([]byte(text))
	if err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
	return parsed
}

func parseYAML(tb testing.TB, text string) object {
	tb.Helper()
	asJSON, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	return parse(tb, string(asJSON))
}

func toJSON(tb testing.TB, value any) string {
	tb.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		tb.Fatal(err)
	}
	return string(data)
}

// up and down convert as the API server has it done: by way of JSON. The schema is
// left aside by up: most random objects do not fit it.
func up(tb testing.TB, in object) object {
	tb.Helper()
	out, err := toV1beta1(in, func(any) []string { return nil })
	if err != nil {
		tb.Fatalf("%s: %v", toJSON(tb, in), err)
	}
	return parse(tb, toJSON(tb, out))
}

// upBySchema is up with the schema.
func upBySchema(tb testing.TB, in object) object {
	tb.Helper()
	var out V1beta1Document
	if err := ToV1beta1(context.Background(), &V1alpha1Document{document{fields: in}}, &out); err != nil {
		tb.Fatalf("%s: %v", toJSON(tb, in), err)
	}
	return parse(tb, toJSON(tb, &out))
}

func down(tb testing.TB, in object) object {
	tb.Helper()
	var out V1alpha1Document
	if err := ToV1alpha1(context.Background(), &V1beta1Document{document{fields: in}}, &out); err != nil {
		tb.Fatalf("%s: %v", toJSON(tb, in), err)
	}
	return parse(tb, toJSON(tb, &out))
}

// withStatusOf is a v1alpha1 object with the status that a v1beta1 one has: what
// an older operator left in it beside is not kept.
func withStatusOf(in, hub object) object {
	out, _ := clone(in).(object)
	set(out, "status", statusDown(hub))
	return out
}

// stored is an object of v1beta1 as the API server stores it, as far as the
// status goes: it holds what its schema knows, or is not there.
func stored(in object) object {
	out, _ := clone(in).(object)
	set(out, "status", statusUp(get(in, "status")))
	return out
}

func carried(of object) string {
	return text(annotations(of), Annotation)
}

func expectSame(tb testing.TB, got, want object) {
	tb.Helper()
	if !reflect.DeepEqual(got, want) {
		tb.Fatalf("got  %s\nwant %s", toJSON(tb, got), toJSON(tb, want))
	}
}

// filler of random objects of either version.
func filler(seed int64) *randfill.Filler {
	ours := func(serializer.CodecFactory) []any {
		return []any{
			func(unread *map[string]json.RawMessage, _ randfill.Continue) { *unread = nil },
			func(quantity *resource.Quantity, c randfill.Continue) {
				*quantity = *resource.NewMilliQuantity(c.Int63n(100000), resource.DecimalSI)
				_ = quantity.String()
			},
			// What says nothing about conversion only rarely: it is what takes the time.
			func(affinity *corev1.Affinity, c randfill.Continue) {
				if c.Intn(20) == 0 {
					c.FillNoCustom(affinity)
				}
			},
			func(meta *metav1.ObjectMeta, c randfill.Continue) {
				meta.Name, meta.Namespace = c.String(10), c.String(10)
				c.Fill(&meta.Annotations)
				c.Fill(&meta.Finalizers)
				if c.Intn(10) == 0 {
					c.Fill(&meta.DeletionTimestamp)
				}
			},
			func(duration *metav1.Duration, c randfill.Continue) { duration.Duration = 1000 * 1000 * 1000 * 7 },
			func(value *intstr.IntOrString, c randfill.Continue) {
				*value = intstr.FromInt32(c.Int31n(100))
				if c.Bool() {
					*value = intstr.FromString(fmt.Sprintf("%d%%", c.Int31n(100)))
				}
			},
			func(obsolete *apiextensionsv1.JSON, c randfill.Continue) {
				obsolete.Raw = []byte(oneText(c, `"true"`, `false`, `1`, `{"a":[1]}`))
			},
			func(registry *nsmv1alpha1.Registry, c randfill.Continue) {
				if c.Bool() {
					*registry = nsmv1alpha1.Registry{Host: ptr.To(oneText(c, "", "ghcr.io", "quay.io:5000", c.String(10)))}
					return
				}
				registry.Host, registry.Spec = nil, &nsmv1alpha1.RegistrySpec{}
				c.FillNoCustom(registry.Spec)
			},
			func(forwarder *nsmv1alpha1.Forwarder, c randfill.Continue) {
				c.FillNoCustom(forwarder)
				forwarder.Type = oneText(c, "", "vpp", "ovs", "sriov")
				forwarder.Name = oneText(c, "", "", "vpp", "forwarder-ovs", forwarder.Name)
				forwarder.CapitalName = oneText(c, "", "", "vpp-a", "Forwarder")
				forwarder.Image = oneText(c, "", "", "cmd-forwarder-vpp", "cmd-forwarder-sriov", "quay.io/a/b:v1", "custom")
				forwarder.CapitalImage = oneText(c, "", "", "", "cmd-forwarder-vpp", "quay.io/a/c:v1")
			},
			func(spec *nsmv1alpha1.NSMSpec, c randfill.Continue) {
				c.FillNoCustom(spec)
				for _, field := range []*string{
					&spec.Tag, &spec.Version, &spec.Organization, &spec.RegistryMemoryImage, &spec.NsmgrImage,
					&spec.ForwardingPlaneName, &spec.ForwardingPlaneImage, &spec.AdmwhImage, &spec.ExclPrefImage, &spec.NsmLogLevel,
				} {
					*field = oneText(c, "", "", "", "v1.0.0", "cmd-nsmgr", "cmd-registry-memory", "cmd-forwarder-vpp", "a/b:c", *field)
				}
			},
			func(spec *nsmv1beta1.NSMSpec, c randfill.Continue) {
				c.FillNoCustom(spec)
				spec.Version = oneText(c, "", "v1.0.0", "v1.18.0", spec.Version)
			},
			func(forwarder *nsmv1beta1.ForwarderSpec, c randfill.Continue) {
				c.FillNoCustom(forwarder)
				forwarder.Name = oneText(c, "", "vpp", "forwarder-ovs", "forwarder-vpp", "a", "b", "c", forwarder.Name)
				forwarder.Type = nsmv1beta1.ForwarderType(oneText(c, "vpp", "ovs", "sriov", ""))
				forwarder.Image = oneText(c, "", "quay.io/a/b:v1", "cmd-forwarder-vpp", "custom")
			},
			func(spec *nsmv1beta1.ContainerSpec, c randfill.Continue) {
				c.FillNoCustom(spec)
				spec.Image = oneText(c, "", "quay.io/a/b:v1", "cmd-nsmgr", "custom")
			},
			func(variable *corev1.EnvVar, c randfill.Continue) {
				c.FillNoCustom(variable)
				variable.Name = oneText(c, "A", "B", "C", variable.Name)
			},
		}
	}
	return fuzzer.FuzzerFor(fuzzer.MergeFuzzerFuncs(metafuzzer.Funcs, ours), rand.NewSource(seed), serializer.NewCodecFactory(runtime.NewScheme())).
		NilChance(0.6).NumElements(0, 2)
}

func oneText(c randfill.Continue, texts ...string) string {
	return texts[c.Intn(len(texts))]
}

func random[NSM any](tb testing.TB, filler *randfill.Filler, version string) object {
	tb.Helper()
	nsm := new(NSM)
	filler.Fill(nsm)
	parsed := parse(tb, toJSON(tb, nsm))
	parsed["apiVersion"], parsed["kind"] = version, "NSM"
	ensureChild(parsed, "metadata")
	return parsed
}

const (
	v1alpha1Version = "nsm.networkservicemesh.io/v1alpha1"
	v1beta1Version  = "nsm.networkservicemesh.io/v1beta1"
)

func TestRandomV1alpha1RoundTrips(t *testing.T) {
	t.Parallel()
	filler := filler(1)
	for range randomObjects {
		in := random[nsmv1alpha1.NSM](t, filler, v1alpha1Version)
		hub := up(t, in)
		expectReadable(t, hub)
		expectSame(t, down(t, hub), withStatusOf(in, hub))
		expectSame(t, upBySchema(t, in), hub)
	}
}

func TestRandomV1beta1RoundTrips(t *testing.T) {
	t.Parallel()
	filler := filler(2)
	for range randomObjects {
		in := random[nsmv1beta1.NSM](t, filler, v1beta1Version)
		spoke := down(t, in)
		var typed nsmv1alpha1.NSM
		if err := json.Unmarshal([]byte(toJSON(t, spoke)), &typed); err != nil {
			t.Fatalf("%s: %v", toJSON(t, spoke), err)
		}
		expectSame(t, up(t, spoke), in)
	}
}

// expectReadable: whatever comes out in v1beta1 fits its Go types.
func expectReadable(tb testing.TB, hub object) {
	tb.Helper()
	var typed nsmv1beta1.NSM
	if err := json.Unmarshal([]byte(toJSON(tb, hub)), &typed); err != nil {
		tb.Fatalf("%s: %v", toJSON(tb, hub), err)
	}
	if len(typed.Spec.Unreadable) > 0 || len(typed.Status.Unreadable) > 0 {
		tb.Fatalf("%s: holds what v1beta1 cannot read", toJSON(tb, hub))
	}
}

// TestRandomEditsInV1alpha1: of an object with everything that v1beta1 can say,
// an edit made in v1alpha1 changes just that.
func TestRandomEditsInV1alpha1(t *testing.T) {
	t.Parallel()
	filler := filler(3)
	for range randomEdits {
		hub := random[nsmv1beta1.NSM](t, filler, v1beta1Version)
		spoke := down(t, hub)
		other := random[nsmv1alpha1.NSM](t, filler, v1alpha1Version)
		for key, edited := range editsOfOneMember(spoke, other) {
			after := up(t, edited)
			back := down(t, after)
			if !same(get(back, "spec"), get(edited, "spec")) {
				t.Fatalf("the edit of %s did not come back:\nedited %s\nback   %s", key, toJSON(t, edited), toJSON(t, back))
			}
			expectWithin(t, differences(get(hub, "spec"), get(after, "spec")),
				differences(specUp(get(spoke, "spec")), specUp(get(edited, "spec"))), key)
		}
	}
}

// editsOfOneMember are copies of an object that each have one member of the spec
// from another one, by that member's name.
func editsOfOneMember(original, other object) map[string]object {
	edits := map[string]object{}
	for key, value := range child(other, "spec") {
		if same(child(original, "spec")[key], value) {
			continue
		}
		edited, _ := clone(original).(object)
		ensureChild(edited, "spec")[key] = value
		edits[key] = edited
	}
	return edits
}

// expectWithin: each change lies where one was made.
func expectWithin(tb testing.TB, changes, made []Difference, what string) {
	tb.Helper()
	for _, change := range changes {
		within := false
		for _, one := range made {
			at, place := strings.Join(change.Path, "/")+"/", strings.Join(one.Path, "/")+"/"
			within = within || strings.HasPrefix(at, place) || strings.HasPrefix(place, at)
		}
		if !within {
			tb.Fatalf("the edit of %s changed %v too: %s\nmade: %s", what, change.Path, toJSON(tb, change), toJSON(tb, made))
		}
	}
}

// TestRandomEditsInV1beta1: an edit made in v1beta1 of an object written in any
// shape of v1alpha1 is there whichever way it is looked at.
func TestRandomEditsInV1beta1(t *testing.T) {
	t.Parallel()
	filler := filler(4)
	for range randomEdits {
		hub := up(t, random[nsmv1alpha1.NSM](t, filler, v1alpha1Version))
		other := random[nsmv1beta1.NSM](t, filler, v1beta1Version)
		for key, edited := range editsOfOneMember(hub, other) {
			spoke := down(t, edited)
			back := up(t, spoke)
			if !same(get(back, "spec"), get(edited, "spec")) {
				t.Fatalf("the edit of %s did not come back:\nedited %s\nspoke  %s\nback   %s",
					key, toJSON(t, edited), toJSON(t, spoke), toJSON(t, back))
			}
		}
	}
}

func TestShapesRoundTrip(t *testing.T) {
	for name, shape := range shapes(t) {
		t.Run(name, func(t *testing.T) {
			hub := up(t, shape)
			expectReadable(t, hub)
			expectSame(t, down(t, hub), withStatusOf(shape, hub))
			if again := up(t, down(t, hub)); toJSON(t, again) != toJSON(t, hub) {
				t.Errorf("the second time: %s\nthe first: %s", toJSON(t, again), toJSON(t, hub))
			}
		})
	}
}
