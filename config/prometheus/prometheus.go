// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package prometheus has what Prometheus' operator is told of the operator itself.
package prometheus

import _ "embed" // the manifests

// ServiceMonitor has Prometheus read the operator's metrics; YAML.
//
//go:embed servicemonitor.yaml
var ServiceMonitor []byte

// Rules are the alerts; YAML.
//
//go:embed rules.yaml
var Rules []byte
