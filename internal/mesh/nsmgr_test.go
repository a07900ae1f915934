// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// TestARegistryAlone: without managers there is nothing that needs them, and all that
// other domains use.
func TestARegistryAlone(t *testing.T) {
	for name, tc := range map[string]struct {
		spec nsmv1beta1.NSMSpec
		want []string
	}{
		"nothing else": {nsmv1beta1.NSMSpec{}, []string{mesh.RegistryName}},
		"what the schema refuses": {
			nsmv1beta1.NSMSpec{
				Forwarders:       []nsmv1beta1.ForwarderSpec{{Type: nsmv1beta1.ForwarderTypeVPP}},
				AdmissionWebhook: &nsmv1beta1.AdmissionWebhookSpec{Enabled: ptr.To(true)}, CSIDriver: &nsmv1beta1.CSIDriverSpec{},
			},
			[]string{mesh.RegistryName},
		},
		"what other domains use": {
			nsmv1beta1.NSMSpec{Interdomain: &nsmv1beta1.InterdomainSpec{ClusterName: "three"}, Dashboard: &nsmv1beta1.DashboardSpec{}},
			[]string{"cluster-info", "dashboard", mesh.RegistryName, "nsmgr-proxy", "registry-proxy"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tc.spec.Version, tc.spec.Nsmgr = "v1.18.0", &nsmv1beta1.NsmgrSpec{Enabled: ptr.To(false)}
			in := testInput(t, tc.spec, everyPlatform)
			var got []string
			for _, component := range mesh.Components(in) {
				got = append(got, component.Workload.GetName())
			}
			slices.Sort(got)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if mesh.NeedsWebhookCertificate(&tc.spec, in.Release) || mesh.Registers(in) {
				t.Error("there is something to wait for that never comes")
			}
		})
	}
}
