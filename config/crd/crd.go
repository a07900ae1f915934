// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package crd has the CustomResourceDefinition of NSM that is installed with the
// operator, for those who check objects by it.
package crd

import _ "embed" // the definition

// NSM is the CustomResourceDefinition, as YAML.
//
//go:embed bases/nsm.networkservicemesh.io_nsms.yaml
var NSM []byte
