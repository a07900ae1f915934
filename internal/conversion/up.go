// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package conversion

import (
	"cmp"
	"encoding/json"
	"math"
	"reflect"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

// The images of NSM's own names. An image of v1alpha1 that is exactly what
// spec.images leads to anyway is not written as an override.
const (
	imageRegistryMemory  = "cmd-registry-memory"
	imageNsmgr           = "cmd-nsmgr"
	imageForwarderPrefix = "cmd-forwarder-"
)

const memory = string(nsmv1beta1.RegistryTypeMemory)

// specUp says in v1beta1 what a v1alpha1 spec of any shape says. What cannot be
// understood says nothing.
func specUp(spec any) any {
	in, ok := spec.(object)
	if !ok {
		return nothing
	}
	out := object{}
	setText(out, "version", cmp.Or(text(in, "tag"), text(in, "version")))
	setText(out, "logLevel", text(in, "nsmLogLevel"))
	set(out, "images", imagesUp(in))
	if socket := text(in, "spireAgentSocket"); socket != "" {
		out["spire"] = object{"agentSocket": socket}
	}
	set(out, "registry", registryUp(in))
	set(out, "nsmgr", nsmgrUp(in))
	set(out, "forwarders", forwardersUp(in))
	out["admissionWebhook"] = admissionWebhookUp(in)
	return out
}

func imagesUp(in object) any {
	images := object{}
	setText(images, "registry", text(in, "registry"))
	setText(images, "repository", text(in, "organization"))
	setText(images, "pullPolicy", text(in, "nsmPullPolicy"))
	if len(images) == 0 {
		return nothing
	}
	return images
}

// registryUp finds the registry: an object in the nested shape; a memory
// registry in the flat shape, which knew no other.
func registryUp(in object) any {
	if nested, ok := in["registry"].(object); ok {
		registry := container(text(nested, "image"), env(nested, "envVars"))
		setText(registry, "type", text(nested, "type"))
		set(registry, "replicas", replicasUp(nested))
		return registry
	}
	if !isFlat(in) {
		return nothing
	}
	registry := container(wholeImage(in, text(in, "registryMemoryImage"), imageRegistryMemory), nothing)
	registry["type"] = memory
	return registry
}

// replicasUp leaves out a count of zero: the released operators created one
// replica for it.
func replicasUp(registry object) any {
	if count, ok := number(registry, "replicaCount"); ok && count != 0 {
		return registry["replicaCount"]
	}
	return nothing
}

// number is a member that is a whole number.
func number(from object, key string) (int64, bool) {
	value, ok := from[key].(json.Number)
	if !ok {
		return 0, false
	}
	count, err := strconv.ParseInt(value.String(), 10, 64)
	return count, err == nil && count >= math.MinInt32 && count <= math.MaxInt32
}

// isFlat reports whether a spec has the flat shape of the first releases.
func isFlat(in object) bool {
	if _, isHost := in["registry"].(string); isHost {
		return true
	}
	for _, key := range []string{
		"tag", "organization", "registryMemoryImage", "nsmgrImage", "forwardingPlaneName", "forwardingPlaneImage",
	} {
		if text(in, key) != "" {
			return true
		}
	}
	return false
}

func nsmgrUp(in object) any {
	nsmgr := container(nsmgrImage(in), env(child(in, "nsmgr"), "envVars"))
	if hasExcludePrefixes(in) {
		nsmgr["excludePrefixes"] = container(excludePrefixesImage(in), env(child(in, "exclPref"), "envVars"))
	}
	if len(nsmgr) == 0 {
		return nothing
	}
	return nsmgr
}

func nsmgrImage(in object) string {
	return cmp.Or(text(child(in, "nsmgr"), "image"), wholeImage(in, text(in, "nsmgrImage"), imageNsmgr))
}

func hasExcludePrefixes(in object) bool {
	return text(in, "exclPrefImage") != "" || child(in, "exclPref") != nil
}

func excludePrefixesImage(in object) string {
	return cmp.Or(text(child(in, "exclPref"), "exclPrefImage"), wholeImage(in, text(in, "exclPrefImage"), ""))
}

// admissionWebhookUp follows the released operators: there is a webhook where
// its image is given, and else none.
func admissionWebhookUp(in object) object {
	image := webhookImage(in)
	webhook := container(image, env(child(in, "webhook"), "envVars"))
	webhook["enabled"] = image != ""
	return webhook
}

func webhookImage(in object) string {
	return cmp.Or(text(child(in, "webhook"), "image"), wholeImage(in, text(in, "admwhImage"), ""))
}

// forwardersUp lists the one forwarder of the flat shape and those of either list.
func forwardersUp(in object) any {
	forwarders := []any{}
	if plane := planeOf(in); plane != nil {
		forwarders = append(forwarders, forwarderUp(in, plane))
	}
	listed := false
	for _, key := range forwarderLists {
		list, ok := in[key].([]any)
		listed = listed || ok
		for _, item := range list {
			if forwarder, ok := item.(object); ok {
				forwarders = append(forwarders, forwarderUp(in, forwarder))
			}
		}
	}
	if len(forwarders) == 0 && !listed {
		return nothing
	}
	return forwarders
}

// forwarderLists are the names that the list of forwarders has had.
var forwarderLists = []string{"forwardingPlanes", "forwarders"}

// planeOf is the one forwarder of the flat shape, as an element of a list; nil
// where there is none.
func planeOf(in object) object {
	plane := object{}
	setText(plane, "name", text(in, "forwardingPlaneName"))
	setText(plane, "image", text(in, "forwardingPlaneImage"))
	if len(plane) == 0 {
		return nil
	}
	return plane
}

func forwarderUp(in, forwarder object) object {
	forwarderType := forwarderType(forwarder)
	image := wholeImage(in, givenImage(forwarder), imageForwarderPrefix+forwarderType)
	out := container(image, env(forwarder, "envVars"))
	out["type"] = forwarderType
	out["name"] = forwarderName(forwarder)
	return out
}

func forwarderName(forwarder object) string {
	return cmp.Or(text(forwarder, "name"), text(forwarder, "Name"),
		nsmv1beta1.DefaultForwarderName(nsmv1beta1.ForwarderType(forwarderType(forwarder))))
}

func givenImage(forwarder object) string {
	return cmp.Or(text(forwarder, "image"), text(forwarder, "Image"))
}

// forwarderType reads the type of a forwarder that does not give it from its
// name or image; vpp was the only one when there was no type.
func forwarderType(forwarder object) string {
	if given := text(forwarder, "type"); given != "" {
		return given
	}
	for _, text := range []string{cmp.Or(text(forwarder, "name"), text(forwarder, "Name")), givenImage(forwarder)} {
		for _, known := range []nsmv1beta1.ForwarderType{
			nsmv1beta1.ForwarderTypeSRIOV, nsmv1beta1.ForwarderTypeOVS, nsmv1beta1.ForwarderTypeVPP,
		} {
			if strings.Contains(text, string(known)) {
				return string(known)
			}
		}
	}
	return string(nsmv1beta1.ForwarderTypeVPP)
}

// wholeImage completes a bare image name to registry/organization/name:tag. A
// name with "/" or ":" is whole. The name that spec.images and spec.version
// lead to anyway, standard, is no override and becomes "".
func wholeImage(in object, image, standard string) string {
	if image == "" || image == standard {
		return ""
	}
	if isWhole(image) {
		return image
	}
	image = cmp.Or(text(in, "registry"), "ghcr.io") + "/" + cmp.Or(text(in, "organization"), "networkservicemesh") + "/" + image
	if tag := cmp.Or(text(in, "tag"), text(in, "version")); tag != "" {
		image += ":" + tag
	}
	return image
}

func isWhole(image string) bool {
	return strings.ContainsAny(image, "/:")
}

func container(image string, env any) object {
	out := object{}
	setText(out, "image", image)
	set(out, "env", env)
	return out
}

// env is a member that is a list of environment variables, as far as they are
// such; nothing where it is none.
func env(from object, key string) any {
	list, ok := from[key].([]any)
	if !ok {
		return nothing
	}
	variables := make([]any, 0, len(list))
	for _, item := range list {
		variable, ok := envVar(item)
		if !ok {
			return nothing
		}
		variables = append(variables, variable)
	}
	return variables
}

// envVar spares most variables, which have a plain value, the way through the
// Go type.
func envVar(item any) (any, bool) {
	variable, ok := item.(object)
	if !ok {
		return nil, false
	}
	_, named := variable["name"].(string)
	value := get(variable, "value")
	_, valued := value.(string)
	if named && (valued || value == nothing) && len(without(variable, "name", "value")) == 0 {
		return variable, true
	}
	data, err := json.Marshal(variable)
	if err != nil || json.Unmarshal(data, &corev1.EnvVar{}) != nil {
		return nil, false
	}
	return known(variable, reflect.TypeFor[corev1.EnvVar]()), true
}

// known leaves of a value what a Go type has fields for. The API server would
// take away the rest after conversion, and that must not look like an edit.
func known(value any, goType reflect.Type) any {
	for goType.Kind() == reflect.Pointer {
		goType = goType.Elem()
	}
	if reflect.PointerTo(goType).Implements(reflect.TypeFor[json.Unmarshaler]()) && goType != reflect.TypeFor[nsmv1beta1.NSMStatus]() {
		return value
	}
	switch value := value.(type) {
	case object:
		if goType.Kind() != reflect.Struct {
			return value
		}
		kept := object{}
		for _, field := range reflect.VisibleFields(goType) {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if member, ok := value[name]; ok && name != "-" && name != "" {
				kept[name] = known(member, field.Type)
			}
		}
		return kept
	case []any:
		if goType.Kind() != reflect.Slice {
			return value
		}
		kept := make([]any, 0, len(value))
		for _, item := range value {
			kept = append(kept, known(item, goType.Elem()))
		}
		return kept
	}
	return value
}
