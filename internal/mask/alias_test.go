// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mask_test

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/networkservicemesh/nsm-operator/internal/mask"
)

// nodesOfTest are two of which one's name begins like the other's.
var nodesOfTest = [][]string{{"worker-10", "worker-10.example.com"}, {"worker-1"}}

func TestAliases(t *testing.T) {
	for text, want := range map[string]string{
		"worker-1":                              "NODE_1",
		"nodeName: worker-10\n":                 "nodeName: NODE_2\n",
		"worker-10.example.com:5001":            "NODE_2:5001",
		"the node worker-1. It is worker-10":    "the node NODE_1. It is NODE_2",
		"pod etcd-worker-1 is there":            "pod etcd-NODE_1 is there",
		"nsm_worker-1_worker-10":                "nsm_NODE_1_NODE_2",
		`{"node":"worker-1","other":"worker2"}`: `{"node":"NODE_1","other":"worker2"}`,
		"coworker-1 worker-100 worker-1a":       "coworker-1 worker-100 worker-1a",

		"10.0.0.1":                                      "ADDRESS_1",
		"tcp://10.0.0.1:5001, 10.0.0.1":                 "tcp://ADDRESS_1:5001, ADDRESS_1",
		"10.0.0.0/16 via 10.0.0.1.":                     "ADDRESS_1/16 via ADDRESS_2.",
		"[fd00::12]:443 fe80::1%eth0":                   "[ADDRESS_1]:443 ADDRESS_2%eth0",
		"::ffff:10.0.0.1 ::/0":                          "ADDRESS_1 ::/0",
		"mac 02:fe:c3:a4:01:9f, up":                     "mac ADDRESS_1, up",
		"podIP=10.0.0.1;hostIP=10.0.0.2 again 10.0.0.1": "podIP=ADDRESS_1;hostIP=ADDRESS_2 again ADDRESS_1",

		// What tells nothing, or is no address.
		"127.0.0.1:8080 ::1 0.0.0.0 255.255.255.0": "127.0.0.1:8080 ::1 0.0.0.0 255.255.255.0",
		"v1.18.0 1.2.3 1.2.840.113549.1.1":         "v1.18.0 1.2.3 1.2.840.113549.1.1",
		"2026-11-29T10:11:12.131415Z 10:11:12":     "2026-11-29T10:11:12.131415Z 10:11:12",
		"std::string face b: 0000:01:00.0":         "std::string face b: 0000:01:00.0",
		"00:00:00:00:00:00":                        "00:00:00:00:00:00",
	} {
		if got := mask.NewAliases(nodesOfTest).String(text); got != want {
			t.Errorf("%s\nbecomes %s\nand not %s", text, got, want)
		}
		var written strings.Builder
		w := mask.NewAliases(nodesOfTest).Writer(&written)
		if _, err := io.Copy(struct{ io.Writer }{w}, iotest.OneByteReader(strings.NewReader(text))); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if got := written.String(); got != want {
			t.Errorf("%s, written a byte at a time,\nbecomes %s\nand not %s", text, got, want)
		}
	}
}

func TestAliasesAreListed(t *testing.T) {
	aliases := mask.NewAliases(nodesOfTest)
	aliases.String("10.0.0.2 10.0.0.1")
	const want = "NODE_1 worker-1\nNODE_2 worker-10 worker-10.example.com\nADDRESS_1 10.0.0.2\nADDRESS_2 10.0.0.1\n"
	if got := aliases.List(); got != want {
		t.Errorf("the list is\n%s\nand not\n%s", got, want)
	}
}

func TestAliasesOfALineThatDoesNotEnd(t *testing.T) {
	var written strings.Builder
	w := mask.NewAliases(nodesOfTest).Writer(&written)
	const times = 30_000
	for range times {
		if _, err := io.WriteString(w, "worker-1 "); err != nil {
			t.Fatal(err)
		}
	}
	if written.Len() == 0 {
		t.Error("all of it is held in memory")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := written.String(); got != strings.Repeat("NODE_1 ", times) {
		t.Error("it is not the same names all the way")
	}
}

func TestNoAliases(t *testing.T) {
	var none *mask.Aliases
	const text = "worker-1 10.0.0.1\nno end"
	var written strings.Builder
	w := none.Writer(&written)
	if _, err := fmt.Fprint(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if written.String() != text || none.String(text) != text {
		t.Errorf("%s was changed: %s", text, written.String())
	}
}
