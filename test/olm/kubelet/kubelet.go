// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package kubelet runs the pods of chosen images as processes of this machine: from
// what their specs say, with their own ServiceAccounts, until they are deleted. It
// needs no privileges: a pod has an address that nobody else knows, and the API
// server finds the process behind it through a proxy.
//
// What a container has and such a process has not: a network of its own, which only root
// can connect to that of others, so that flags tell a program where to listen; and a root
// file system of its own, be it read-only. Pods that mount Secrets are refused.
package kubelet

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// Image is what runs in place of a container image.
type Image struct {
	// Executable is the path of the program.
	Executable string
	// User that the image says its program is to run as.
	User int
	// PortFlags are by the name of a container port the flag that has the program
	// listen elsewhere, with a verb for the port: all pods share this machine's.
	PortFlags map[string]string
}

// Kubelet runs pods.
type Kubelet struct {
	// Config is an administrator's access.
	Config *rest.Config
	// Directory takes the pods' credentials and logs.
	Directory string
	// Images by name. A pod of another image is said to wait for it.
	Images map[string]Image
	// Runs tells the pods that are to be run here.
	Runs func(*corev1.Pod) bool
	// Elsewhere is where on this machine a connection to a pod leads that is not run
	// here, by the pod's address and port; "" for nowhere. Without it: nowhere.
	Elsewhere func(address string) string
	// Lag is for how long connections still lead to a pod that is told to end: as on a
	// node that hears late of endpoints that go.
	Lag time.Duration
	// Log takes what goes wrong.
	Log io.Writer

	client kubernetes.Interface

	mu        sync.Mutex
	pods      map[types.UID]*pod
	addresses map[string]place
	lastIP    int
	running   sync.WaitGroup
}

// Run runs pods until the context ends, and then kills them.
func (k *Kubelet) Run(ctx context.Context) error {
	client, err := kubernetes.NewForConfig(k.Config)
	if err != nil {
		return err
	}
	k.client, k.pods, k.addresses = client, map[types.UID]*pod{}, map[string]place{}
	factory := informers.NewSharedInformerFactory(client, 0)
	informer := factory.Core().V1().Pods().Informer()
	_, err = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { k.see(ctx, object) },
		UpdateFunc: func(_, object any) { k.see(ctx, object) },
		DeleteFunc: k.forget,
	})
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	<-ctx.Done()
	factory.Shutdown()
	k.running.Wait()
	return nil
}

// see starts a pod that is scheduled, and tells one that runs of its deletion.
func (k *Kubelet) see(ctx context.Context, object any) {
	seen, ok := object.(*corev1.Pod)
	if !ok || seen.Spec.NodeName == "" || !k.Runs(seen) {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	running := k.pods[seen.UID]
	if running == nil {
		running = k.newPod(ctx, seen)
		k.pods[seen.UID] = running
		k.running.Go(running.run)
	}
	if seen.DeletionTimestamp != nil {
		if running.going.IsZero() {
			running.going = time.Now()
		}
		running.terminate(seen)
	}
}

// forget kills a pod that is gone without having been asked to end.
func (k *Kubelet) forget(object any) {
	if tombstone, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = tombstone.Obj
	}
	gone, ok := object.(*corev1.Pod)
	if !ok {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if running := k.pods[gone.UID]; running != nil {
		running.kill()
		delete(k.pods, gone.UID)
	}
}

// newIP is an address of the network that is set aside for benchmarks, where
// nothing answers. kwok's pods have others.
func (k *Kubelet) newIP() string {
	k.lastIP++
	return fmt.Sprintf("198.19.%d.%d", k.lastIP/250, 1+k.lastIP%250)
}

func (k *Kubelet) complain(format string, args ...any) {
	_, _ = fmt.Fprintf(k.Log, format+"\n", args...)
}
