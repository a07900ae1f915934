// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package kubelet

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// ServeProxy lets the API server reach the pods through a listener: it is an HTTP
// proxy that only knows CONNECT, and only the ports that the pods name.
func (k *Kubelet) ServeProxy(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler: http.HandlerFunc(k.connect), ReadHeaderTimeout: 10 * time.Second,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// connect joins a client with the pod that it asks for.
func (k *Kubelet) connect(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		http.Error(w, "only CONNECT is understood", http.StatusMethodNotAllowed)
		return
	}
	address := k.address(r.Host)
	if address == "" {
		http.Error(w, "no pod listens at "+r.Host, http.StatusBadGateway)
		return
	}
	pod, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(r.Context(), "tcp", address)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer pod.Close()
	client, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer client.Close()
	if _, err := io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n"); err == nil {
		join(client, pod)
	}
}

// join hands on what each side says until one of them has no more to say.
func join(one, other net.Conn) {
	done := make(chan struct{}, 2)
	hand := func(to, from net.Conn) {
		_, _ = io.Copy(to, from)
		done <- struct{}{}
	}
	go hand(one, other)
	go hand(other, one)
	<-done
}

// publish finds places for the pod's ports, and makes them known to the proxy.
func (k *Kubelet) publish(p *pod) error {
	ports, err := freePorts(p.object.Spec.Containers[0].Ports)
	if err != nil {
		return err
	}
	p.ports = ports
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, port := range p.object.Spec.Containers[0].Ports {
		number := strconv.Itoa(int(port.ContainerPort))
		k.addresses[net.JoinHostPort(p.ip, number)] = place{
			pod: p, port: number, here: net.JoinHostPort("127.0.0.1", strconv.Itoa(p.ports[port.Name])),
		}
	}
	return nil
}

// place is where on this machine the port of a pod is.
type place struct {
	pod        *pod
	port, here string
}

// noteReady notes whether connections would be led to a pod.
func (k *Kubelet) noteReady(p *pod, is bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if p.going.IsZero() {
		p.wasReady = is
	}
}

// drop makes nothing of the pod known any more.
func (k *Kubelet) drop(p *pod) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, port := range p.object.Spec.Containers[0].Ports {
		delete(k.addresses, net.JoinHostPort(p.ip, strconv.Itoa(int(port.ContainerPort))))
	}
}

// address is where on this machine a connection leads. Where a pod that was ready is
// going, it leads there for some time, instead of to the one that takes its place.
func (k *Kubelet) address(of string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	asked, found := k.addresses[of]
	switch {
	case found:
	case k.Elsewhere != nil:
		return k.Elsewhere(of)
	default:
		return ""
	}
	for _, other := range k.addresses {
		if other.port == asked.port && other.pod.object.Namespace == asked.pod.object.Namespace &&
			other.pod.wasReady && time.Since(other.pod.going) < k.Lag {
			return other.here
		}
	}
	return asked.here
}

// freePorts are where nobody listens, one for each port of a container. They are
// held all at once, so that they differ.
func freePorts(ports []corev1.ContainerPort) (map[string]int, error) {
	found := map[string]int{}
	for _, port := range ports {
		listener, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer listener.Close()
		address, ok := listener.Addr().(*net.TCPAddr)
		if !ok {
			return nil, errors.New("a TCP listener has no TCP address")
		}
		found[port.Name] = address.Port
	}
	return found, nil
}
