// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package conversion

import (
	"strings"
	"testing"
)

func TestParts(t *testing.T) {
	whole := `
version: v1.18.0
images: {registry: ghcr.io, repository: nsm}
nsmgr: {env: [{name: A, value: a}, {name: B, value: b}], nodeSelector: {a: b, c: d}}
forwarders: [{name: vpp, type: vpp}, {name: ovs, type: ovs}]
upgrade: {}`
	part := `
version: v1.0.0
images: {registry: quay.io}
nsmgr: {env: [{name: B, value: x}], nodeSelector: {c: d}}
forwarders: [{name: vpp, type: vpp}]`
	for _, test := range []struct{ name, got, want string }{
		{"what is left without a part", toJSON(t, minus(parseYAML(t, whole), parseYAML(t, part))),
			`{"images":{"repository":"nsm"},"nsmgr":{"env":[{"name":"A","value":"a"}],"nodeSelector":{"a":"b"}},"upgrade":{}}`},
		{"with a part put in", toJSON(t, plus(parseYAML(t, whole), parseYAML(t, part))),
			`{"forwarders":[{"name":"vpp","type":"vpp"}],"images":{"registry":"quay.io","repository":"nsm"},` +
				`"nsmgr":{"env":[{"name":"B","value":"x"},{"name":"A","value":"a"}],"nodeSelector":{"a":"b","c":"d"}},"upgrade":{},"version":"v1.0.0"}`},
		{"what both say", toJSON(t, common(parseYAML(t, whole), parseYAML(t, part))),
			`{"forwarders":[{"name":"vpp","type":"vpp"}],"nsmgr":{"env":[{"name":"B"}],"nodeSelector":{"c":"d"}}}`},
		{"what a manager has", toJSON(t, partOf(parseYAML(t, whole), parse(t,
			`{"f:version":{},"f:nsmgr":{"f:env":{"k:{\"name\":\"A\"}":{".":{},"f:name":{},"f:value":{}}},"f:nodeSelector":{"f:a":{}}},"f:forwarders":{},"f:absent":{}}`))),
			`{"forwarders":[{"name":"vpp","type":"vpp"},{"name":"ovs","type":"ovs"}],"nsmgr":{"env":[{"name":"A","value":"a"}],"nodeSelector":{"a":"b"}},"version":"v1.18.0"}`},
		{"places", strings.Join(places(parseYAML(t, whole), "spec"), " "),
			"spec.forwarders[vpp].type spec.forwarders[ovs].type spec.images.registry spec.images.repository " +
				"spec.nsmgr.env[A].value spec.nsmgr.env[B].value spec.nsmgr.nodeSelector.a spec.nsmgr.nodeSelector.c spec.upgrade spec.version"},
	} {
		if test.got != test.want {
			t.Errorf("%s:\ngot  %s\nwant %s", test.name, test.got, test.want)
		}
	}
	if left := minus(parseYAML(t, part), parseYAML(t, part)); left != nothing {
		t.Errorf("a value without itself: %v", left)
	}
}
