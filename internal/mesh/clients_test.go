// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh_test

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

func TestWhichClientsAreStale(t *testing.T) {
	const images = mesh.ClientImages("ghcr.io/networkservicemesh/cmd-nsc:v1.18.0,ghcr.io/networkservicemesh/cmd-nsc-init:v1.18.0")
	withClient := func(name, image string) corev1.Pod {
		return corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{
			{Name: "app", Image: "nginx:1.27"}, {Name: name, Image: image},
		}}}
	}
	ended := withClient("cmd-nsc", "ghcr.io/networkservicemesh/cmd-nsc:v1.17.0")
	ended.Status.Phase = corev1.PodSucceeded
	leaving := withClient("cmd-nsc", "ghcr.io/networkservicemesh/cmd-nsc:v1.17.0")
	leaving.DeletionTimestamp = &metav1.Time{}
	init := corev1.Pod{Spec: corev1.PodSpec{InitContainers: []corev1.Container{
		{Name: "cmd-nsc-init", Image: "ghcr.io/networkservicemesh/cmd-nsc-init:v1.17.0"},
	}}}
	for name, tested := range map[string]struct {
		pod   corev1.Pod
		stale bool
	}{
		"the release of the webhook":         {withClient("cmd-nsc", "ghcr.io/networkservicemesh/cmd-nsc:v1.18.0"), false},
		"out of a mirror":                    {withClient("cmd-nsc", "mirror.example.com:5000/nsm/cmd-nsc:v1.18.0"), false},
		"with a digest that a policy adds":   {withClient("cmd-nsc", "cmd-nsc:v1.18.0@sha256:"+strings.Repeat("0", 64)), false},
		"an older release":                   {withClient("cmd-nsc", "ghcr.io/networkservicemesh/cmd-nsc:v1.17.0"), true},
		"a newer one, after a rollback":      {withClient("cmd-nsc", "ghcr.io/networkservicemesh/cmd-nsc:v1.19.0"), true},
		"an older one that only starts":      {init, true},
		"no version at all":                  {withClient("cmd-nsc", "cmd-nsc"), true},
		"another container of such an image": {withClient("mine", "ghcr.io/networkservicemesh/cmd-nsc:v1.17.0"), false},
		"a pod that has ended":               {ended, false},
		"a pod that goes":                    {leaving, false},
		"a pod without a client":             {corev1.Pod{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			NewWithT(t).Expect(images.AreStaleIn(&tested.pod)).To(Equal(tested.stale))
		})
	}
}

func TestImagesOfClientsAreThoseOfTheWebhook(t *testing.T) {
	g := NewWithT(t)
	for _, component := range mesh.Components(testInput(t, nsmv1beta1.NSMSpec{Version: "v1.18.0"}, mesh.Platform{})) {
		if component.Role == mesh.RoleWebhook {
			g.Expect(mesh.ClientImagesOf(component)).To(Equal(
				mesh.ClientImages("ghcr.io/networkservicemesh/cmd-nsc:v1.18.0,ghcr.io/networkservicemesh/cmd-nsc-init:v1.18.0")))
			return
		}
	}
	t.Fatal("there is no webhook")
}
