// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package metrics

import (
	"fmt"
	"strings"
)

// Markdown is the table of metrics for docs/metrics.md.
func Markdown() string {
	var page strings.Builder
	page.WriteString("| metric | kind | labels | from | meaning |\n| --- | --- | --- | --- | --- |\n")
	for _, metric := range All() {
		from := "the leader"
		if metric.EveryReplica {
			from = "each replica"
		}
		labels := ""
		if len(metric.Labels) > 0 {
			labels = "`" + strings.Join(metric.Labels, "`, `") + "`"
		}
		fmt.Fprintf(&page, "| `%s` | %s | %s | %s | %s |\n", metric.Name, metric.Kind, labels, from, metric.Help)
	}
	return page.String()
}
