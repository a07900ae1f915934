// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package conversion knows the annotation in which an NSM of one version
// carries what only the other version can say: how it is written and read, and
// what in it nobody understands. The conversion itself is in webhooks.
package conversion

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"io"
	"strings"
)

const (
	// Annotation holds a Data. It is there only where something would be lost
	// without it.
	Annotation = "nsm.networkservicemesh.io/conversion-data"

	// MaxPlain is the size in bytes up to which the annotation is plain JSON.
	// Larger ones are compressed.
	MaxPlain = 16 << 10

	// MaxTotal is the size in bytes that Kubernetes allows all annotations of an
	// object together, keys and values. The API server checks it after
	// conversion, so that one byte more would make every read of the object fail.
	MaxTotal = 256 << 10

	// TooLarge is the annotation's value where there was no room for the data.
	// The object reads well, but admission refuses to have it written so.
	TooLarge = "too large"

	compressed = "gzip:"
	// maxUnpacked bounds what a compressed annotation, which anybody can write,
	// may grow to.
	maxUnpacked = 16 << 20
)

// Data is the content of the annotation.
type Data struct {
	// V1alpha1 is, on an object of v1beta1, how it was written in v1alpha1.
	V1alpha1 *Original `json:"v1alpha1,omitempty"`
	// V1beta1 is, on an object of v1alpha1, what its v1beta1 form says beyond it.
	V1beta1 []Difference `json:"v1beta1,omitempty"`
}

// Original is an object as it was written in the other version.
type Original struct {
	// Spec as it was written, verbatim; nothing where there was no spec.
	Spec json.RawMessage `json:"spec,omitempty"`
	// Of is the hash of the spec, in this version, that says the same. With any
	// other hash the object has been edited in this version since. Without a
	// hash, Spec says nothing.
	Of string `json:"of,omitempty"`
	// Status and StatusOf are the same for the status.
	Status   json.RawMessage `json:"status,omitempty"`
	StatusOf string          `json:"statusOf,omitempty"`
}

// Difference is one place in which two documents differ. A side without an
// element is one that has nothing there.
type Difference struct {
	// Path to the place: steps that are ".key" into an object and "#name" into a
	// list whose elements have names.
	Path []string `json:"path"`
	// Was and Is are what the place held before and after.
	Was []any `json:"was,omitempty"`
	Is  []any `json:"is,omitempty"`
	// WasOrder and IsOrder are, instead, the order of the named elements of a list.
	WasOrder []string `json:"wasOrder,omitempty"`
	IsOrder  []string `json:"isOrder,omitempty"`
}

// Decode reads the value of the annotation. What cannot be read says nothing.
func Decode(value string) (Data, bool) {
	text := []byte(value)
	if packed, ok := strings.CutPrefix(value, compressed); ok {
		var err error
		if text, err = unpack(packed); err != nil {
			return Data{}, false
		}
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	// Numbers stay as they were written.
	decoder.UseNumber()
	var data Data
	if err := decoder.Decode(&data); err != nil {
		return Data{}, false
	}
	return data, data.V1alpha1 != nil || len(data.V1beta1) > 0
}

// Encode writes the value of the annotation. The same data always gives the
// same value.
func (d Data) Encode() (string, error) {
	text, err := json.Marshal(d)
	if err != nil || len(text) <= MaxPlain {
		return string(text), err
	}
	var packed bytes.Buffer
	writer, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return "", err
	}
	if _, err := writer.Write(text); err != nil {
		return "", err
	}
	if err := writer.Close(); err != nil {
		return "", err
	}
	return compressed + base64.StdEncoding.EncodeToString(packed.Bytes()), nil
}

func unpack(packed string) ([]byte, error) {
	reader, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, strings.NewReader(packed)))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(reader, maxUnpacked))
}
