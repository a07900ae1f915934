// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package conversion

import (
	"cmp"
	"slices"
)

// putSpec writes what a v1beta1 spec says into the v1alpha1 spec that it was
// written in, or into an empty one. Whatever of it says the same already stays
// as it is, in the shape that it has; so does what v1beta1 knows nothing of.
// What v1alpha1 has no word for is left out.
func putSpec(original, spec any) any {
	in, isObject := spec.(object)
	out, _ := clone(original).(object)
	if out == nil {
		out = object{}
	}
	flat := isFlat(out)
	putVersion(out, in, flat)
	putImages(out, in)
	putText(out, "nsmLogLevel", text(in, "logLevel"))
	putText(out, "spireAgentSocket", text(child(in, "spire"), "agentSocket"))
	putRegistry(out, in, flat)
	putNsmgr(out, in)
	putWebhook(out, in)
	putForwarders(out, in)
	if len(out) == 0 && !isObject {
		return nothing
	}
	return out
}

// putText writes a string, unless it is there already.
func putText(out object, key, value string) {
	if text(out, key) != value {
		setText(out, key, value)
	}
}

// putVersion writes to tag where the spec has one, since it counts, or has the
// flat shape; else to version.
func putVersion(out, in object, flat bool) {
	wanted := text(in, "version")
	tag, version := text(out, "tag"), text(out, "version")
	switch {
	case cmp.Or(tag, version) == wanted:
	case wanted == "":
		delete(out, "tag")
		delete(out, "version")
	case tag != "" || flat && version == "":
		out["tag"] = wanted
	default:
		out["version"] = wanted
	}
}

func putImages(out, in object) {
	images := child(in, "images")
	putText(out, "organization", text(images, "repository"))
	putText(out, "nsmPullPolicy", text(images, "pullPolicy"))
	// The host has a place only where the registry's object is not.
	if child(out, "registry") == nil && isFlat(out) && (child(in, "registry") == nil || text(child(in, "registry"), "type") == memory) {
		putText(out, "registry", text(images, "registry"))
	}
}

// putRegistry keeps the flat shape where it can say what is wanted.
func putRegistry(out, in object, flat bool) {
	wanted := child(in, "registry")
	if _, isHost := out["registry"].(string); isHost {
		if wanted != nil {
			putImage(out, nil, bareImage{key: "registryMemoryImage", standard: imageRegistryMemory}, text(wanted, "image"))
		}
		return
	}
	if nested := child(out, "registry"); nested != nil {
		if wanted != nil {
			putRegistryObject(nested, wanted)
			return
		}
		delete(out, "registry")
	}
	switch {
	case wanted == nil && isFlat(out):
		// The flat shape would mean a memory registry.
		if _, said := registryUp(out).(object); said {
			out["registry"] = object{}
		}
	case wanted == nil:
	case flat && text(wanted, "type") == memory && env(wanted, "env") == nothing && replicas(wanted) == nothing:
		putImage(out, nil, bareImage{key: "registryMemoryImage", standard: imageRegistryMemory}, text(wanted, "image"))
	default:
		nested := object{}
		putRegistryObject(nested, wanted)
		out["registry"] = nested
	}
}

func putRegistryObject(out, wanted object) {
	putText(out, "type", text(wanted, "type"))
	putText(out, "image", text(wanted, "image"))
	putEnv(out, wanted)
	if !same(replicasUp(out), replicas(wanted)) {
		set(out, "replicaCount", replicas(wanted))
	}
}

func replicas(registry object) any {
	if count, ok := number(registry, "replicas"); ok && count != 0 {
		return registry["replicas"]
	}
	return nothing
}

