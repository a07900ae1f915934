// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

// FieldOf finds the field of a spec that a field of a rendered workload or Service
// comes from: "spec.nsmgr.env[0].name" for
// "spec.template.spec.containers[0].env[7].name". It takes the API server's paths,
// and its complaint, which tells the entries of a map apart. "" is for a field that
// the operator itself fills.
func FieldOf(spec *nsmv1beta1.NSMSpec, object Object, rendered, complaint string) string {
	origin := originOf(spec, object)
	origin.complaint = complaint
	component := origin.component
	// The API server leaves out a step of the path to labels and annotations.
	rendered = strings.Replace(rendered, "spec.template.metadata.", "spec.template.", 1)
	for _, mapping := range []struct {
		field string
		find  func(rest string) string
	}{
		{"metadata.labels", func(string) string {
			return entry(complaint, origin.ownMap("labels", component.Labels), specMap("labels", spec.Labels))
		}},
		{"metadata.annotations", func(string) string {
			return entry(complaint, origin.ownMap("annotations", component.Annotations), origin.described.ServiceAnnotations,
				specMap("annotations", spec.Annotations))
		}},
		{"spec.template.labels", func(string) string {
			return entry(complaint, origin.ownMap("podLabels", component.PodLabels), specMap("podLabels", spec.PodLabels))
		}},
		{"spec.template.annotations", func(string) string {
			return entry(complaint, origin.ownMap("podAnnotations", component.PodAnnotations), specMap("podAnnotations", spec.PodAnnotations))
		}},
		{"spec.template.spec.nodeSelector", func(string) string {
			if component.NodeSelector != nil {
				return entry(complaint, origin.ownMap("nodeSelector", component.NodeSelector))
			}
			return entry(complaint, specMap("nodeSelector", spec.NodeSelector))
		}},
		{"spec.template.spec.tolerations", origin.toleration},
		{"spec.template.spec.affinity", origin.affinity},
		{"spec.template.spec.priorityClassName", origin.priorityClass},
		{"spec.template.spec.imagePullSecrets", origin.pullSecret},
		{"spec.template.spec.volumes", origin.volume},
		{"spec.template.spec.containers", func(rest string) string { return origin.container(origin.pod.Containers, rest) }},
		{"spec.template.spec.initContainers", func(rest string) string { return origin.container(origin.pod.InitContainers, rest) }},
		{"spec.updateStrategy.rollingUpdate.maxUnavailable", func(string) string { return "spec.upgrade.maxUnavailable" }},
		{"spec.replicas", func(string) string { return origin.path + ".replicas" }},
	} {
		if rest, ok := strings.CutPrefix(rendered, mapping.field); ok && (rest == "" || strings.ContainsAny(rest[:1], ".[")) {
			return mapping.find(rest)
		}
	}
	return ""
}

// IsTried reports whether FieldOf knows an object, so that the API server can be
// asked about it: a workload or a Service.
func IsTried(object Object) bool {
	switch object.(type) {
	case *appsv1.DaemonSet, *appsv1.Deployment, *corev1.Service:
		return true
	default:
		return false
	}
}

// origin is where in a spec an object is described.
type origin struct {
	spec *nsmv1beta1.NSMSpec
	pod  corev1.PodSpec
	// complaint of the API server's.
	complaint string
	// described is the component, as the spec tells about it.
	described Described
	// path of the component, and what it holds.
	path      string
	component nsmv1beta1.ComponentSpec
}

func originOf(spec *nsmv1beta1.NSMSpec, object Object) origin {
	o := origin{spec: spec}
	if _, isService := object.(*corev1.Service); !isService {
		o.pod = PodTemplateOf(object).Spec
	}
	for _, described := range Describe(spec) {
		if described.Workload == object.GetLabels()[LabelName] {
			o.described, o.path = described, described.Path.String()
			o.component = ptr.Deref(described.Spec, nsmv1beta1.ComponentSpec{})
		}
	}
	return o
}

// ownMap is a map of the component's.
func (o origin) ownMap(name string, entries map[string]string) DescribedMap {
	return DescribedMap{o.described.Path.Child(name), entries}
}

// specMap is a map of the whole spec's.
func specMap(name string, entries map[string]string) DescribedMap {
	return DescribedMap{field.NewPath("spec", name), entries}
}

// entry is the entry of one of the user's maps that a complaint quotes: the
// operator puts entries of its own beside them. A complaint about the size of all
// of them quotes none.
func entry(complaint string, all ...DescribedMap) string {
	for _, one := range all {
		for _, key := range slices.Sorted(maps.Keys(one.Entries)) {
			if strings.Contains(complaint, strconv.Quote(key)) || strings.Contains(complaint, strconv.Quote(one.Entries[key])) {
				return one.Path.Key(key).String()
			}
		}
	}
	for _, one := range all {
		if len(one.Entries) > 0 && strings.HasPrefix(complaint, "may not be more than ") {
			return one.Path.String()
		}
	}
	return ""
}

func (o origin) toleration(rest string) string {
	i, rest, ok := index(rest, len(o.pod.Tolerations))
	if !ok {
		return ""
	}
	path, users := o.path, o.component.Tolerations
	if users == nil {
		path, users = "spec", o.spec.Tolerations
	}
	for j := range users {
		if reflect.DeepEqual(users[j], o.pod.Tolerations[i]) && o.isAbout(o.pod.Tolerations[i]) {
			return fmt.Sprintf("%s.tolerations[%d]%s", path, j, rest)
		}
	}
	return ""
}

