// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package webhooks

import "time"

// A busy machine may take longer than an API server should for a dry run, whose answer
// decides many specs.
func init() { dryRunTimeout = 6 * time.Second }