func putNsmgr(out, in object) {
	wanted := child(in, "nsmgr")
	putImage(out, &nestedImage{"nsmgr", "image"}, bareImage{"nsmgrImage", imageNsmgr}, text(wanted, "image"))
	putNestedEnv(out, "nsmgr", wanted)

	excludePrefixes := child(wanted, "excludePrefixes")
	if excludePrefixes == nil {
		if hasExcludePrefixes(out) {
			delete(out, "exclPref")
			delete(out, "exclPrefImage")
		}
		return
	}
	putImage(out, &nestedImage{"exclPref", "exclPrefImage"}, bareImage{"exclPrefImage", ""}, text(excludePrefixes, "image"))
	putNestedEnv(out, "exclPref", excludePrefixes)
	if !hasExcludePrefixes(out) {
		out["exclPref"] = object{}
	}
}

func putWebhook(out, in object) {
	wanted := child(in, "admissionWebhook")
	putImage(out, &nestedImage{"webhook", "image"}, bareImage{"admwhImage", ""}, text(wanted, "image"))
	putNestedEnv(out, "webhook", wanted)
}

// nestedImage is where the nested shape has a component's image, bareImage where
// the flat one has it, with the name that is NSM's own.
type (
	nestedImage struct{ component, key string }
	bareImage   struct{ key, standard string }
)

// putImage writes an image to where the spec has one, or else to where the
// nested shape does. The nested one counts where both are given.
func putImage(out object, nested *nestedImage, bare bareImage, wanted string) {
	given := ""
	if nested != nil {
		given = text(child(out, nested.component), nested.key)
	}
	if cmp.Or(given, wholeImage(out, text(out, bare.key), bare.standard)) == wanted {
		return
	}
	switch {
	case wanted == "":
		delete(out, bare.key)
		if nested != nil && given != "" {
			delete(child(out, nested.component), nested.key)
		}
	case nested == nil && isWhole(wanted), nested != nil && given == "" && text(out, bare.key) != "" && isWhole(wanted):
		out[bare.key] = wanted
	case nested != nil:
		ensureChild(out, nested.component)[nested.key] = wanted
	default:
		// A name without a registry would be completed to another one.
		delete(out, bare.key)
	}
}

func putNestedEnv(out object, component string, wanted object) {
	if !same(env(child(out, component), "envVars"), env(wanted, "env")) {
		putEnv(ensureChild(out, component), wanted)
	}
}

func putEnv(out, wanted object) {
	if variables := env(wanted, "env"); !same(env(out, "envVars"), variables) {
		set(out, "envVars", clone(variables))
	}
}

// putForwarders changes, removes and adds forwarders one by one, each where the
// spec has it.
func putForwarders(out, in object) {
	list, isList := in["forwarders"].([]any)
	present := forwardersUp(out)
	if !isList {
		if present != nothing {
			deletePlane(out)
			delete(out, "forwardingPlanes")
			delete(out, "forwarders")
		}
		return
	}
	wanted := &wantedForwarders{}
	for _, item := range list {
		if forwarder, ok := item.(object); ok {
			wanted.all = append(wanted.all, forwarder)
		}
	}
	order := forwarderNames(list)
	putPlane(out, wanted)
	for _, key := range forwarderLists {
		putForwarderList(out, key, wanted)
	}
	addForwarders(out, wanted)
	orderForwarders(out, order)
}

// wantedForwarders are the forwarders that have no place yet.
type wantedForwarders struct {
	all []object
}

func (w *wantedForwarders) find(name string) int {
	return slices.IndexFunc(w.all, func(forwarder object) bool { return forwarderName(forwarder) == name })
}

// take gives the first one of a name its place; nil where there is none. Two of
// one name, which validation refuses, take their places one after the other.
func (w *wantedForwarders) take(name string) object {
	i := w.find(name)
	if i < 0 {
		return nil
	}
	forwarder := w.all[i]
	w.all = slices.Delete(w.all, i, i+1)
	return forwarder
}

func deletePlane(out object) {
	delete(out, "forwardingPlaneName")
	delete(out, "forwardingPlaneImage")
}

