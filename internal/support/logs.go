// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package support

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"path"
	"slices"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
	options := &corev1.PodLogOptions{
		Container: l.container, Previous: l.previous, TailLines: ptr.To(g.Limits.Lines), SinceTime: g.Since,
	}
	g.gather(ctx, path.Join(l.pod.directory(), "logs", l.pod.name, file), request, g.Limits.Log, func(ctx context.Context, out io.Writer) error {
		return g.stream(ctx, g.api.core.Pods(l.pod.namespace).GetLogs(l.pod.name, options), out)
	})
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

// gatherMetrics reads the operator's through the API server. That one does not tell the
// operator who asks, so that it answers only where its metrics are open to all.
func (g *gatherer) gatherMetrics(ctx context.Context) {
	for i := range g.pods {
		p := &g.pods[i]
		if !p.ofOperator || p.metrics == 0 {
			continue
		}
		request := g.api.core.RESTClient().Get().Namespace(p.namespace).Resource("pods").
			Name(fmt.Sprintf("https:%s:%d", p.name, p.metrics)).SubResource("proxy").Suffix("metrics")
		what := fmt.Sprintf("metrics of %s/%s, through the API server", p.namespace, p.name)
		g.gather(ctx, path.Join(p.directory(), "metrics", p.name+".txt"), what, g.Limits.Log, func(ctx context.Context, out io.Writer) error {
			err := g.stream(ctx, request, out)
			if apierrors.IsUnauthorized(err) {
				g.report.note(what + ": the operator serves them only to those who say who they are, and the API server passes no token on; " + g.metricsByHand(ctx))
				return nil
			}
			return err
		})
	}
}

// metricsByHand tells who was refused how to get the metrics all the same: whether that
// takes another right, and where the commands are. No token is sent to a pod from here:
// whoever gives a pod the operator's labels would have it.
func (g *gatherer) metricsByHand(ctx context.Context) string {
	const commands = "https://github.com/networkservicemesh/nsm-operator/blob/main/docs/support.md#metrics has the commands that get them"
	ctx, cancel := context.WithTimeout(ctx, g.Limits.Request)
	defer cancel()
	review, err := g.api.rights.SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{NonResourceAttributes: &authorizationv1.NonResourceAttributes{Verb: "get", Path: "/metrics"}},
	}, metav1.CreateOptions{})
	switch {
	case err != nil:
		return fmt.Sprintf("whether you may read them is not known (%v); %s", err, commands)
	case review.Status.Allowed:
		return "you may read them, and " + commands
	default:
		return "you may not read them either: the right to get the path /metrics is missing, which the ClusterRole nsm-operator-metrics-reader has; " + commands
	}
}
