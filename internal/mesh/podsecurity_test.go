// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh_test

import (
	"maps"
	"testing"

	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

const (
	enforce = "pod-security.kubernetes.io/enforce"
	audit   = "pod-security.kubernetes.io/audit"
	warn    = "pod-security.kubernetes.io/warn"
	sync    = "security.openshift.io/scc.podSecurityLabelSync"
)

// Nobody is refused, audited or warned, and OpenShift does not change that.
func TestAdmissionLabels(t *testing.T) {
	for _, tc := range []struct {
		name          string
		platform      mesh.Platform
		all, decisive map[string]string
	}{
		{
			"on plain Kubernetes", mesh.Platform{},
			map[string]string{enforce: "privileged", audit: "privileged", warn: "privileged"},
			map[string]string{enforce: "privileged"},
		},
		{
			"on OpenShift", openShift,
			map[string]string{enforce: "privileged", audit: "privileged", warn: "privileged", sync: "false"},
			map[string]string{enforce: "privileged", sync: "false"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			all := mesh.AdmissionLabels(tc.platform)
			if !maps.Equal(all, tc.all) {
				t.Errorf("the labels are %v, want %v", all, tc.all)
			}
			if decisive := mesh.DecisiveLabels(tc.platform); !maps.Equal(decisive, tc.decisive) {
				t.Errorf("the decisive ones are %v, want %v", decisive, tc.decisive)
			}
			if picked := mesh.OfAdmission(all); !maps.Equal(picked, all) {
				t.Errorf("only %v of them are looked at", picked)
			}
			if mesh.RefusesForwarders(all) {
				t.Error("forwarders are refused")
			}
		})
	}
}

func TestOfAdmissionLeavesOthersOut(t *testing.T) {
	picked := mesh.OfAdmission(map[string]string{audit: "baseline", "kubernetes.io/metadata.name": "nsm", enforce + "-version": "v1.31"})
	if !maps.Equal(picked, map[string]string{audit: "baseline"}) {
		t.Errorf("%v are looked at", picked)
	}
}

func TestRefusesForwarders(t *testing.T) {
	for level, refuses := range map[string]bool{"baseline": true, "restricted": true, "privileged": false} {
		if got := mesh.RefusesForwarders(map[string]string{enforce: level, audit: "restricted"}); got != refuses {
			t.Errorf("level %s refuses forwarders: %t, want %t", level, got, refuses)
		}
	}
	if mesh.RefusesForwarders(map[string]string{warn: "restricted", audit: "restricted"}) {
		t.Error("without a level nobody knows whether forwarders are refused")
	}
}