// putPlane changes the one forwarder of the flat shape, or removes it where it
// is not wanted, or is to be what the flat shape cannot say: then it goes to a list.
func putPlane(out object, wanted *wantedForwarders) {
	plane := planeOf(out)
	if plane == nil {
		return
	}
	i := wanted.find(forwarderName(plane))
	if i < 0 {
		deletePlane(out)
		return
	}
	changed := changeForwarder(out, plane, wanted.all[i])
	if has(changed, "type") || has(changed, "envVars") {
		deletePlane(out)
		return
	}
	putText(out, "forwardingPlaneImage", text(changed, "image"))
	putText(out, "forwardingPlaneName", text(changed, "name"))
	wanted.all = slices.Delete(wanted.all, i, i+1)
}

func putForwarderList(out object, key string, wanted *wantedForwarders) {
	list, ok := out[key].([]any)
	if !ok {
		return
	}
	kept := make([]any, 0, len(list))
	for _, item := range list {
		forwarder, isObject := item.(object)
		if !isObject {
			kept = append(kept, item)
			continue
		}
		if change := wanted.take(forwarderName(forwarder)); change != nil {
			kept = append(kept, changeForwarder(out, forwarder, change))
		}
	}
	out[key] = kept
}

// addForwarders adds those that are left, to the list that is in use.
func addForwarders(out object, wanted *wantedForwarders) {
	key := "forwarders"
	if _, ok := out["forwardingPlanes"].([]any); ok && !has(out, key) {
		key = "forwardingPlanes"
	}
	list, isList := out[key].([]any)
	for _, forwarder := range wanted.all {
		list = append(list, forwarderDown(forwarder))
	}
	if len(list) > 0 {
		out[key] = list
		return
	}
	if !isList && forwardersUp(out) == nothing {
		out[key] = []any{}
	}
}

// orderForwarders brings forwarders into their order where a single list has
// them all. Two of one name keep the places that they have.
func orderForwarders(out object, order []string) {
	if planeOf(out) != nil {
		return
	}
	var lists [][]any
	for _, key := range forwarderLists {
		if list, ok := out[key].([]any); ok && len(list) > 0 {
			lists = append(lists, list)
		}
	}
	if len(lists) != 1 || slices.Equal(forwarderNames(lists[0]), order) {
		return
	}
	place := func(item any) int {
		forwarder, _ := item.(object)
		return slices.Index(order, forwarderName(forwarder))
	}
	slices.SortStableFunc(lists[0], func(one, other any) int { return place(one) - place(other) })
}

// forwarderNames are the names of those elements of a list that are forwarders.
func forwarderNames(list []any) []string {
	var names []string
	for _, item := range list {
		if forwarder, ok := item.(object); ok {
			names = append(names, forwarderName(forwarder))
		}
	}
	return names
}

// changeForwarder is a forwarder of v1alpha1 with what one of v1beta1 says.
func changeForwarder(spec, forwarder, wanted object) object {
	out, _ := clone(forwarder).(object)
	putForwarderImage(spec, out, text(wanted, "image"))
	if forwarderType(out) != text(wanted, "type") {
		setText(out, "type", text(wanted, "type"))
		// Another type has another image of its own.
		putForwarderImage(spec, out, text(wanted, "image"))
	}
	putEnv(out, wanted)
	if name := forwarderName(wanted); forwarderName(out) != name {
		// The name was the type's.
		out["name"] = name
	}
	return out
}

// putForwarderImage writes a whole reference. A name without a registry would be
// completed to another one.
func putForwarderImage(spec, out object, wanted string) {
	if wholeImage(spec, givenImage(out), imageForwarderPrefix+forwarderType(out)) == wanted {
		return
	}
	key := "image"
	if text(out, key) == "" && text(out, "Image") != "" {
		key = "Image"
	}
	if wanted == "" || !isWhole(wanted) {
		delete(out, "image")
		delete(out, "Image")
		return
	}
	out[key] = wanted
}

func forwarderDown(forwarder object) object {
	out := object{}
	setText(out, "type", text(forwarder, "type"))
	setText(out, "name", text(forwarder, "name"))
	putForwarderImage(nil, out, text(forwarder, "image"))
	set(out, "envVars", clone(env(forwarder, "env")))
	return out
}