func (o origin) affinity(rest string) string {
	if o.component.Affinity == nil {
		return ""
	}
	return o.path + ".affinity" + rest
}

func (o origin) priorityClass(string) string {
	switch {
	case o.component.PriorityClassName != "":
		return o.path + ".priorityClassName"
	case o.spec.PriorityClassName != "":
		return "spec.priorityClassName"
	default:
		return ""
	}
}

func (o origin) pullSecret(rest string) string {
	i, rest, ok := index(rest, len(o.pod.ImagePullSecrets))
	if !ok {
		return ""
	}
	for j, secret := range ptr.Deref(o.spec.Images, nsmv1beta1.ImagesSpec{}).PullSecrets {
		if secret.Name == o.pod.ImagePullSecrets[i].Name {
			return fmt.Sprintf("spec.images.pullSecrets[%d]%s", j, rest)
		}
	}
	return ""
}

func (o origin) volume(rest string) string {
	i, _, ok := index(rest, len(o.pod.Volumes))
	if !ok {
		return ""
	}
	return o.mounted(o.pod.Volumes[i].Name)
}

// mount is where a container has a volume. Of two mounts in one place the API server
// complains of the later one, and the other one may be the user's.
func (o origin) mount(mounts []corev1.VolumeMount, rest string) string {
	i, _, ok := index(rest, len(mounts))
	if !ok || !strings.HasSuffix(o.complaint, "must be unique") {
		return ""
	}
	for _, mount := range mounts {
		if field := o.mounted(mount.Name); field != "" && mount.MountPath == mounts[i].MountPath {
			return field
		}
	}
	return ""
}

// mounted is what of the spec a volume is made of.
func (o origin) mounted(volume string) string {
	switch volume {
	case spireVolume:
		return "spec.spire.agentSocket"
	case kubeletVolume, csiSocketVolume, csiPodsVolume, csiRegistrationVolume:
		if o.spec.KubeletDirectory != "" {
			return "spec.kubeletDirectory"
		}
	case sriovConfigVolume:
		return o.path + ".sriovConfig"
	case deviceSelectorVolume:
		return o.path + ".deviceSelector"
	}
	return ""
}

// sidecar is what the spec tells about a container; nil for one without a place of its
// own.
func (o origin) sidecar(name string) *DescribedContainer {
	i := slices.IndexFunc(o.described.Sidecars, func(sidecar DescribedContainer) bool { return slices.Contains(sidecar.Names, name) })
	if i < 0 {
		return nil
	}
	return &o.described.Sidecars[i]
}

func (o origin) container(containers []corev1.Container, rest string) string {
	i, rest, ok := index(rest, len(containers))
	if !ok {
		return ""
	}
	container := containers[i]
	path, spec := o.path, o.component.ContainerSpec
	if sidecar := o.sidecar(container.Name); sidecar != nil {
		path, spec = sidecar.Path.String(), ptr.Deref(sidecar.Spec, nsmv1beta1.ContainerSpec{})
	} else if i > 0 {
		return ""
	}
	field, below := step(rest)
	switch {
	case field == "image" && spec.Image != "":
		return path + ".image"
	case field == "image":
		return "spec.images"
	case field == "resources" && spec.Resources != nil:
		return path + rest
	case field == "env":
		return o.variable(path, spec.Env, container.Env, below)
	case field == "volumeMounts":
		return o.mount(container.VolumeMounts, below)
	}
	return ""
}

// variable finds a variable among the user's by its name: the operator's own
// come first.
func (o origin) variable(path string, users, rendered []corev1.EnvVar, rest string) string {
	i, rest, ok := index(rest, len(rendered))
	if !ok {
		return ""
	}
	for j := range users {
		if users[j].Name == rendered[i].Name && o.isAbout(rendered[i]) {
			return fmt.Sprintf("%s.env[%d]%s", path, j, rest)
		}
	}
	return ""
}

// isAbout reports whether the value that the complaint begins with is one of an
// element's. It is not where a webhook of somebody else has put elements of its own
// before ours, so that the index is another one's.
func (o origin) isAbout(element any) bool {
	quoted, err := strconv.QuotedPrefix(o.complaint)
	if err != nil {
		return true
	}
	value, err := strconv.Unquote(quoted)
	if err != nil || value == "" {
		return true
	}
	asText, err := json.Marshal(value)
	if err != nil {
		return true
	}
	data, err := json.Marshal(element)
	return err != nil || bytes.Contains(data, asText)
}

// index reads "[2].name" as 2 and ".name", where 2 is one of so many.
func index(path string, length int) (int, string, bool) {
	number, rest, found := strings.Cut(strings.TrimPrefix(path, "["), "]")
	i, err := strconv.Atoi(number)
	return i, rest, found && err == nil && i >= 0 && i < length
}

// step reads ".env[2].name" as "env" and "[2].name".
func step(path string) (field, rest string) {
	path = strings.TrimPrefix(path, ".")
	if end := strings.IndexAny(path, ".["); end >= 0 {
		return path[:end], path[end:]
	}
	return path, ""
}
