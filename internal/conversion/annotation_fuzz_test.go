// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package conversion

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

// FuzzAnnotation puts annotations that somebody may have forged on objects of
// both versions, and takes what comes of it through all that the operator does
// with it. The annotations are well-formed, so that they get far: differences at
// places that there are and that there are not, originals that say the same as
// the object or something else, plain and compressed.
func FuzzAnnotation(f *testing.F) {
	for seed := range uint64(64) {
		f.Add(seed, uint64(0), []byte(nil))
	}
	all := shapes(f)
	all["everything"], all["registry-alone"] = down(f, everything(f)), down(f, registryAlone(f))
	names := slices.Sorted(maps.Keys(all))
	f.Fuzz(func(t *testing.T, one, other uint64, data []byte) {
		forger := forger{rand.New(rand.NewPCG(one, other))}
		spoke := all[names[forger.IntN(len(names))]]
		hub := stored(up(t, spoke))
		value := string(data)
		if len(data) == 0 {
			value = forger.annotation(t, spoke, hub)
		}
		expectHarmlessInV1alpha1(t, withData(t, spoke, value))
		expectHarmlessInV1beta1(t, withData(t, hub, value))
	})
}

// expectHarmlessInV1alpha1: whatever the annotation holds, the v1alpha1 form stays
// as it is, the status is its own, and the v1beta1 form is one that the operator
// can live with.
func expectHarmlessInV1alpha1(t *testing.T, in object) {
	t.Helper()
	plain, _ := clone(in).(object)
	removeAnnotation(plain)
	honest, hub := upBySchema(t, plain), upBySchema(t, in)
	if !same(get(hub, "status"), get(honest, "status")) {
		t.Fatalf("status %s", toJSON(t, hub))
	}
	if odd := misfitsOf(get(hub, "spec")); len(odd) > 0 && len(misfitsOf(get(honest, "spec"))) == 0 {
		t.Fatalf("%v in %s", odd, toJSON(t, hub))
	}
	if carried(hub) != TooLarge && !same(get(down(t, hub), "spec"), get(in, "spec")) {
		t.Fatalf("in  %s\nhub %s\nout %s", toJSON(t, in), toJSON(t, hub), toJSON(t, down(t, hub)))
	}
	expectNoPanic(t, hub)
}

// expectHarmlessInV1beta1: whatever the annotation holds, v1alpha1 says of the
// object all that it has words for, and nothing else, and the object comes back.
func expectHarmlessInV1beta1(t *testing.T, in object) {
	t.Helper()
	expectNoPanic(t, in)
	spoke := down(t, in)
	if !saysAll(get(spoke, "spec"), get(in, "spec")) {
		t.Fatalf("in %s\nis shown as %s", toJSON(t, in), toJSON(t, spoke))
	}
	if !same(get(spoke, "status"), statusDown(in)) {
		t.Fatalf("status %s", toJSON(t, spoke))
	}
	if carried(spoke) != TooLarge && !same(get(up(t, spoke), "spec"), get(in, "spec")) {
		t.Fatalf("in  %s\nspoke %s\nout %s", toJSON(t, in), toJSON(t, spoke), toJSON(t, up(t, spoke)))
	}
}

// expectNoPanic does with an object what the operator does in a pass.
func expectNoPanic(t *testing.T, hub object) {
	t.Helper()
	var nsm nsmv1beta1.NSM
	if json.Unmarshal([]byte(toJSON(t, hub)), &nsm) != nil {
		return // metadata, which the API server checks
	}
	if told := Unreadable(&nsm); len(told) > 16<<10 {
		t.Fatalf("a condition holds 32 KiB, and this are %d bytes", len(told))
	}
	Unknown(&nsm)
	WordsOf(&nsm).Warnings()
	in := mesh.Input{
		NSM: &nsm, Release: release.Newest(),
		Platform: mesh.Platform{OpenShift: true, ClusterSPIFFEIDs: true, ClusterProperties: true},
	}
	components := mesh.Components(in)
	mesh.Objects(components)
	mesh.Identities(in)
	mesh.Constraints(in, components)
	mesh.ConfigFiles(&nsm.Spec)
	mesh.Registers(in)
	mesh.Conflict(&nsm, &nsmv1beta1.NSM{})
}

