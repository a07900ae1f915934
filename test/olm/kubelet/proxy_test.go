// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package kubelet

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// TestProxyKnowsThePublishedPortsAlone: a pod's port leads to its process, and
// nothing else leads anywhere.
func TestProxyKnowsThePublishedPortsAlone(t *testing.T) {
	k := &Kubelet{addresses: map[string]place{}}
	p := &pod{ip: "198.19.0.1", object: &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{
		Ports: []corev1.ContainerPort{{Name: "webhooks", ContainerPort: 9443}},
	}}}}}
	if err := k.publish(p); err != nil {
		t.Fatal(err)
	}
	process := listen(t, fmt.Sprintf("127.0.0.1:%d", p.ports["webhooks"]))
	go func() {
		for {
			client, err := process.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(client, "hello")
			_ = client.Close()
		}
	}()
	front := listen(t, "127.0.0.1:0")
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- k.ServeProxy(ctx, front) }()

	if status, said := ask(t, front, http.MethodConnect, "198.19.0.1:9443"); status != http.StatusOK || said != "hello" {
		t.Errorf("the pod's port: %d %q", status, said)
	}
	for _, other := range []string{"198.19.0.1:8443", "198.19.0.2:9443", process.Addr().String()} {
		if status, _ := ask(t, front, http.MethodConnect, other); status != http.StatusBadGateway {
			t.Errorf("%s: %d", other, status)
		}
	}
	if status, _ := ask(t, front, http.MethodOptions, "/"); status != http.StatusMethodNotAllowed {
		t.Errorf("another method: %d", status)
	}
	k.drop(p)
	if status, _ := ask(t, front, http.MethodConnect, "198.19.0.1:9443"); status != http.StatusBadGateway {
		t.Errorf("a pod that is gone: %d", status)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// TestProxyLagsBehind: for some time a pod that goes is taken for the one that takes its
// place, if it was ready.
func TestProxyLagsBehind(t *testing.T) {
	k := &Kubelet{addresses: map[string]place{}, Lag: time.Minute}
	object := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{
		Ports: []corev1.ContainerPort{{Name: "webhooks", ContainerPort: 9443}},
	}}}}
	old, next := &pod{ip: "198.19.0.1", object: object}, &pod{ip: "198.19.0.2", object: object}
	for _, p := range []*pod{old, next} {
		if err := k.publish(p); err != nil {
			t.Fatal(err)
		}
	}
	here := func(p *pod) string { return fmt.Sprintf("127.0.0.1:%d", p.ports["webhooks"]) }
	expect := func(when string, want *pod) {
		t.Helper()
		if got := k.address("198.19.0.2:9443"); got != here(want) {
			t.Errorf("%s: %s", when, got)
		}
	}
	expect("both run", next)
	old.going = time.Now()
	expect("it was never ready", next)
	old.going = time.Time{}
	k.noteReady(old, true)
	expect("both run", next)
	old.going = time.Now()
	k.noteReady(old, false)
	expect("the old one goes", old)
	old.going = time.Now().Add(-2 * k.Lag)
	expect("it has gone long ago", next)
	old.going = time.Now()
	k.drop(old)
	expect("nothing of it is left", next)
}

// ask the proxy for an address, and read what comes from there.
func ask(t *testing.T, proxy net.Listener, method, address string) (status int, said string) {
	t.Helper()
	client, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", proxy.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := fmt.Fprintf(client, "%s %s HTTP/1.1\r\nHost: pods\r\n\r\n", method, address); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(client)
	answer, err := http.ReadResponse(reader, &http.Request{Method: http.MethodConnect})
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return answer.StatusCode, ""
	}
	text, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp4", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}
