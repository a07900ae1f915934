// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package webhooks_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/networkservicemesh/nsm-operator/internal/metrics"
	"github.com/networkservicemesh/nsm-operator/webhooks"
)

// testdata holds objects of all shapes.
const testdata = "../internal/conversion/testdata/"

// review asks the endpoint, as the API server does, for objects in a version.
func review(tb testing.TB, body string) (*apiextensionsv1.ConversionResponse, int) {
	tb.Helper()
	handler, err := webhooks.NewConversionHandler()
	if err != nil {
		tb.Fatal(err)
	}
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, webhooks.ConversionPath, bytes.NewReader([]byte(body))))
	if answer.Code != http.StatusOK {
		return nil, answer.Code
	}
	var review apiextensionsv1.ConversionReview
	if err := json.Unmarshal(answer.Body.Bytes(), &review); err != nil {
		tb.Fatalf("%s: %v", answer.Body, err)
	}
	if review.Response == nil {
		tb.Fatalf("no response: %s", answer.Body)
	}
	return review.Response, answer.Code
}

// shapeJSON is an object of internal/conversion's testdata.
func shapeJSON(tb testing.TB, name string) string {
	tb.Helper()
	text, err := os.ReadFile(testdata + name + ".yaml")
	if err != nil {
		tb.Fatal(err)
	}
	asJSON, err := yaml.YAMLToJSON(text)
	if err != nil {
		tb.Fatal(err)
	}
	return string(asJSON)
}

// fields are the members of a JSON object.
func fields(tb testing.TB, object []byte) map[string]any {
	tb.Helper()
	var members map[string]any
	if err := json.Unmarshal(object, &members); err != nil {
		tb.Fatalf("%s: %v", object, err)
	}
	return members
}

func reviewOf(version string, objects ...string) string {
	return fmt.Sprintf(`{"apiVersion":"apiextensions.k8s.io/v1","kind":"ConversionReview","request":{"uid":"u","desiredAPIVersion":%q,"objects":[%s]}}`,
		version, strings.Join(objects, ","))
}

func TestReviewOfManyObjects(t *testing.T) {
	const count = 10_000
	shape := shapeJSON(t, "shapes/nested")
	objects := make([]string, count)
	for i := range objects {
		objects[i] = strings.Replace(shape, `"name":"nested"`, fmt.Sprintf(`"name":"nsm-%d"`, i), 1)
	}
	response, _ := review(t, reviewOf(v1beta1, objects...))
	if response.Result.Status != "Success" || len(response.ConvertedObjects) != count {
		t.Fatalf("%s: %d objects", response.Result.Message, len(response.ConvertedObjects))
	}
	for i, converted := range response.ConvertedObjects {
		if name := fmt.Sprintf(`"name":"nsm-%d"`, i); !strings.Contains(string(converted.Raw), name) {
			t.Fatalf("%s is not at its place", name)
		}
	}
}

func TestReviewOfMixedVersions(t *testing.T) {
	hub, spoke := shapeJSON(t, "everything"), shapeJSON(t, "shapes/flat")
	counted := func(version, result string) float64 {
		return testutil.ToFloat64(metrics.Conversions.WithLabelValues(strings.TrimPrefix(version, "nsm.networkservicemesh.io/"), result))
	}
	for _, version := range []string{v1alpha1, v1beta1} {
		converted, failed := counted(version, metrics.Converted), counted(version, metrics.Failed)
		response, _ := review(t, reviewOf(version, hub, spoke, hub, spoke))
		if response.Result.Status != "Success" || len(response.ConvertedObjects) != 4 {
			t.Fatalf("%s: %d objects", response.Result.Message, len(response.ConvertedObjects))
		}
		for i, converted := range response.ConvertedObjects {
			want := "everything"
			if i%2 == 1 {
				want = "nsm-sample"
			}
			var got metav1.PartialObjectMetadata
			if err := json.Unmarshal(converted.Raw, &got); err != nil || got.APIVersion != version || got.Name != want {
				t.Errorf("at %d: %s", i, converted.Raw)
			}
		}
		// Two of them were to be converted.
		if more := counted(version, metrics.Converted) - converted; more != 2 || counted(version, metrics.Failed) != failed {
			t.Errorf("to %s: %g conversions are counted, and %g that failed", version, more, counted(version, metrics.Failed)-failed)
		}
	}
}