// forger makes annotations.
type forger struct{ *rand.Rand }

func (f forger) annotation(tb testing.TB, spoke, hub object) string {
	tb.Helper()
	data := object{}
	if f.IntN(3) > 0 {
		data["v1beta1"] = f.differences(hub)
	}
	if f.IntN(3) > 0 {
		data["v1alpha1"] = f.original(spoke)
	}
	if f.IntN(8) == 0 {
		data[pick(f, "v1alpha1", "v1beta1", "other")] = anyValue(f.Rand)
	}
	for key, value := range data {
		set(data, key, value) // which leaves out what is nothing
	}
	text := toJSON(tb, data)
	switch f.IntN(6) {
	case 0:
		return packed(tb, []byte(text))
	case 1:
		return packed(tb, []byte(text)) + strings.Repeat(".", f.IntN(100))
	case 2:
		text := packed(tb, []byte(text))
		return text[:f.IntN(len(text))]
	default:
		return text
	}
}

func pick[T any](f forger, values ...T) T { return values[f.IntN(len(values))] }

func (f forger) original(spoke object) any {
	spec := object{"spec": clone(get(spoke, "spec")), "status": object{}}
	for range f.IntN(4) {
		mutate(spec, f.Rand)
	}
	original := object{"of": pick(f, "absent", "0123456789abcdef"), "status": object{"phase": "Running"}}
	set(original, "spec", get(spec, "spec"))
	return original
}

// differences at places of the object, some with what is there.
func (f forger) differences(hub object) []any {
	var all []any
	for range 1 + f.IntN(6) {
		difference := object{}
		path, was := f.path(hub)
		difference["path"] = path
		if f.IntN(4) > 0 && was != nothing {
			difference["was"] = []any{was}
		}
		if is := f.value(hub); is != nothing {
			difference["is"] = []any{is}
		}
		if f.IntN(8) == 0 {
			delete(difference, "was")
			difference["wasOrder"], difference["isOrder"] = []any{"vpp", "forwarder-ovs"}, []any{"forwarder-ovs", "vpp"}
		}
		all = append(all, difference)
	}
	return all
}

// path walks down an object, and sometimes astray.
func (f forger) path(hub object) ([]any, any) {
	steps := []any{}
	var at any = hub
	for range f.IntN(7) {
		if f.IntN(6) == 0 {
			steps = append(steps, pick(f, ".type", ".image", ".status", "#vpp", "#", ".", "", ".forwarders", ".upgrade", ".interdomain", ".env", "#A"))
			at = nothing
			continue
		}
		switch value := at.(type) {
		case object:
			if len(value) == 0 {
				return steps, at
			}
			key := pick(f, slices.Sorted(maps.Keys(value))...)
			steps, at = append(steps, "."+key), value[key]
		case []any:
			if len(value) == 0 {
				return steps, at
			}
			element := pick(f, value...)
			fields, _ := element.(object)
			steps, at = append(steps, "#"+text(fields, "name")), element
		}
	}
	return steps, at
}

func (f forger) value(hub object) any {
	if f.IntN(2) == 0 {
		_, value := f.path(hub)
		return clone(value)
	}
	if f.IntN(3) == 0 {
		return pick[any](f, "k8s", "ovs", "magic", "20%", object{"maxUnavailable": "20%"}, object{"pprof": object{"enabled": true}},
			[]any{object{"name": "mine", "type": "vpp"}, object{"name": "nsmgr", "type": "ovs"}}, object{"limits": object{"cpu": "much"}})
	}
	return anyValue(f.Rand)
}
