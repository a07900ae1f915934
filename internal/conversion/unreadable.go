// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package conversion

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/lru"
	kjson "sigs.k8s.io/json"

	nsmv1alpha1 "github.com/networkservicemesh/nsm-operator/apis/v1alpha1"
	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

// Problem is a value that nobody can understand.
type Problem struct {
	// Path of the field: "spec.forwarders[1].envVars".
	Path string
	// Value as it was written, shortened.
	Value json.RawMessage
	// Detail says what it must be.
	Detail string
}

// Unreadable tells what in an NSM nobody can understand, in one sentence a
// field: "" when all is clear. Such an NSM must not be acted on: what it asks
// for is not known. It comes from a time, or a way, without validation.
func Unreadable(nsm *nsmv1beta1.NSM) string {
	problems := Problems(nsm)
	sentences := make([]string, 0, len(problems))
	for _, problem := range problems {
		sentences = append(sentences, fmt.Sprintf("%s: %s: %s", problem.Path, problem.Value, problem.Detail))
	}
	return strings.Join(sentences, "; ")
}

// Problems are the values of an NSM that nobody can understand, in either
// version; the first few of them, where there are many.
func Problems(nsm *nsmv1beta1.NSM) []Problem {
	var problems []Problem
	for _, name := range slices.Sorted(maps.Keys(nsm.Spec.Unreadable)) {
		value := nsm.Spec.Unreadable[name]
		if name == "" {
			problems = append(problems, problem("spec", value, "an object"))
			continue
		}
		problems = append(problems, problemsOf(fieldsOf(reflect.TypeFor[nsmv1beta1.NSMSpec]())[name], "spec."+name, value)...)
	}
	problems = append(problems, findingsOf(nsm).problems...)
	return problems[:min(len(problems), mostReported)]
}

// mostReported is how much is reported at once: it has to fit into a condition.
const mostReported = 10

// findings are what there is to tell about the v1alpha1 form that an NSM carries.
type findings struct {
	problems []Problem
	unknown  []string
}

// findingsByHash holds the findings about annotations that have been looked at, by
// their hashes: the operator asks in every pass.
var findingsByHash = lru.New(1024)

func findingsOf(nsm *nsmv1beta1.NSM) findings {
	value, ok := nsm.Annotations[Annotation]
	if !ok {
		return findings{}
	}
	hash := sha256.Sum256([]byte(value))
	if found, ok := findingsByHash.Get(hash); ok {
		return found.(findings) //nolint:forcetypeassert,errcheck // nothing else is put into it
	}
	var found findings
	if original, ok := OriginalSpec(nsm); ok {
		found.problems = problemsOf(reflect.TypeFor[nsmv1alpha1.NSMSpec](), "spec", original)
		found.unknown = unknownOf(original)
	}
	findingsByHash.Add(hash, found)
	return found
}

// OriginalSpec is the spec that an NSM was written in through v1alpha1, where it
// carries it.
func OriginalSpec(nsm *nsmv1beta1.NSM) (json.RawMessage, bool) {
	data, ok := Decode(nsm.Annotations[Annotation])
	if !ok || data.V1alpha1 == nil || len(data.V1alpha1.Spec) == 0 {
		return nil, false
	}
	return data.V1alpha1.Spec, true
}

// Unknown lists the fields that an NSM was given in v1alpha1 and that v1alpha1
// does not have: "spec.registry.size". They are carried along and have no
// effect. Where there are many, it lists the first few.
func Unknown(nsm *nsmv1beta1.NSM) []string { return findingsOf(nsm).unknown }

func unknownOf(original json.RawMessage) []string {
	var spec nsmv1alpha1.NSMSpec
	unknown, err := kjson.UnmarshalStrict(original, &spec)
	if err != nil {
		return nil
	}
	var fields []string
	for _, err := range unknown {
		if field, ok := strings.CutPrefix(err.Error(), "unknown field "); ok {
			fields = append(fields, "spec."+strings.Trim(field, `"`))
		}
	}
	if spec.Registry != nil {
		fields = append(fields, unknownOfRegistry(original)...)
	}
	fields = append(fields, obsoleteOf(original)...)
	fields = fields[:min(len(fields), mostReported)]
	for i := range fields {
		fields[i] = cut(fields[i], mostPath)
	}
	return fields
}

// IsObsolete reports whether a field that Unknown lists is one of the first
// operator's, which v1alpha1 keeps for its sake.
func IsObsolete(field string) bool {
	name, _ := strings.CutPrefix(field, "spec.")
	_, obsolete := fieldsOf(reflect.TypeFor[nsmv1alpha1.ObsoleteFields]())[name]
	return obsolete
}

// obsoleteOf lists the fields of the first operator's.
func obsoleteOf(original json.RawMessage) []string {
	var members map[string]json.RawMessage
	if json.Unmarshal(original, &members) != nil {
		return nil
	}
	var fields []string
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if IsObsolete("spec." + name) {
			fields = append(fields, "spec."+name)
		}
	}
	return fields
}

