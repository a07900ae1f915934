// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package conversion

import (
	"context"
	"testing"
)

// Each target is run over its seeds and its corpus, testdata/fuzz, by go test,
// and for longer by:
//
//	go test ./internal/conversion -run '^$' -fuzz '^FuzzAnnotation$' -fuzztime 10s -fuzzminimizetime 10x

func addSeeds(f *testing.F) {
	f.Helper()
	for _, shape := range shapes(f) {
		f.Add([]byte(toJSON(f, shape)))
		f.Add([]byte(toJSON(f, up(f, shape))))
	}
	f.Add([]byte(toJSON(f, everything(f))))
	f.Add([]byte(toJSON(f, down(f, everything(f)))))
	f.Add([]byte(toJSON(f, registryAlone(f))))
	f.Add([]byte(toJSON(f, down(f, registryAlone(f)))))
}

// readable makes an object out of a fuzzer's bytes, where the API server could
// send such: metadata and annotations are checked before anything is stored.
func readable(data []byte) (object, bool) {
	parsed, err := Parse(data)
	if err != nil {
		return nil, false
	}
	metadata := get(parsed, "metadata")
	fields, isObject := metadata.(object)
	if metadata != nothing && !isObject {
		return nil, false
	}
	kept := get(fields, "annotations")
	values, isObject := kept.(object)
	if kept != nothing && (!isObject || len(values) == 0) {
		return nil, false
	}
	for key := range values {
		if _, isText := values[key].(string); !isText {
			return nil, false
		}
	}
	return parsed, true
}

func expectRoundTrip(t *testing.T, in, out object, version string) {
	t.Helper()
	want, _ := clone(in).(object)
	want["apiVersion"] = version
	ensureChild(want, "metadata")
	if carried(want) != "" {
		// What was carried along is used up, or written anew; what was in its place
		// and says nothing gives way to what has to be carried.
		removeAnnotation(want)
		removeAnnotation(out)
	}
	expectSame(t, out, want)
}

func FuzzV1alpha1(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		in, ok := readable(data)
		if !ok || carried(in) == TooLarge {
			return
		}
		before := toJSON(t, in)
		var hub V1beta1Document
		if err := ToV1beta1(context.Background(), &V1alpha1Document{document{fields: in}}, &hub); err != nil {
			t.Fatal(err)
		}
		if toJSON(t, in) != before {
			t.Fatal("the source has been changed")
		}
		converted := parse(t, toJSON(t, &hub))
		if carried(converted) == TooLarge {
			return
		}
		expectRoundTrip(t, withStatusOf(in, converted), down(t, converted), v1alpha1Version)
	})
}

func FuzzV1beta1(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		in, ok := readable(data)
		if !ok || carried(in) == TooLarge {
			return
		}
		in = stored(in)
		before := toJSON(t, in)
		var spoke V1alpha1Document
		if err := ToV1alpha1(context.Background(), &V1beta1Document{document{fields: in}}, &spoke); err != nil {
			t.Fatal(err)
		}
		if toJSON(t, in) != before {
			t.Fatal("the source has been changed")
		}
		converted := parse(t, toJSON(t, &spoke))
		if carried(converted) == TooLarge {
			return
		}
		expectRoundTrip(t, in, up(t, converted), v1beta1Version)
	})
}
