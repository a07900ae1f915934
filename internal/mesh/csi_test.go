// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh_test

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

func TestWhoMountsAVolumeOfTheCSIDriver(t *testing.T) {
	volume := func(driver string) []corev1.Volume {
		return []corev1.Volume{{}, {VolumeSource: corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{Driver: driver}}}}
	}
	for what, test := range map[string]struct {
		driver  string
		phase   corev1.PodPhase
		isGoing bool
		want    bool
	}{
		"a pod that runs":                        {mesh.CSIDriverName, corev1.PodRunning, false, true},
		"one that starts":                        {mesh.CSIDriverName, corev1.PodPending, false, true},
		"not one that has ended":                 {mesh.CSIDriverName, corev1.PodSucceeded, false, false},
		"nor one that has failed":                {mesh.CSIDriverName, corev1.PodFailed, false, false},
		"one that has ended and is taken apart":  {mesh.CSIDriverName, corev1.PodSucceeded, true, true},
		"one that has failed and is taken apart": {mesh.CSIDriverName, corev1.PodFailed, true, true},
		"not one of another driver":              {"csi.spiffe.io", corev1.PodRunning, false, false},
	} {
		pod := &corev1.Pod{Spec: corev1.PodSpec{Volumes: volume(test.driver)}, Status: corev1.PodStatus{Phase: test.phase}}
		if test.isGoing {
			pod.DeletionTimestamp = new(metav1.Now())
		}
		NewWithT(t).Expect(mesh.MountsVolumeOf(mesh.CSIDriverName, pod)).To(Equal(test.want), what)
	}
}

func TestWhoseCSIDriverTakesOver(t *testing.T) {
	one := func(uid, zone string, hasDriver bool) *nsmv1beta1.NSM {
		nsm := &nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Namespace: "of-" + uid, Name: "mesh", UID: types.UID(uid)}}
		nsm.Spec.NodeSelector = map[string]string{"zone": zone}
		nsm.Spec.AdmissionWebhook = &nsmv1beta1.AdmissionWebhookSpec{Enabled: new(bool)}
		if hasDriver {
			nsm.Spec.CSIDriver = &nsmv1beta1.CSIDriverSpec{}
		}
		return nsm
	}
	deleted := func(nsm *nsmv1beta1.NSM) *nsmv1beta1.NSM {
		nsm.DeletionTimestamp = new(metav1.Now())
		return nsm
	}
	for what, test := range map[string]struct {
		other, going *nsmv1beta1.NSM
		want         bool
	}{
		"that of a mesh beside it":                 {one("b", "b", true), one("a", "a", false), true},
		"not where there is none":                  {one("b", "b", false), one("a", "a", false), false},
		"nor its own":                              {one("a", "a", true), one("a", "a", false), false},
		"nor one that goes as well":                {deleted(one("b", "b", true)), one("a", "a", false), false},
		"nor that of a mesh that cannot be beside": {one("b", "a", true), one("a", "a", false), false},
		"but that of one that takes its place":     {one("b", "a", true), deleted(one("a", "a", true)), true},
	} {
		NewWithT(t).Expect(mesh.TakesCSIDriver(test.other, test.going)).To(Equal(test.want), what)
	}
}
