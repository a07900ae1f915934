// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package webhooks

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

// The schema of v1beta1 does not look at objects written in v1alpha1, whose own
// schema is as wide as what was ever released. What v1alpha1 can say is checked
// here as the schema of v1beta1 would; for objects of v1beta1 that is done by then.

var (
	forwarderNamePattern = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
	imageHostPattern     = regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?(:[0-9]{1,5})?$`)
	imagePathPattern     = regexp.MustCompile(`^[a-z0-9]+([._/-]+[a-z0-9]+)*$`)
	agentSocketPattern   = regexp.MustCompile(`^unix:///[^\s/]+(/[^\s/]+)+$`)

	logLevels      = []string{"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"}
	forwarderTypes = []string{"vpp", "ovs", "sriov"}
	registryTypes  = []string{"k8s", "memory"}
)

const (
	maxName          = 63
	maxForwarderName = 52
	maxReplicas      = 100
)

func validateAsSchema(nsm *nsmv1beta1.NSM, path *field.Path) field.ErrorList {
	spec := &nsm.Spec
	var errs field.ErrorList
	if len(nsm.Name) > maxName {
		errs = append(errs, field.Invalid(field.NewPath("metadata", "name"), nsm.Name,
			fmt.Sprintf("must be at most %d characters long: it becomes the value of a label", maxName)))
	}
	errs = append(errs, oneOf(path.Child("logLevel"), string(spec.LogLevel), logLevels)...)
	if spec.Images != nil {
		images := path.Child("images")
		errs = append(errs, matches(images.Child("registry"), spec.Images.Registry, imageHostPattern, "must be the host of an image registry, and its port if it has one, such as ghcr.io")...)
		errs = append(errs, matches(images.Child("repository"), spec.Images.Repository, imagePathPattern, "must be the path within the image registry, such as networkservicemesh")...)
	}
	if spec.Spire != nil {
		errs = append(errs, matches(path.Child("spire", "agentSocket"), spec.Spire.AgentSocket, agentSocketPattern, "must be the URL of a unix socket in a directory, such as unix:///run/spire/sockets/agent.sock")...)
	}
	errs = append(errs, validateRegistry(spec.Registry, path.Child("registry"))...)
	errs = append(errs, validateForwarders(spec.Forwarders, path.Child("forwarders"))...)
	for _, container := range containers(spec, path) {
		errs = append(errs, validateEnv(container.spec.Env, container.path.Child("env"))...)
	}
	return errs
}

func validateRegistry(registry *nsmv1beta1.RegistrySpec, path *field.Path) field.ErrorList {
	if registry == nil {
		return nil
	}
	errs := oneOf(path.Child("type"), string(registry.Type), registryTypes)
	replicas := ptr.Deref(registry.Replicas, 1)
	switch {
	case replicas < 1 || replicas > maxReplicas:
		errs = append(errs, field.Invalid(path.Child("replicas"), replicas, fmt.Sprintf("must be a number from 1 to %d", maxReplicas)))
	case replicas > 1 && registry.Type == nsmv1beta1.RegistryTypeMemory:
		errs = append(errs, field.Invalid(path.Child("replicas"), replicas,
			"is more than 1, and a memory registry keeps its entries in one process: must be 1, or "+path.Child("type").String()+" must be k8s"))
	}
	return errs
}

func validateForwarders(forwarders []nsmv1beta1.ForwarderSpec, path *field.Path) field.ErrorList {
	if forwarders != nil && len(forwarders) == 0 {
		return field.ErrorList{field.Invalid(path, field.OmitValueType{}, "is an empty list: must hold at least one forwarder; leave the field out for one of type vpp")}
	}
	var errs field.ErrorList
	var seen []string
	for i := range forwarders {
		forwarder := &forwarders[i]
		name := path.Index(i).Child("name")
		errs = append(errs, oneOf(path.Index(i).Child("type"), string(forwarder.Type), forwarderTypes)...)
		errs = append(errs, matches(name, forwarder.Name, forwarderNamePattern, "must be lower case letters, digits and dashes, such as forwarder-vpp")...)
		if len(forwarder.Name) > maxForwarderName {
			errs = append(errs, field.Invalid(name, forwarder.Name, fmt.Sprintf("must be at most %d characters long", maxForwarderName)))
		}
		if slices.Contains(seen, forwarder.Name) {
			errs = append(errs, field.Invalid(name, forwarder.Name, "is the name of another forwarder of this mesh: each needs a name of its own"))
		}
		seen = append(seen, forwarder.Name)
	}
	return errs
}

func validateEnv(env []corev1.EnvVar, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	var seen []string
	for i := range env {
		if slices.Contains(seen, env[i].Name) {
			errs = append(errs, field.Invalid(path.Index(i).Child("name"), env[i].Name, "is given twice: give each variable once"))
		}
		seen = append(seen, env[i].Name)
	}
	return errs
}

func oneOf(path *field.Path, value string, allowed []string) field.ErrorList {
	if value == "" || slices.Contains(allowed, value) {
		return nil
	}
	return field.ErrorList{field.Invalid(path, value, "must be one of "+strings.Join(allowed, ", "))}
}

func matches(path *field.Path, value string, pattern *regexp.Regexp, sentence string) field.ErrorList {
	if value == "" || pattern.MatchString(value) {
		return nil
	}
	return field.ErrorList{field.Invalid(path, value, sentence)}
}
