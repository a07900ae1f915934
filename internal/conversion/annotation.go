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
	"errors"
	"io"
	"slices"
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
	// padding stands behind compressed data that would grow by more than maxRatio.
	padding = "."
)

// The annotation can be written by whoever may write the object's metadata, and
// is read whenever the object is: by conversion for every reader, and by the
// operator in every pass. So reading it must cost no more than an object of its
// size may. What is beyond these limits is not read, and not written.
const (
	// MaxUnpacked is the size in bytes of the JSON. An object that says as much in
	// the other version comes close to what etcd takes, 1.5 MiB.
	MaxUnpacked = 1 << 20
	// maxRatio is how much longer than the annotation its JSON may be.
	maxRatio = 8
	// maxDepth is how deep objects and lists may lie in each other. The deepest
	// place in the schema, in an affinity, is at 15.
	maxDepth = 100
	// maxValues is the number of values and keys in the JSON, which is what makes
	// it large in memory.
	maxValues = 1 << 16
	// maxDifferences is their number. An object with every map and list of
	// v1beta1 as full as the schema allows has some 4,000.
	maxDifferences = 1 << 13
	// MaxPath is the number of steps in the path of a difference.
	MaxPath = 16
)

// Data is the content of the annotation.
type Data struct {
	// V1alpha1 is, on an object of v1beta1, how it was written in v1alpha1.
	V1alpha1 *Original `json:"v1alpha1,omitempty"`
	// V1beta1 is, on an object of v1alpha1, what its v1beta1 form says beyond it.
	V1beta1 []Difference `json:"v1beta1,omitempty"`
	// InHand is what the API server had in hand when it began to work out a
	// server-side apply. It is for admission, and never stored.
	InHand *InHand `json:"inHand,omitempty"`
}

// InHand is a spec in the version in which it came; or nothing, where admission
// has looked at it.
type InHand struct {
	APIVersion string          `json:"apiVersion"`
	Spec       json.RawMessage `json:"spec,omitempty"`
}

// Original is an object as it was written in the other version.
type Original struct {
	// Spec as it was written, verbatim.
	Spec json.RawMessage `json:"spec,omitempty"`
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

// IsEmpty reports whether there is nothing to keep.
func (d Data) IsEmpty() bool {
	return (d.V1alpha1 == nil || len(d.V1alpha1.Spec) == 0) && len(d.V1beta1) == 0 && d.InHand == nil
}

// Decode reads the value of the annotation. What cannot be read, or is beyond
// what an honest object needs, says nothing.
func Decode(value string) (Data, bool) {
	text, err := textOf(value)
	if err != nil || !isModest(text) {
		return Data{}, false
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	// Numbers stay as they were written.
	decoder.UseNumber()
	var data Data
	if err := decoder.Decode(&data); err != nil || !data.isModest() {
		return Data{}, false
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return Data{}, false
	}
	return data, !data.IsEmpty()
}

// Encode writes the value of the annotation. The same data always gives the same
// value. Data that Decode would not read gives TooLarge.
func (d Data) Encode() (string, error) {
	text, err := json.Marshal(d)
	switch {
	case err != nil:
		return "", err
	case len(text) > MaxUnpacked || !d.isModest() || !isModest(text):
		return TooLarge, nil
	case len(text) <= MaxPlain:
		return string(text), nil
	}
	value, err := pack(text)
	if missing := len(text) - maxRatio*len(value); missing > 0 {
		value += strings.Repeat(padding, missing/maxRatio+1)
	}
	return value, err
}

func pack(text []byte) (string, error) {
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

var errTooLarge = errors.New("is larger than any that conversion writes")

// textOf is the JSON in a value of the annotation.
func textOf(value string) ([]byte, error) {
	if len(value) > MaxTotal {
		return nil, errTooLarge
	}
	packed, ok := strings.CutPrefix(value, compressed)
	if !ok {
		return []byte(value), nil
	}
	packed = strings.TrimRight(packed, padding)
	reader, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, strings.NewReader(packed)))
	if err != nil {
		return nil, err
	}
	most := min(MaxUnpacked, maxRatio*len(value))
	text, err := io.ReadAll(io.LimitReader(reader, int64(most)+1))
	if len(text) > most {
		return nil, errTooLarge
	}
	return text, err
}

func (d Data) isModest() bool {
	return len(d.V1beta1) <= maxDifferences && !slices.ContainsFunc(d.V1beta1, func(difference Difference) bool {
		return len(difference.Path) > MaxPath
	})
}

// isModest tells, before JSON is decoded, that it is neither too deep nor too
// large in memory.
func isModest(text []byte) bool {
	depth, values, quoted := 0, 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
			values++
		case c == '}' || c == ']':
			depth--
		case c == ',' || c == ':':
			values++
		}
		if depth > maxDepth || values > maxValues {
			return false
		}
	}
	return true
}
