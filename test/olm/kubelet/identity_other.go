// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

//go:build !linux

package kubelet

import "os/exec"

// runAs does nothing: there are no user namespaces.
func runAs(*exec.Cmd, int) {}
