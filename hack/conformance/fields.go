// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// keys name, by the name of a list, the fields that tell its elements apart
// (the list map keys of the Kubernetes API). Lists of objects that are not here
// are taken by position.
var keys = map[string][]string{
	"containers":       {"name"},
	"env":              {"name"},
	"imagePullSecrets": {"name"},
	"initContainers":   {"name"},
	"ports":            {"containerPort", "port", "protocol"},
	"versions":         {"name"},
	"volumeMounts":     {"mountPath"},
	"webhooks":         {"name"},
}

// sets are lists of strings without an order.
var sets = map[string]bool{
	"accessModes": true, "add": true, "apiGroups": true, "apiVersions": true, "drop": true, "operations": true,
	"resources": true, "shortNames": true, "values": true, "verbs": true,
}

// defaults are the values that the API server fills in where a field is absent.
var defaults = []struct{ path, value string }{
	{"*.fieldRef.apiVersion", "v1"},
	{"*.ports[*].protocol", "TCP"},
	{"*.hostPath.type", ""},
	{"*.configMap.defaultMode", "420"},
	{"*Probe.failureThreshold", "3"},
	{"*Probe.initialDelaySeconds", "0"},
	{"*Probe.periodSeconds", "10"},
	{"*Probe.successThreshold", "1"},
	{"*Probe.timeoutSeconds", "1"},
	{"*Probe.httpGet.scheme", "HTTP"},
	{"*.volumeMounts[*].readOnly", "false"},
	{"spec.template.spec.dnsPolicy", "ClusterFirst"},
	{"spec.template.spec.hostNetwork", "false"},
	{"spec.template.spec.hostPID", "false"},
	{"spec.template.spec.restartPolicy", "Always"},
	{"spec.template.spec.terminationGracePeriodSeconds", "30"},
	{"spec.replicas", "1"},
	{"spec.sessionAffinity", "None"},
	{"spec.type", "ClusterIP"},
	{"webhooks[*].failurePolicy", "Fail"},
	{"webhooks[*].matchPolicy", "Equivalent"},
	{"webhooks[*].reinvocationPolicy", "Never"},
	{"webhooks[*].timeoutSeconds", "10"},
	{"webhooks[*].clientConfig.service.port", "443"},
}

// fields are the leaves of an object: its values by their path, without those
// that the API server fills in anyway.
func fields(object *unstructured.Unstructured) map[string]string {
	w := walker{kind: object.GetKind(), fields: map[string]string{}}
	content := maps.Clone(object.Object)
	delete(content, "status")
	delete(content, "kind")
	w.walk("", "", content)
	for path, value := range w.fields {
		if isDefault(path, value) {
			delete(w.fields, path)
		}
	}
	return w.fields
}

// defaultOf a field that every object of its kind has in the end, "" where
// there is none.
func defaultOf(path string) string {
	for _, d := range defaults {
		if d.path == path {
			return d.value
		}
	}
	return ""
}

func isDefault(path, value string) bool {
	for _, d := range defaults {
		if d.value == value && matches(d.path, path) {
			return true
		}
	}
	return false
}

// walker collects the leaves of one object.
type walker struct {
	kind   string
	fields map[string]string
}

// walk collects what is in value, which is the field called name at path.
func (w walker) walk(path, name string, value any) {
	switch value := value.(type) {
	case nil:
	case map[string]any:
		w.walkMap(path, name, value)
	case []any:
		w.walkList(path, name, value)
	default:
		w.fields[path] = scalar(value)
		if strings.HasSuffix(path, ".resources.limits."+name) || strings.HasSuffix(path, ".resources.requests."+name) {
			w.fields[path] = quantity(w.fields[path])
		}
	}
}

func (w walker) walkMap(path, name string, object map[string]any) {
	// emptyDir is the one object that says something by being empty.
	if len(object) == 0 && name == "emptyDir" {
		w.fields[path] = "{}"
	}
	switch name {
	case "spec":
		object = oneServiceAccountName(object)
	case "ports":
		object = withTargetPort(object)
	}
	for field, value := range object {
		w.walk(join(path, field), field, value)
	}
}

// oneServiceAccountName: serviceAccount is the deprecated name of
// serviceAccountName.
func oneServiceAccountName(pod map[string]any) map[string]any {
	deprecated, ok := pod["serviceAccount"]
	if !ok {
		return pod
	}
	pod = maps.Clone(pod)
	delete(pod, "serviceAccount")
	if _, ok := pod["serviceAccountName"]; !ok {
		pod["serviceAccountName"] = deprecated
	}
	return pod
}

// withTargetPort: a Service's target port is its port where none is given.
func withTargetPort(port map[string]any) map[string]any {
	if _, ok := port["targetPort"]; ok || port["port"] == nil {
		return port
	}
	port = maps.Clone(port)
	port["targetPort"] = port["port"]
	return port
}

