// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package kubelet

import (
	"context"
	"errors"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// Between restarts of a container, as the real one has it: the first comes at once.
const (
	firstBackOff = 10 * time.Second
	lastBackOff  = 5 * time.Minute
)

// pod is one that runs, or is about to. All of its fields but the channels, and those
// that the proxy reads, belong to run.
type pod struct {
	kubelet *Kubelet
	object  *corev1.Pod
	ip      string
	// ports are where on this machine the container's named ports are.
	ports map[string]int

	// ctx ends when nobody knows the pod any more.
	ctx  context.Context
	kill context.CancelFunc
	// deleted is closed when the pod is to end, and grace is how long it may take.
	deleted   chan struct{}
	grace     time.Duration
	terminate func(*corev1.Pod)

	// wasReady is whether it was, and going since when it is told to end; both by the
	// lock of the kubelet.
	wasReady bool
	going    time.Time

	restarts int32
	started  metav1.Time
}

func (k *Kubelet) newPod(ctx context.Context, object *corev1.Pod) *pod {
	p := &pod{kubelet: k, object: object, ip: k.newIP(), deleted: make(chan struct{}), started: metav1.Now()}
	p.ctx, p.kill = context.WithCancel(ctx)
	var once sync.Once
	p.terminate = func(deleted *corev1.Pod) {
		once.Do(func() {
			p.grace = time.Duration(ptr.Deref(deleted.DeletionGracePeriodSeconds, 0)) * time.Second
			close(p.deleted)
		})
	}
	return p
}

// run runs the pod's container until the pod is deleted.
func (p *pod) run() {
	defer p.kill()
	defer p.kubelet.drop(p)
	if err := p.prepare(); err != nil {
		p.report(waiting(err))
		p.awaitDeletion(nil)
		p.remove()
		return
	}
	for backOff := time.Duration(0); !p.ended(); backOff = min(max(2*backOff, firstBackOff), lastBackOff) {
		err := p.runContainer()
		if p.ended() {
			break
		}
		p.kubelet.complain("%s/%s: %v: it starts again in %s", p.object.Namespace, p.object.Name, err, backOff)
		p.restarts++
		p.report(waiting(&stuck{reason: "CrashLoopBackOff", message: err.Error()}))
		p.awaitDeletion(time.After(backOff))
	}
	p.remove()
}

// stuck is why a container does not run.
type stuck struct{ reason, message string }

func (s *stuck) Error() string { return s.reason + ": " + s.message }

// prepare refuses what cannot be run here.
func (p *pod) prepare() error {
	container := &p.object.Spec.Containers[0]
	if _, found := p.kubelet.Images[container.Image]; !found {
		return &stuck{reason: "ImagePullBackOff", message: "Back-off pulling image " + container.Image}
	}
	if err := p.check(); err != nil {
		return &stuck{reason: "CreateContainerConfigError", message: err.Error()}
	}
	return nil
}

// check refuses what is not done here, so that nothing is left out in silence.
func (p *pod) check() error {
	spec := &p.object.Spec
	container := &spec.Containers[0]
	switch {
	case len(spec.Containers) != 1 || len(spec.InitContainers) != 0:
		return errors.New("pods of other than one container are not run here")
	case len(container.Command) != 0:
		return errors.New("command: the image's own is run here")
	case len(container.EnvFrom) != 0:
		return errors.New("envFrom is not read here")
	case container.StartupProbe != nil:
		return errors.New("startupProbe is not run here")
	}
	for _, volume := range spec.Volumes {
		if volume.EmptyDir == nil && !isToken(&volume) {
			return errors.New("volume " + volume.Name + ": only the ServiceAccount's token and emptyDir are had here")
		}
	}
	return nil
}

// ended reports whether the pod is to end, or is gone.
func (p *pod) ended() bool {
	select {
	case <-p.deleted:
		return true
	default:
		return p.ctx.Err() != nil
	}
}

// awaitDeletion waits until the pod is to end, or for something else.
func (p *pod) awaitDeletion(or <-chan time.Time) {
	select {
	case <-p.ctx.Done():
	case <-p.deleted:
	case <-or:
	}
}

// remove tells the API server that nothing of the pod runs any more.
func (p *pod) remove() {
	if p.ctx.Err() != nil {
		return
	}
	// The pod's own context ends as soon as the pod is gone, in the middle of the answer.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.ctx), 30*time.Second)
	defer cancel()
	err := p.kubelet.client.CoreV1().Pods(p.object.Namespace).Delete(ctx, p.object.Name, metav1.DeleteOptions{
		GracePeriodSeconds: ptr.To[int64](0), Preconditions: metav1.NewUIDPreconditions(string(p.object.UID)),
	})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		p.kubelet.complain("%s/%s is not removed: %v", p.object.Namespace, p.object.Name, err)
	}
}
