// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package conversion

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

// Words translate between what an object says in v1beta1 and what somebody
// wrote in v1alpha1.
type Words struct {
	// written is the v1alpha1 spec.
	written object
	// pairs hold the paths of both versions, those further down first.
	pairs []pair
}

type pair struct{ v1beta1, v1alpha1 string }

// WordsOf finds the words of the v1alpha1 form of an object.
func WordsOf(nsm *nsmv1beta1.NSM) Words {
	written := object{}
	if original, ok := OriginalSpec(nsm); ok {
		value, _ := read(original)
		written, _ = value.(object)
	} else if data, err := json.Marshal(nsm.Spec); err == nil {
		value, _ := read(data)
		written, _ = putSpec(nothing, value).(object)
	}
	return Words{written: written, pairs: pairsOf(written)}
}

func pairsOf(written object) []pair {
	pairs := forwarderPairs(written)
	add := func(v1beta1, v1alpha1 string) { pairs = append(pairs, pair{"spec." + v1beta1, "spec." + v1alpha1}) }
	// The first that is there counts.
	image := func(v1beta1, nested, bare string) {
		component, key, isNested := strings.Cut(nested, ".")
		if text(written, bare) != "" && (!isNested || text(child(written, component), key) == "") {
			nested = bare
		}
		add(v1beta1, nested)
	}
	if text(written, "tag") != "" {
		add("version", "tag")
	}
	add("images.registry", "registry")
	add("images.repository", "organization")
	add("images.pullPolicy", "nsmPullPolicy")
	add("logLevel", "nsmLogLevel")
	add("spire.agentSocket", "spireAgentSocket")
	if child(written, "registry") == nil {
		add("registry.image", "registryMemoryImage")
	}
	add("registry.replicas", "registry.replicaCount")
	add("registry.env", "registry.envVars")
	image("nsmgr.excludePrefixes.image", "exclPref.exclPrefImage", "exclPrefImage")
	add("nsmgr.excludePrefixes.env", "exclPref.envVars")
	image("nsmgr.image", "nsmgr.image", "nsmgrImage")
	add("nsmgr.env", "nsmgr.envVars")
	image("admissionWebhook.image", "webhook.image", "admwhImage")
	add("admissionWebhook.env", "webhook.envVars")
	add("admissionWebhook", "webhook")
	return pairs
}

// forwarderPairs knows in which of the lists each forwarder stands.
func forwarderPairs(written object) []pair {
	var pairs []pair
	at := func() string { return fmt.Sprintf("spec.forwarders[%d]", len(pairs)/pairsAForwarder) }
	if planeOf(written) != nil {
		pairs = append(pairs,
			pair{at() + ".image", "spec.forwardingPlaneImage"},
			pair{at() + ".name", planePath},
			pair{at() + ".env", planePath},
			pair{at(), planePath})
	}
	for _, key := range forwarderLists {
		list, _ := written[key].([]any)
		for i, item := range list {
			forwarder, ok := item.(object)
			if !ok {
				continue
			}
			place := fmt.Sprintf("spec.%s[%d]", key, i)
			pairs = append(pairs,
				pair{at() + ".image", place + "." + spelt(forwarder, "image", "Image")},
				pair{at() + ".name", place + "." + spelt(forwarder, "name", "Name")},
				pair{at() + ".env", place + ".envVars"},
				pair{at(), place})
		}
	}
	return pairs
}

const (
	pairsAForwarder = 4
	planePath       = "spec.forwardingPlaneName"
)

// spelt is the spelling of a field that a forwarder uses.
func spelt(forwarder object, usual, capital string) string {
	if text(forwarder, usual) == "" && text(forwarder, capital) != "" {
		return capital
	}
	return usual
}

// Path is where v1alpha1 has what v1beta1 has under a path.
func (w Words) Path(path string) string {
	for _, pair := range w.pairs {
		if rest, ok := strings.CutPrefix(path, pair.v1beta1); ok && (rest == "" || strings.ContainsAny(rest[:1], ".[")) {
			if pair.v1alpha1 == planePath {
				// A string has nothing below it.
				return pair.v1alpha1
			}
			return pair.v1alpha1 + rest
		}
	}
	return path
}