// unknownOfRegistry looks into the one field that decodes itself.
func unknownOfRegistry(original json.RawMessage) []string {
	var members map[string]json.RawMessage
	var registry map[string]json.RawMessage
	if json.Unmarshal(original, &members) != nil || json.Unmarshal(members["registry"], &registry) != nil {
		return nil
	}
	known := fieldsOf(reflect.TypeFor[nsmv1alpha1.RegistrySpec]())
	var fields []string
	for _, name := range slices.Sorted(maps.Keys(registry)) {
		if _, ok := known[name]; !ok {
			fields = append(fields, "spec.registry."+name)
		}
	}
	return fields
}

// problemsOf finds the values in JSON, as far down as can be, that a Go type
// cannot be read from.
func problemsOf(goType reflect.Type, path string, value json.RawMessage) []Problem {
	target := reflect.New(goType)
	if kjson.UnmarshalCaseSensitivePreserveInts(value, target.Interface()) == nil {
		return nil
	}
	for goType.Kind() == reflect.Pointer {
		goType = goType.Elem()
	}
	if goType == reflect.TypeFor[nsmv1alpha1.Registry]() && bytes.HasPrefix(bytes.TrimSpace(value), []byte("{")) {
		goType = reflect.TypeFor[nsmv1alpha1.RegistrySpec]()
	}
	if wanted, ok := selfReading[goType]; ok {
		return []Problem{problem(path, value, wanted)}
	}
	var found []Problem
	var members map[string]json.RawMessage
	var elements []json.RawMessage
	switch {
	case goType.Kind() == reflect.Struct && json.Unmarshal(value, &members) == nil:
		for _, name := range slices.Sorted(maps.Keys(members)) {
			if field, ok := fieldsOf(goType)[name]; ok {
				found = append(found, problemsOf(field, path+"."+name, members[name])...)
			}
		}
	case goType.Kind() == reflect.Map && json.Unmarshal(value, &members) == nil:
		for _, name := range slices.Sorted(maps.Keys(members)) {
			found = append(found, problemsOf(goType.Elem(), path+"["+name+"]", members[name])...)
		}
	case goType.Kind() == reflect.Slice && json.Unmarshal(value, &elements) == nil:
		for i := range elements {
			if len(found) >= mostReported {
				break
			}
			found = append(found, problemsOf(goType.Elem(), fmt.Sprintf("%s[%d]", path, i), elements[i])...)
		}
	}
	if len(found) == 0 {
		return []Problem{problem(path, value, wanted(goType, value))}
	}
	return found[:min(len(found), mostReported)]
}

func problem(path string, value json.RawMessage, wanted string) Problem {
	return Problem{Path: cut(path, mostPath), Value: shorten(value), Detail: "must be " + wanted}
}

// selfReading says what those types are read from that read themselves.
var selfReading = map[reflect.Type]string{
	reflect.TypeFor[nsmv1alpha1.Registry](): "a string (the image registry's host) or an object (the NSM registry)",
	reflect.TypeFor[metav1.Duration]():      "a duration such as 10s or 1m30s",
	reflect.TypeFor[metav1.Time]():          "a time such as 2026-01-31T12:00:00Z",
	reflect.TypeFor[resource.Quantity]():    "a quantity such as 100m or 64Mi",
	reflect.TypeFor[intstr.IntOrString]():   "a number or a percentage",
}

// wanted says what JSON a Go type is read from, for somebody who has written
// something else.
func wanted(goType reflect.Type, value json.RawMessage) string {
	written := strings.TrimSpace(string(value))
	switch goType.Kind() {
	case reflect.String:
		if strings.HasPrefix(written, "{") || strings.HasPrefix(written, "[") {
			return "a string"
		}
		return "a string: write it in quotes"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Int, reflect.Int32, reflect.Int64:
		if digits.MatchString(written) {
			return fmt.Sprintf("a whole number of at most %d", int64(1)<<(goType.Bits()-1)-1)
		}
		return "a whole number"
	default:
		return "an object"
	}
}

var digits = regexp.MustCompile(`^-?[0-9]+$`)

// shorten keeps a value within what fits into a sentence.
func shorten(value json.RawMessage) json.RawMessage {
	var compact bytes.Buffer
	if json.Compact(&compact, value) == nil {
		value = compact.Bytes()
	}
	return json.RawMessage(cut(string(value), 64))
}

// cut keeps a text to so many bytes, and to whole characters.
func cut(text string, most int) string {
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// mostPath is how much of a path fits into a sentence.
const mostPath = 256

// fieldsOf lists the fields of a struct by their JSON names.
func fieldsOf(structType reflect.Type) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	for _, field := range reflect.VisibleFields(structType) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name != "" && name != "-" {
			fields[name] = field.Type
		}
	}
	return fields
}