func (w walker) walkList(path, name string, list []any) {
	switch {
	case name == "env":
		w.walkReferences(path, list)
	case name == "rules" && strings.HasSuffix(w.kind, "Role"):
		w.walkPolicy(path, list)
		return
	case isScalars(list):
		w.fields[path] = scalars(list, sets[name])
		return
	}
	seen := map[string]int{}
	for i, element := range list {
		key := elementKey(name, i, element)
		if seen[key]++; seen[key] > 1 {
			key += "#" + strconv.Itoa(seen[key])
		}
		w.walk(path+"["+key+"]", name, element)
	}
}

// elementKey tells the element of a list apart from the others.
func elementKey(list string, position int, element any) string {
	object, _ := element.(map[string]any)
	if list == "volumes" {
		return volumeKey(object)
	}
	var values []string
	for _, key := range keys[list] {
		value, ok := object[key]
		if !ok || key == "protocol" && value == "TCP" {
			continue
		}
		values = append(values, scalar(value))
	}
	if len(values) == 0 {
		return strconv.Itoa(position)
	}
	return strings.Join(values, "/")
}

// volumeKey is what a volume brings into the pod; its name matters only to the
// mounts, which are compared for themselves.
func volumeKey(volume map[string]any) string {
	for source, what := range map[string]string{"hostPath": "path", "configMap": "name", "secret": "secretName", "csi": "driver"} {
		if value, ok, _ := unstructured.NestedString(volume, source, what); ok {
			return value
		}
	}
	return scalar(volume["name"])
}

// reference is a variable named in the value of another one.
var reference = regexp.MustCompile(`\$\(([A-Za-z_][A-Za-z0-9_]*)\)`)

// walkReferences collects which variables stand before those that refer to
// them: only there does Kubernetes put in the value.
func (w walker) walkReferences(path string, env []any) {
	before := map[string]bool{}
	for _, element := range env {
		variable, _ := element.(map[string]any)
		name := scalar(variable["name"])
		for _, match := range reference.FindAllStringSubmatch(scalar(variable["value"]), -1) {
			w.fields[path+"["+name+"].refersTo["+match[1]+"]"] = strconv.FormatBool(before[match[1]])
		}
		before[name] = true
	}
}

// walkPolicy collects what the rules of a role allow: for each resource, its
// verbs.
func (w walker) walkPolicy(path string, rules []any) {
	verbs := map[string][]string{}
	for _, element := range rules {
		rule, _ := element.(map[string]any)
		for _, what := range subjectsOf(rule) {
			verbs[what] = append(verbs[what], texts(rule["verbs"])...)
		}
	}
	for what, allowed := range verbs {
		slices.Sort(allowed)
		w.fields[path+"["+what+"]"] = strings.Join(slices.Compact(allowed), " ")
	}
}

// subjectsOf are the resources that a rule is about, as group/resource/name.
func subjectsOf(rule map[string]any) []string {
	all := texts(rule["nonResourceURLs"])
	for _, group := range texts(rule["apiGroups"]) {
		for _, resource := range texts(rule["resources"]) {
			what := strings.TrimPrefix(group+"/"+resource, "/")
			names := texts(rule["resourceNames"])
			for _, name := range names {
				all = append(all, what+"/"+name)
			}
			if len(names) == 0 {
				all = append(all, what)
			}
		}
	}
	return all
}

func texts(list any) []string {
	var all []string
	elements, _ := list.([]any)
	for _, element := range elements {
		all = append(all, scalar(element))
	}
	return all
}

func isScalars(list []any) bool {
	return !slices.ContainsFunc(list, func(element any) bool {
		switch element.(type) {
		case map[string]any, []any:
			return true
		}
		return false
	})
}

func scalars(list []any, isSet bool) string {
	elements := texts(list)
	if isSet {
		slices.Sort(elements)
	}
	text, err := json.Marshal(elements)
	if err != nil { // Never: these are strings.
		return fmt.Sprint(elements)
	}
	return string(text)
}

// scalar is a value as text: a number and its text are the same.
func scalar(value any) string {
	switch value := value.(type) {
	case nil:
		return ""
	case float64:
		return strconv.FormatFloat(value, 'f', -1, 64)
	default:
		return fmt.Sprint(value)
	}
}

// quantity in its canonical form: "1000m" is "1".
func quantity(text string) string {
	parsed, err := resource.ParseQuantity(text)
	if err != nil {
		return text
	}
	return parsed.String()
}

// plain is a field name that needs no brackets.
var plain = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func join(path, field string) string {
	switch {
	case !plain.MatchString(field):
		return path + "[" + field + "]"
	case path == "":
		return field
	default:
		return path + "." + field
	}
}