func TestReviewOfOddObjects(t *testing.T) {
	for _, odd := range []string{
		`"spec":"nonsense"`, `"spec":[]`, `"spec":null`, `"spec":5`, `"metadata":null`, `"metadata":{}`, `"status":7`,
		`"metadata":{"annotations":null}`, `"metadata":{"annotations":{"nsm.networkservicemesh.io/conversion-data":"{}"}}`,
		`"spec":{"forwarders":[null,1,"a",[],{}]}`, `"spec":{"registry":null,"nsmgr":[]}`, `"spec":{"version":{}}`,
		`"metadata":{"annotations":{"nsm.networkservicemesh.io/conversion-data":"{\"v1beta1\":[{\"path\":[]},{\"path\":[\"\"]},{\"path\":[\"#a\",\".b\"],\"is\":[1]},{\"path\":[\".spec\",\"#a\"],\"is\":[{}]}]}"}}`,
		`"metadata":{"annotations":{"nsm.networkservicemesh.io/conversion-data":"gzip:AAAA"}}`, `"other":1`,
	} {
		for _, versions := range [][2]string{{v1alpha1, v1beta1}, {v1beta1, v1alpha1}} {
			in := fmt.Sprintf(`{"apiVersion":%q,"kind":"NSM",%s}`, versions[0], odd)
			response, _ := review(t, reviewOf(versions[1], in))
			if response == nil || response.Result.Status != "Success" {
				t.Errorf("%s: %+v", in, response)
				continue
			}
			if versions[0] == v1beta1 {
				continue // what no schema lets in is not brought back through the other version
			}
			response, _ = review(t, reviewOf(versions[0], string(response.ConvertedObjects[0].Raw)))
			got, want := fields(t, response.ConvertedObjects[0].Raw), fields(t, []byte(in))
			delete(want, "status")
			want["metadata"] = got["metadata"]
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got %v\nwant %s", got, in)
			}
		}
	}
}

func TestReviewThatIsNone(t *testing.T) {
	for _, body := range []string{``, `{`, `[]`, `{}`, `{"request":null}`, reviewOf(v1beta1, "null")} {
		if _, code := review(t, body); code != http.StatusBadRequest {
			t.Errorf("%s: %d", body, code)
		}
	}
	response, _ := review(t, reviewOf("example.com/v1", shapeJSON(t, "shapes/flat")))
	if response.Result.Status != "Failure" {
		t.Errorf("a version that there is not: %+v", response)
	}
}

// FuzzReview is run over its seeds and its corpus, testdata/fuzz, by go test, and for
// longer by:
//
//	go test ./webhooks -run '^$' -fuzz '^FuzzReview$' -fuzztime 10s -fuzzminimizetime 10x
func FuzzReview(f *testing.F) {
	files, err := filepath.Glob(testdata + "shapes/*.yaml")
	if err != nil || len(files) == 0 {
		f.Fatalf("no shapes: %v", err)
	}
	for _, file := range files {
		shape := shapeJSON(f, "shapes/"+strings.TrimSuffix(filepath.Base(file), ".yaml"))
		up, _ := review(f, reviewOf(v1beta1, shape))
		f.Add([]byte(reviewOf(v1beta1, shape)))
		f.Add([]byte(reviewOf(v1alpha1, string(up.ConvertedObjects[0].Raw), shape)))
	}
	f.Add([]byte(reviewOf(v1alpha1, shapeJSON(f, "everything"))))
	f.Fuzz(func(t *testing.T, data []byte) {
		response, _ := review(t, string(data))
		if response == nil {
			return
		}
		if response.Result.Message == "internal error occurred during conversion" {
			t.Fatal("it panicked")
		}
		for _, converted := range response.ConvertedObjects {
			if out := fields(t, converted.Raw); out["apiVersion"] == nil {
				t.Fatalf("no version: %s", converted.Raw)
			}
		}
	})
}
