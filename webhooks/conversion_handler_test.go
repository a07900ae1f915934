// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package webhooks

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// review asks the endpoint, as the API server does, for objects in a version.
func review(tb testing.TB, body string) (*apiextensionsv1.ConversionResponse, int) {
	tb.Helper()
	handler, err := NewConversionHandler()
	if err != nil {
		tb.Fatal(err)
	}
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, ConversionPath, bytes.NewReader([]byte(body))))
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

func reviewOf(version string, objects ...string) string {
	return fmt.Sprintf(`{"apiVersion":"apiextensions.k8s.io/v1","kind":"ConversionReview","request":{"uid":"u","desiredAPIVersion":%q,"objects":[%s]}}`,
		version, strings.Join(objects, ","))
}

func TestReviewOfManyObjects(t *testing.T) {
	const count = 10_000
	shape := toJSON(t, shapes(t)["nested"])
	objects := make([]string, count)
	for i := range objects {
		objects[i] = strings.Replace(shape, `"name":"nested"`, fmt.Sprintf(`"name":"nsm-%d"`, i), 1)
	}
	response, _ := review(t, reviewOf(v1beta1Version, objects...))
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
	hub, spoke := toJSON(t, parseYAML(t, everything)), toJSON(t, shapes(t)["flat"])
	for _, version := range []string{v1alpha1Version, v1beta1Version} {
		response, _ := review(t, reviewOf(version, hub, spoke, hub, spoke))
		if response.Result.Status != "Success" || len(response.ConvertedObjects) != 4 {
			t.Fatalf("%s: %d objects", response.Result.Message, len(response.ConvertedObjects))
		}
		for i, converted := range response.ConvertedObjects {
			want := "everything"
			if i%2 == 1 {
				want = "nsm-sample"
			}
			got := parse(t, string(converted.Raw))
			if text(got, "apiVersion") != version || text(child(got, "metadata"), "name") != want {
				t.Errorf("at %d: %s", i, converted.Raw)
			}
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
		for _, versions := range [][2]string{{v1alpha1Version, v1beta1Version}, {v1beta1Version, v1alpha1Version}} {
			in := fmt.Sprintf(`{"apiVersion":%q,"kind":"NSM",%s}`, versions[0], odd)
			response, _ := review(t, reviewOf(versions[1], in))
			if response == nil || response.Result.Status != "Success" {
				t.Errorf("%s: %+v", in, response)
				continue
			}
			if versions[0] == v1beta1Version {
				continue // what no schema lets in is not brought back through the other version
			}
			response, _ = review(t, reviewOf(versions[0], string(response.ConvertedObjects[0].Raw)))
			got, want := parse(t, string(response.ConvertedObjects[0].Raw)), parse(t, in)
			if !same(get(got, "spec"), get(want, "spec")) || get(got, "status") != nothing || !same(get(got, "other"), get(want, "other")) {
				t.Errorf("got %s\nwant %s", toJSON(t, got), in)
			}
		}
	}
}

func TestReviewThatIsNone(t *testing.T) {
	for _, body := range []string{``, `{`, `[]`, `{}`, `{"request":null}`, reviewOf(v1beta1Version, "null")} {
		if _, code := review(t, body); code != http.StatusBadRequest {
			t.Errorf("%s: %d", body, code)
		}
	}
	response, _ := review(t, reviewOf("example.com/v1", toJSON(t, shapes(t)["flat"])))
	if response.Result.Status != "Failure" {
		t.Errorf("a version that there is not: %+v", response)
	}
}
