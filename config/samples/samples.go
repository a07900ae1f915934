// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package samples has what the operator's own tools need of the samples.
package samples

import _ "embed" // the script

// Ping is the script that waits for a client's connection and pings through it.
//
//go:embed application/files/ping.sh
var Ping string
