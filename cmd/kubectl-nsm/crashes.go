// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/health"
	"github.com/networkservicemesh/nsm-operator/internal/mask"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/report"
)

const (
	// logTime is how long reading the end of a log may take: a kubelet may not answer.
	logTime = 5 * time.Second
	// mostEnd is how much of the end of a log is read, in bytes.
	mostEnd = 256 << 10
)

// colour of a terminal, which NSM's logs have as well.
var colour = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// seeCrashes reads the last lines of containers that crash, with the user's own right to
// read logs.
func (c *cluster) seeCrashes(ctx context.Context, seen *report.Seen) error {
	pods := slices.DeleteFunc(slices.Clone(seen.Pods), func(pod corev1.Pod) bool {
		return !slices.ContainsFunc(seen.NSMs, func(nsm nsmv1beta1.NSM) bool {
			return pod.Namespace == nsm.Namespace && pod.Labels[mesh.LabelNSM] == nsm.Name
		})
	})
	seen.Crashes = report.CrashesIn(pods)
	core, err := typedcorev1.NewForConfig(c.config)
	if err != nil {
		return err
	}
	var reading sync.WaitGroup
	for i := range seen.Crashes {
		crash := &seen.Crashes[i]
		if lines, isKnown := c.lastLines[runOf(crash)]; isKnown {
			crash.Log = lines
			continue
		}
		reading.Go(func() { crash.Log, crash.NotSeen = endOfLog(ctx, core, crash) })
	}
	reading.Wait()
	c.lastLines = map[string][]string{}
	for i := range seen.Crashes {
		if crash := &seen.Crashes[i]; crash.NotSeen == "" {
			c.lastLines[runOf(crash)] = crash.Log
		}
	}
	return nil
}

// runOf a crash tells one run of a container from the next.
func runOf(crash *report.Crash) string {
	return fmt.Sprintf("%s/%s %s %d %t", crash.Namespace, crash.Pod, crash.Container, crash.Restarts, crash.Previous)
}

// endOfLog of a container, without secrets, or why it is not seen.
func endOfLog(ctx context.Context, core typedcorev1.PodsGetter, crash *report.Crash) (lines []string, notSeen string) {
	ctx, cancel := context.WithTimeout(ctx, logTime)
	defer cancel()
	content, err := core.Pods(crash.Namespace).GetLogs(crash.Pod, &corev1.PodLogOptions{
		Container: crash.Container, Previous: crash.Previous, TailLines: ptr.To[int64](report.MostLines),
	}).Stream(ctx)
	switch {
	case apierrors.IsForbidden(err):
		return nil, "get pods/log: forbidden"
	case err != nil:
		return nil, health.Shorten(err.Error(), report.MostLine)
	}
	defer content.Close()
	var masked bytes.Buffer
	writer := mask.NewWriter(&masked)
	if _, err := io.Copy(writer, io.LimitReader(content, mostEnd)); err != nil {
		return nil, health.Shorten(err.Error(), report.MostLine)
	}
	if err := writer.Close(); err != nil {
		return nil, err.Error()
	}
	for line := range strings.Lines(colour.ReplaceAllLiteralString(masked.String(), "")) {
		if line = health.Shorten(line, report.MostLine); line != "" {
			lines = append(lines, line)
		}
	}
	return lines[max(0, len(lines)-report.MostLines):], ""
}
