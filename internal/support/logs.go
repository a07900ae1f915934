// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package support

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
)

// log is one of a container.
type log struct {
	pod       *pod
	container string
	previous  bool
}

// gatherLogs reads the logs of the pods, those of the operator and of what is not ready
// first.
func (g *gatherer) gatherLogs(ctx context.Context) {
	slices.SortStableFunc(g.pods, func(a, b pod) int { return cmp.Compare(a.rank(), b.rank()) })
	var logs []log
	for i := range g.pods {
		p := &g.pods[i]
		for _, c := range p.containers {
			if c.hasLog {
				logs = append(logs, log{pod: p, container: c.name})
			}
			if c.restarts > 0 {
				logs = append(logs, log{pod: p, container: c.name, previous: true})
			}
		}
	}
	parallel(g.Limits.Requests, logs, func(l log) { g.gatherLog(ctx, l) })
}

// rank of a pod among those whose logs are read.
func (p *pod) rank() int {
	switch {
	case p.ofOperator:
		return 0
	case !p.isReady:
		return 1
	default:
		return 2
	}
}

func (g *gatherer) gatherLog(ctx context.Context, l log) {
	request := fmt.Sprintf("log of %s/%s %s", l.pod.namespace, l.pod.name, l.container)
	file := l.container + ".log"
	if l.previous {
		request, file = request+", of its previous run", l.container+".previous.log"
	}
	if ctx.Err() != nil {
		g.report.missing(request, reason(ctx))
		return
	}
	if g.archive.isFull() {
		g.report.missing(request, errFull)
		return
	}
	isLate := false
	read := func(request, file string, lines int64) {
		options := &corev1.PodLogOptions{Container: l.container, Previous: l.previous, TailLines: ptr.To(lines), SinceTime: g.Since}
		g.gather(ctx, path.Join(l.pod.directory(), "logs", l.pod.name, file), request, g.Limits.Log, func(ctx context.Context, out io.Writer) error {
			err := g.stream(ctx, g.api.core.Pods(l.pod.namespace).GetLogs(l.pod.name, options), out)
			isLate = errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil
			return err
		})
	}
	read(request, file, g.Limits.Lines)
	if isLate {
		// The oldest of these lines come first, and the newest had not come yet.
		read(request+", the newest lines", strings.TrimSuffix(file, ".log")+".newest.log", g.Limits.NewestLines)
	}
}

// stream what a request yields.
func (g *gatherer) stream(ctx context.Context, request *rest.Request, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, g.Limits.Request)
	defer cancel()
	content, err := request.Stream(ctx)
	if err != nil {
		return err
	}
	defer content.Close()
	_, err = io.Copy(out, content)
	return err
}
