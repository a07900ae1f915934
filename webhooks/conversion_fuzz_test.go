// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package webhooks

import (
	"context"
	"testing"

	"github.com/networkservicemesh/nsm-operator/internal/conversion"
)

// Each target is run over its seeds and its corpus, testdata/fuzz, by go test,
// and for longer by:
//
//	go test ./webhooks -run '^$' -fuzz '^FuzzReview$' -fuzztime 10s -fuzzminimizetime 10x

func addSeeds(f *testing.F) {
	f.Helper()
	for _, shape := range shapes(f) {
		f.Add([]byte(toJSON(f, shape)))
		f.Add([]byte(toJSON(f, up(f, shape))))
	}
	f.Add([]byte(toJSON(f, parseYAML(f, everything))))
	f.Add([]byte(toJSON(f, down(f, parseYAML(f, everything)))))
}

// readable makes an object out of a fuzzer's bytes, where the API server could
// send such: metadata and annotations are checked before anything is stored.
func readable(data []byte) (object, bool) {
	var parsed document
	if parsed.UnmarshalJSON(data) != nil {
		return nil, false
	}
	metadata := get(parsed.fields, "metadata")
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
	return parsed.fields, true
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
		if !ok || carried(in) == conversion.TooLarge {
			return
		}
		before := toJSON(t, in)
		var hub v1beta1Document
		if err := ConvertToV1beta1(context.Background(), &v1alpha1Document{document{fields: in}}, &hub); err != nil {
			t.Fatal(err)
		}
		if toJSON(t, in) != before {
			t.Fatal("the source has been changed")
		}
		converted := parse(t, toJSON(t, &hub))
		if carried(converted) == conversion.TooLarge {
			return
		}
		expectRoundTrip(t, withStatusOf(in, converted), down(t, converted), v1alpha1Version)
	})
}

func FuzzV1beta1(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		in, ok := readable(data)
		if !ok || carried(in) == conversion.TooLarge {
			return
		}
		in = stored(in)
		before := toJSON(t, in)
		var spoke v1alpha1Document
		if err := ConvertFromV1beta1(context.Background(), &v1beta1Document{document{fields: in}}, &spoke); err != nil {
			t.Fatal(err)
		}
		if toJSON(t, in) != before {
			t.Fatal("the source has been changed")
		}
		converted := parse(t, toJSON(t, &spoke))
		if carried(converted) == conversion.TooLarge {
			return
		}
		expectRoundTrip(t, in, up(t, converted), v1beta1Version)
	})
}

func FuzzReview(f *testing.F) {
	for _, shape := range shapes(f) {
		f.Add([]byte(reviewOf(v1beta1Version, toJSON(f, shape))))
		f.Add([]byte(reviewOf(v1alpha1Version, toJSON(f, up(f, shape)), toJSON(f, shape))))
	}
	f.Add([]byte(reviewOf(v1alpha1Version, toJSON(f, parseYAML(f, everything)))))
	f.Fuzz(func(t *testing.T, data []byte) {
		response, _ := review(t, string(data))
		if response == nil {
			return
		}
		if response.Result.Message == "internal error occurred during conversion" {
			t.Fatal("it panicked")
		}
		for _, converted := range response.ConvertedObjects {
			if out := parse(t, string(converted.Raw)); !has(out, "apiVersion") {
				t.Fatalf("no version: %s", converted.Raw)
			}
		}
	})
}
