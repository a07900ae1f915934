// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/networkservicemesh/nsm-operator/internal/release"
)

func TestMergeEnv(t *testing.T) {
	value := func(name, value string) corev1.EnvVar { return corev1.EnvVar{Name: name, Value: value} }
	secret := func(name string) corev1.EnvVar {
		return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{Key: "k"}}}
	}
	for _, tc := range []struct {
		name              string
		ours, users, want []corev1.EnvVar
	}{
		{name: "nothing"},
		{name: "only ours", ours: []corev1.EnvVar{value("A", "1")}, want: []corev1.EnvVar{value("A", "1")}},
		{name: "only the user's", users: []corev1.EnvVar{value("A", "1")}, want: []corev1.EnvVar{value("A", "1")}},
		{
			name: "the user wins, in our place",
			ours: []corev1.EnvVar{value("A", "1"), value("B", "$(A)")}, users: []corev1.EnvVar{value("A", "2")},
			want: []corev1.EnvVar{value("A", "2"), value("B", "$(A)")},
		},
		{
			name: "what we do not have comes last, in the user's order",
			ours: []corev1.EnvVar{value("B", "1")}, users: []corev1.EnvVar{value("Z", "1"), value("A", "1")},
			want: []corev1.EnvVar{value("B", "1"), value("Z", "1"), value("A", "1")},
		},
		{
			name: "a value replaces a source as a whole",
			ours: []corev1.EnvVar{fieldEnv("A", "metadata.name")}, users: []corev1.EnvVar{value("A", "1")},
			want: []corev1.EnvVar{value("A", "1")},
		},
		{
			name: "a source replaces a value as a whole",
			ours: []corev1.EnvVar{value("A", "1")}, users: []corev1.EnvVar{secret("A")},
			want: []corev1.EnvVar{secret("A")},
		},
		{
			name: "a field reference gets the version that the API server would fill in",
			users: []corev1.EnvVar{{Name: "A", ValueFrom: &corev1.EnvVarSource{
				FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"},
			}}},
			want: []corev1.EnvVar{fieldEnv("A", "metadata.name")},
		},
		{
			name: "an empty value is one too",
			ours: []corev1.EnvVar{value("A", "1")}, users: []corev1.EnvVar{value("A", "")},
			want: []corev1.EnvVar{value("A", "")},
		},
		{
			name: "of the user's own doubles the last one holds", users: []corev1.EnvVar{value("A", "1"), value("A", "2")},
			want: []corev1.EnvVar{value("A", "2")},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ours, users := deepCopy(tc.ours), deepCopy(tc.users)
			if diff := cmp.Diff(tc.want, mergeEnv(ours, users)); diff != "" {
				t.Errorf("merged (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.ours, ours); diff != "" {
				t.Errorf("our list was changed:\n%s", diff)
			}
			if diff := cmp.Diff(tc.users, users); diff != "" {
				t.Errorf("the user's list was changed:\n%s", diff)
			}
		})
	}
}

func deepCopy(env []corev1.EnvVar) []corev1.EnvVar {
	var all []corev1.EnvVar
	for _, variable := range env {
		all = append(all, *variable.DeepCopy())
	}
	return all
}

func TestResources(t *testing.T) {
	list := func(pairs ...string) corev1.ResourceList {
		var all corev1.ResourceList
		for i := 0; i < len(pairs); i += 2 {
			all = setResource(all, corev1.ResourceName(pairs[i]), resource.MustParse(pairs[i+1]))
		}
		return all
	}
	published := release.Container{
		Requests: release.Resources{CPU: "100m"},
		Limits:   release.Resources{CPU: "200m", Memory: "40Mi"},
	}
	for _, tc := range []struct {
		name      string
		published release.Container
		user      *corev1.ResourceRequirements
		want      corev1.ResourceRequirements
	}{
		{name: "nothing"},
		{
			name: "NSM's own", published: published,
			want: corev1.ResourceRequirements{Requests: list("cpu", "100m"), Limits: list("cpu", "200m", "memory", "40Mi")},
		},
		{
			name: "an empty wish changes nothing", published: published, user: &corev1.ResourceRequirements{},
			want: corev1.ResourceRequirements{Requests: list("cpu", "100m"), Limits: list("cpu", "200m", "memory", "40Mi")},
		},
		{
			name: "one name replaced, the others kept", published: published,
			user: &corev1.ResourceRequirements{Limits: list("memory", "1Gi")},
			want: corev1.ResourceRequirements{Requests: list("cpu", "100m"), Limits: list("cpu", "200m", "memory", "1Gi")},
		},
		{
			name: "names that NSM does not have", published: published,
			user: &corev1.ResourceRequirements{Requests: list("memory", "1Gi"), Limits: list("example.com/device", "2")},
			want: corev1.ResourceRequirements{
				Requests: list("cpu", "100m", "memory", "1Gi"),
				Limits:   list("cpu", "200m", "memory", "40Mi", "example.com/device", "2"),
			},
		},
		{
			name: "where NSM has nothing", user: &corev1.ResourceRequirements{Requests: list("cpu", "1")},
			want: corev1.ResourceRequirements{Requests: list("cpu", "1")},
		},
		{
			name: "claims", published: release.Container{},
			user: &corev1.ResourceRequirements{Claims: []corev1.ResourceClaim{{Name: "nic"}}},
			want: corev1.ResourceRequirements{Claims: []corev1.ResourceClaim{{Name: "nic"}}},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			user := tc.user.DeepCopy()
			if diff := cmp.Diff(tc.want, Resources(tc.published, user)); diff != "" {
				t.Errorf("merged (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.user, user); diff != "" {
				t.Errorf("the user's was changed:\n%s", diff)
			}
		})
	}
}
