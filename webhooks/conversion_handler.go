// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package webhooks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	crconversion "sigs.k8s.io/controller-runtime/pkg/webhook/conversion"
	kjson "sigs.k8s.io/json"

	nsmv1alpha1 "github.com/networkservicemesh/nsm-operator/apis/v1alpha1"
	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/conversion"
	"github.com/networkservicemesh/nsm-operator/internal/metrics"
)

// ConversionPath is where the API server asks for conversion.
const ConversionPath = "/convert"

// NewConversionHandler answers the API server's ConversionReviews.
func NewConversionHandler() (http.Handler, error) {
	const kind = "NSM"
	scheme := runtime.NewScheme()
	scheme.AddKnownTypeWithName(nsmv1alpha1.GroupVersion.WithKind(kind), &conversion.V1alpha1Document{})
	scheme.AddKnownTypeWithName(nsmv1beta1.GroupVersion.WithKind(kind), &conversion.V1beta1Document{})

	converter, err := crconversion.NewHubSpokeConverter(&conversion.V1beta1Document{},
		crconversion.NewSpokeConverter(&conversion.V1alpha1Document{},
			counted(nsmv1alpha1.GroupVersion.Version, conversion.ToV1alpha1), counted(nsmv1beta1.GroupVersion.Version, conversion.ToV1beta1)))(scheme)
	if err != nil {
		return nil, err
	}
	registry := crconversion.NewRegistry()
	if err := registry.RegisterConverter(nsmv1beta1.GroupVersion.WithKind(kind).GroupKind(), converter); err != nil {
		return nil, err
	}
	return passThrough{next: crconversion.NewWebhookHandler(scheme, registry)}, nil
}

// counted is a conversion to a version that metrics tell of. One that panics has failed:
// controller-runtime's handler recovers, and answers so.
func counted[From, To any](version string, convert func(context.Context, From, To) error) func(context.Context, From, To) error {
	return func(ctx context.Context, from From, to To) error {
		result := metrics.Failed
		defer func() { metrics.Conversions.WithLabelValues(version, result).Inc() }()
		err := convert(ctx, from, to)
		if err == nil {
			result = metrics.Converted
		}
		return err
	}
}

// passThrough gives objects that have the wanted version already back as they
// are: controller-runtime's handler fails the whole review for one of them.
type passThrough struct {
	next http.Handler
}

// ServeHTTP implements http.Handler.
func (p passThrough) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var review apiextensionsv1.ConversionReview
	if json.Unmarshal(body, &review) != nil || review.Request == nil || review.Request.DesiredAPIVersion == "" {
		http.Error(w, "the body must be a ConversionReview with a request for a version", http.StatusBadRequest)
		return
	}
	mixed, err := split(&review)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if mixed == nil {
		p.serve(w, r, body)
		return
	}
	rest, err := json.Marshal(review)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer := &recorder{header: http.Header{}, status: http.StatusOK}
	p.serve(answer, r, rest)
	mixed.write(w, answer)
}

func (p passThrough) serve(w http.ResponseWriter, r *http.Request, body []byte) {
	request := r.Clone(r.Context())
	request.Body = io.NopCloser(bytes.NewReader(body))
	request.ContentLength = int64(len(body))
	p.next.ServeHTTP(w, request)
}

// recorder keeps an answer.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (r *recorder) Header() http.Header { return r.header }

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(status int) { r.status = status }

// Write implements http.ResponseWriter.
func (r *recorder) Write(data []byte) (int, error) { return r.body.Write(data) }

// mixture is the objects of a review, those to be converted left out.
type mixture []*runtime.RawExtension

// split takes the objects that have the wanted version out of a review; nil
// where there are none.
func split(review *apiextensionsv1.ConversionReview) (mixture, error) {
	var all mixture
	var others []runtime.RawExtension
	for i := range review.Request.Objects {
		var version struct {
			APIVersion string `json:"apiVersion"`
		}
		raw := review.Request.Objects[i]
		if len(raw.Raw) == 0 {
			return nil, errors.New("an object of the review is empty")
		}
		// The names of fields are case-sensitive in Kubernetes, and not in encoding/json.
		if kjson.UnmarshalCaseSensitivePreserveInts(raw.Raw, &version) == nil && version.APIVersion == review.Request.DesiredAPIVersion {
			all = append(all, &raw)
			continue
		}
		all = append(all, nil)
		others = append(others, raw)
	}
	if len(others) == len(all) {
		return nil, nil
	}
	review.Request.Objects = others
	return all, nil
}

// write puts the answer for the others and the objects that were left out
// together, in the order of the review.
func (m mixture) write(w http.ResponseWriter, answer *recorder) {
	var review apiextensionsv1.ConversionReview
	converted := json.Unmarshal(answer.body.Bytes(), &review) == nil && review.Response != nil &&
		review.Response.Result.Status == "Success"
	if answer.status != http.StatusOK || !converted {
		w.WriteHeader(answer.status)
		_, _ = w.Write(answer.body.Bytes())
		return
	}
	others := review.Response.ConvertedObjects
	objects := make([]runtime.RawExtension, 0, len(m))
	for _, same := range m {
		if same != nil {
			objects = append(objects, *same)
			continue
		}
		objects = append(objects, others[0])
		others = others[1:]
	}
	review.Response.ConvertedObjects = objects
	_ = json.NewEncoder(w).Encode(review)
}
