// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Names in the chart of the clients.
const (
	clientContainer = "nsc"
	clientLabel     = "nsc-kernel"
	clientInterface = "nsm-1"
)

// pinging is a ping that runs in the pod of a client.
type pinging struct {
	pod     corev1.Pod
	address string
	replies *replies
	stop    context.CancelFunc
	// ended has what ended it.
	ended chan error
}

// upgrade changes the release while a ping runs from each client, and ends when each had
// a reply after it.
func (w *walk) upgrade(ctx context.Context) error {
	all, err := w.startPings(ctx)
	defer func() {
		for _, one := range all {
			one.stop()
		}
	}()
	if err != nil {
		return err
	}
	if err := w.awaitReplies(ctx, all, "the running ping"); err != nil {
		return err
	}
	err = w.changeRelease(ctx, w.settings.to)
	if err == nil {
		err = w.awaitReplies(ctx, all, "the ping after the upgrade")
	}
	for _, one := range all {
		w.report.Pings = append(w.report.Pings, one.outcome())
	}
	return err
}

func (w *walk) startPings(ctx context.Context) ([]*pinging, error) {
	var pods corev1.PodList
	if err := w.List(ctx, &pods, client.InNamespace(w.settings.clients), client.MatchingLabels{"app": clientLabel}); err != nil {
		return nil, err
	}
	if len(pods.Items) == 0 {
		return nil, errors.New("there is no pod of a client")
	}
	var all []*pinging
	for i := range pods.Items {
		one, err := w.startPing(ctx, &pods.Items[i])
		if err != nil {
			return all, err
		}
		all = append(all, one)
	}
	return all, nil
}

func (w *walk) startPing(ctx context.Context, pod *corev1.Pod) (*pinging, error) {
	var addresses, routes bytes.Buffer
	for _, asks := range []struct {
		out  *bytes.Buffer
		what string
	}{{&addresses, "addr"}, {&routes, "route"}} {
		if err := w.exec(ctx, pod, asks.out, "ip", asks.what, "show", "dev", clientInterface); err != nil {
			return nil, err
		}
	}
	address := farEnd(addresses.String(), routes.String())
	if address == "" {
		return nil, fmt.Errorf("pod %s has no route through %s: %s", pod.Name, clientInterface, routes.String())
	}
	ctx, stop := context.WithCancel(ctx)
	one := &pinging{pod: *pod, address: address, replies: &replies{clock: time.Now}, stop: stop, ended: make(chan error, 1)}
	// It ends by itself where nobody is left to end it.
	limit := strconv.Itoa(int((6 * w.settings.Timeout).Seconds()))
	go func() { one.ended <- w.exec(ctx, pod, one.replies, "ping", "-w", limit, address) }()
	return one, nil
}

// exec runs a command in the pod of a client until it ends or the context does.
func (w *walk) exec(ctx context.Context, pod *corev1.Pod, out io.Writer, command ...string) error {
	clients, err := kubernetes.NewForConfig(w.Config)
	if err != nil {
		return err
	}
	request := clients.CoreV1().RESTClient().Post().Resource("pods").Namespace(pod.Namespace).Name(pod.Name).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{Container: clientContainer, Command: command, Stdout: true, Stderr: true}, clientgoscheme.ParameterCodec)
	executor, err := remotecommand.NewWebSocketExecutor(w.Config, "GET", request.URL().String())
	if err != nil {
		return err
	}
	var stderr bytes.Buffer
	if err := executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: out, Stderr: &stderr}); err != nil && ctx.Err() == nil {
		return fmt.Errorf("exec is not possible: %s in pod %s/%s: %w %s", strings.Join(command, " "), pod.Namespace, pod.Name, err, stderr.String())
	}
	return nil
}

// awaitReplies waits until each ping has a reply after now, and has not ended.
func (w *walk) awaitReplies(ctx context.Context, all []*pinging, what string) error {
	now := time.Now()
	ctx, give := context.WithCancelCause(ctx)
	defer give(nil)
	err := w.Await(ctx, what, func(context.Context) (string, error) {
		for _, one := range all {
			select {
			case err := <-one.ended:
				give(errors.Join(fmt.Errorf("the ping of pod %s has ended", one.pod.Name), err))
			default:
			}
			if one.replies.since(now) == 0 {
				return fmt.Sprintf("pod %s has no reply of %s", one.pod.Name, one.address), nil
			}
		}
		return "", nil
	})
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func (p *pinging) outcome() pinged {
	count, lost, gap := p.replies.sum()
	return pinged{Pod: p.pod.Name, Node: p.pod.Spec.NodeName, Address: p.address, Replies: count, Lost: lost, LongestGap: seconds(gap)}
}
