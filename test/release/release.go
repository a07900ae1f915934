// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package release tells tests which release this tree is: what they expect goes on being
// right when the version changes.
package release

import (
	"os"
	"regexp"
)

// Version of this tree.
func Version() string { return variable("VERSION") }

// BridgeVersion is that of the bridge from 1.8.0.
func BridgeVersion() string { return variable("BRIDGE_VERSION") }

// HasBridge is whether the bridge is released with this version.
func HasBridge() bool { return variable("BRIDGE_OF") == Version() }

// variable of the Makefile, of which a package of tests is two directories below.
func variable(name string) string {
	text, err := os.ReadFile("../../Makefile")
	if err != nil {
		panic(err)
	}
	found := regexp.MustCompile(`(?m)^` + name + ` *[?:]= *(\S+)$`).FindSubmatch(text)
	if found == nil {
		panic("the Makefile has no " + name)
	}
	return string(found[1])
}