// SpecPath is the path of a field in a sentence.
var SpecPath = regexp.MustCompile(`spec(\.[A-Za-z0-9]+(\[[0-9]+\])?)+`)

// Sentence is a sentence in the words of v1alpha1.
func (w Words) Sentence(sentence string) string {
	return SpecPath.ReplaceAllStringFunc(sentence, w.Path)
}

// renamed holds, for the fields of v1alpha1 that have another name in v1beta1,
// that name.
var renamed = []pair{
	{"spec.version", "tag"},
	{"spec.images.repository", "organization"},
	{"spec.images.pullPolicy", "nsmPullPolicy"},
	{"spec.logLevel", "nsmLogLevel"},
	{"spec.spire.agentSocket", "spireAgentSocket"},
	{"spec.registry.image", "registryMemoryImage"},
	{"spec.registry.replicas", "registry.replicaCount"},
	{"spec.registry.env", "registry.envVars"},
	{"spec.nsmgr.image", "nsmgrImage"},
	{"spec.nsmgr.env", "nsmgr.envVars"},
	{"spec.forwarders[].name", "forwardingPlaneName"},
	{"spec.forwarders[].image", "forwardingPlaneImage"},
	{"spec.forwarders", "forwardingPlanes"},
	{"spec.admissionWebhook.image", "admwhImage"},
	{"spec.admissionWebhook.image", "webhook.image"},
	{"spec.admissionWebhook.env", "webhook.envVars"},
	{"spec.nsmgr.excludePrefixes.image", "exclPrefImage"},
	{"spec.nsmgr.excludePrefixes.image", "exclPref.exclPrefImage"},
	{"spec.nsmgr.excludePrefixes.env", "exclPref.envVars"},
}

// overruled holds pairs of fields of v1alpha1 that say the same thing, the one
// that counts first.
var overruled = [][2]string{
	{"tag", "version"},
	{"nsmgr.image", "nsmgrImage"},
	{"webhook.image", "admwhImage"},
	{"exclPref.exclPrefImage", "exclPrefImage"},
	{"registry.type", "registryMemoryImage"},
}

// Warnings tell what to write instead of v1alpha1, and what in it counts for
// nothing.
func (w Words) Warnings() []string {
	var warned []string
	var replacements []string
	for _, pair := range renamed {
		if w.has(pair.v1alpha1) {
			replacements = append(replacements, pair.v1beta1+" instead of spec."+pair.v1alpha1)
		}
	}
	if _, isHost := w.written["registry"].(string); isHost {
		replacements = append(replacements, "spec.images.registry instead of spec.registry")
	}
	if len(replacements) > 0 {
		warned = append(warned, "in "+nsmv1beta1.GroupVersion.Version+" write "+strings.Join(replacements, ", "))
	}
	for _, key := range slices.Sorted(maps.Keys(w.written)) {
		if IsObsolete("spec." + key) {
			warned = append(warned, "spec."+key+": has no effect: only the operator of 2020 knew it")
		}
	}
	for _, fields := range overruled {
		counts, idle := w.at(fields[0]), w.at(fields[1])
		if counts != "" && idle != "" && counts != idle {
			warned = append(warned, fmt.Sprintf("spec.%s: %s has no effect beside spec.%s: %s", fields[1], strconv.Quote(idle), fields[0], strconv.Quote(counts)))
		}
	}
	return warned
}

// at is the string under a path of one or two steps.
func (w Words) at(path string) string {
	component, key, nested := strings.Cut(path, ".")
	if nested {
		return text(child(w.written, component), key)
	}
	return text(w.written, component)
}

// has reports whether there is anything under a path of one or two steps.
func (w Words) has(path string) bool {
	component, key, nested := strings.Cut(path, ".")
	if nested {
		return has(child(w.written, component), key)
	}
	return has(w.written, component)
}
