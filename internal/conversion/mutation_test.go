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
	"testing"
)

// TestMutatedObjectsRoundTrip takes objects of all shapes, puts values of any
// type at places where they do not belong, and converts them as either version.
func TestMutatedObjectsRoundTrip(t *testing.T) {
	t.Parallel()
	all := shapes(t)
	all["everything"], all["registry-alone"] = everything(t), registryAlone(t)
	names := slices.Sorted(maps.Keys(all))
	random := rand.New(rand.NewPCG(1, 2))
	for range randomObjects {
		in, _ := clone(all[names[random.IntN(len(names))]]).(object)
		for range 1 + random.IntN(4) {
			mutate(in, random)
		}
		in["apiVersion"] = v1alpha1Version
		hub := up(t, in)
		expectReadable(t, hub)
		expectRoundTrip(t, withStatusOf(in, hub), down(t, hub), v1alpha1Version)

		in = stored(in)
		in["apiVersion"] = v1beta1Version
		expectRoundTrip(t, in, up(t, down(t, in)), v1beta1Version)
	}
}

// mutate changes one place in the spec or the status.
func mutate(in object, random *rand.Rand) {
	places := placesOf(object{"spec": get(in, "spec"), "status": get(in, "status")}, nil)
	place := places[random.IntN(len(places))]
	value := anyValue(random)
	if random.IntN(4) == 0 {
		// What stands elsewhere may be right there and wrong here.
		value = clone(places[random.IntN(len(places))].get())
	}
	if list, isList := place.get().([]any); isList && random.IntN(2) == 0 {
		value = mutateList(list, random)
	}
	if place.list != nil {
		place.list[place.index] = orNull(value)
		return
	}
	if place.key == "spec" || place.key == "status" {
		set(in, place.key, value)
		return
	}
	set(place.object, place.key, value)
}

// mutateList has the elements of a list in another order, some of them twice, and
// some without their names.
func mutateList(list []any, random *rand.Rand) []any {
	mutated := []any{}
	for _, i := range random.Perm(len(list)) {
		for range 1 + random.IntN(2) {
			item := clone(list[i])
			if element, ok := item.(object); ok && random.IntN(3) == 0 {
				delete(element, "name")
			}
			mutated = append(mutated, item)
		}
	}
	random.Shuffle(len(mutated), func(i, j int) { mutated[i], mutated[j] = mutated[j], mutated[i] })
	return mutated
}

func orNull(value any) any {
	if value == nothing {
		return nil
	}
	return value
}

// place is a member of an object or an element of a list.
type place struct {
	object object
	key    string
	list   []any
	index  int
}

func (p place) get() any {
	if p.list != nil {
		return p.list[p.index]
	}
	return get(p.object, p.key)
}

func placesOf(value any, places []place) []place {
	switch value := value.(type) {
	case object:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			places = append(places, place{object: value, key: key})
			places = placesOf(value[key], places)
		}
	case []any:
		for i := range value {
			places = append(places, place{list: value, index: i})
			places = placesOf(value[i], places)
		}
	}
	return places
}

// anyValue is a value of any type, or nothing.
func anyValue(random *rand.Rand) any {
	values := []any{
		nothing, nil, true, false, "", "vpp", "v1.0.0", "cmd-nsmgr", "a/b:c",
		json.Number("0"), json.Number("-1"), json.Number("2.50"), json.Number("1e400"),
		object{}, []any{}, []any{nil}, []any{"a"}, object{"name": "vpp"}, object{"type": "ovs", "image": "x/y:z"},
		[]any{object{"name": "vpp"}, object{"name": "vpp", "type": "ovs"}}, []any{object{"name": "A", "value": json.Number("5")}},
		object{"envVars": []any{object{"name": "A"}}}, object{"type": "memory"},
	}
	return clone(values[random.IntN(len(values))])
}
