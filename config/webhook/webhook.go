// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package webhook has the webhook configurations that the operator makes for
// itself, with OLM and without.
package webhook

import _ "embed" // the configurations

// Mutating is the MutatingWebhookConfiguration, as YAML, without what is only known
// at run time: the CA, and the namespace of the Service.
//
//go:embed mutating.yaml
var Mutating []byte

// Validating is the ValidatingWebhookConfiguration, likewise.
//
//go:embed validating.yaml
var Validating []byte
