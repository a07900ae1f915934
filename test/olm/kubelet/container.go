// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package kubelet

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
)

// runContainer runs the container once, to its end, and says why it ended.
func (p *pod) runContainer() error {
	// Ports may have been taken by somebody since the last time.
	if err := p.kubelet.publish(p); err != nil {
		return err
	}
	log, err := p.openLog()
	if err != nil {
		return err
	}
	defer log.Close()
	command, err := p.start(log, true)
	if errors.Is(err, os.ErrPermission) || errors.Is(err, syscall.ENOSPC) {
		// This machine lets nobody make user namespaces, or no more of them.
		command, err = p.start(log, false)
	}
	if err != nil {
		return err
	}
	p.report(running(false))
	exited := make(chan error, 1)
	go func() { exited <- command.Wait() }()
	return p.watch(command.Process, exited)
}

// start starts the container, as the user of its image where that can be.
func (p *pod) start(log *os.File, asUser bool) (*exec.Cmd, error) {
	command, err := p.command()
	if err != nil {
		return nil, err
	}
	command.Stdout, command.Stderr = log, log
	if asUser {
		runAs(command, p.kubelet.Images[p.object.Spec.Containers[0].Image].User)
	}
	return command, command.Start()
}

// watch looks after a process until it has ended.
func (p *pod) watch(process *os.Process, exited <-chan error) error {
	container := &p.object.Spec.Containers[0]
	ready, stopReady := p.probe(container.ReadinessProbe)
	defer stopReady()
	alive, stopAlive := p.probe(container.LivenessProbe)
	defer stopAlive()
	if container.ReadinessProbe == nil {
		p.report(running(true))
	}
	for {
		select {
		case err := <-exited:
			p.report(running(false))
			return fmt.Errorf("it ended by itself: %w (its log: %s)", errOr(err, "exit status 0"), p.logPath())
		case is := <-ready:
			p.report(running(is))
		case is := <-alive:
			if !is {
				p.stop(process, exited, p.terminationGrace())
				return errors.New("its liveness probe failed")
			}
		case <-p.deleted:
			stopReady()
			stopAlive()
			p.endGracefully(process, exited)
			return nil
		case <-p.ctx.Done():
			p.stop(process, exited, 0)
			return p.ctx.Err()
		}
	}
}

// endGracefully gives a container what a deleted one is given: the sleep before
// the signal counts towards the pod's grace.
func (p *pod) endGracefully(process *os.Process, exited <-chan error) {
	deadline := time.Now().Add(p.grace)
	lifecycle := p.object.Spec.Containers[0].Lifecycle
	if lifecycle != nil && lifecycle.PreStop != nil && lifecycle.PreStop.Sleep != nil {
		sleep := time.Duration(lifecycle.PreStop.Sleep.Seconds) * time.Second
		select {
		case <-exited:
			return
		case <-p.ctx.Done():
		case <-time.After(min(sleep, p.grace)):
		}
	}
	p.stop(process, exited, time.Until(deadline))
}

// stop ends a process: politely while the grace lasts.
func (p *pod) stop(process *os.Process, exited <-chan error, grace time.Duration) {
	if grace > 0 {
		_ = process.Signal(syscall.SIGTERM)
		select {
		case <-exited:
			return
		case <-p.ctx.Done():
		case <-time.After(grace):
			p.kubelet.complain("%s/%s did not end within its grace period of %s", p.object.Namespace, p.object.Name, grace)
		}
	}
	_ = process.Kill()
	<-exited
}

func (p *pod) terminationGrace() time.Duration {
	return time.Duration(ptr.Deref(p.object.Spec.TerminationGracePeriodSeconds, 30)) * time.Second
}

// command is the container's, with its own environment and none of ours.
func (p *pod) command() (*exec.Cmd, error) {
	container := &p.object.Spec.Containers[0]
	image := p.kubelet.Images[container.Image]
	args := container.Args
	for name, port := range p.ports {
		flag, found := image.PortFlags[name]
		if !found {
			return nil, fmt.Errorf("nothing is known to have %s listen elsewhere for its port %q", image.Executable, name)
		}
		args = append(slices.Clip(args), fmt.Sprintf(flag, port))
	}
	kubeconfig, err := p.writeKubeconfig()
	if err != nil {
		return nil, err
	}
	command := exec.Command(image.Executable, args...)
	command.Dir = p.directory()
	command.Env = []string{"KUBECONFIG=" + kubeconfig, "HOME=" + p.directory(), "TMPDIR=" + p.directory()}
	for i := range container.Env {
		value, err := p.value(&container.Env[i])
		if err != nil {
			return nil, err
		}
		command.Env = append(command.Env, container.Env[i].Name+"="+value)
	}
	return command, nil
}

// value of a variable of the environment.
func (p *pod) value(variable *corev1.EnvVar) (string, error) {
	from := variable.ValueFrom
	if from == nil {
		return variable.Value, nil
	}
	if resource := from.ResourceFieldRef; resource != nil && resource.Divisor.IsZero() {
		name, isLimit := strings.CutPrefix(resource.Resource, "limits.")
		if limit, found := p.object.Spec.Containers[0].Resources.Limits[corev1.ResourceName(name)]; isLimit && found {
			return strconv.FormatInt(limit.Value(), 10), nil
		}
	}
	if from.FieldRef != nil {
		switch from.FieldRef.FieldPath {
		case "metadata.name":
			return p.object.Name, nil
		case "metadata.namespace":
			return p.object.Namespace, nil
		case "metadata.uid":
			return string(p.object.UID), nil
		case "metadata.annotations['olm.targetNamespaces']":
			return p.object.Annotations["olm.targetNamespaces"], nil
		case "spec.nodeName":
			return p.object.Spec.NodeName, nil
		case "spec.serviceAccountName":
			return p.object.Spec.ServiceAccountName, nil
		case "status.podIP":
			return p.ip, nil
		}
	}
	return "", fmt.Errorf("env %s: its source is not read here", variable.Name)
}

func (p *pod) openLog() (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(p.logPath()), 0o700); err != nil {
		return nil, err
	}
	return os.OpenFile(p.logPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

func (p *pod) logPath() string {
	return filepath.Join(p.kubelet.Directory, "log", p.object.Namespace+"_"+p.object.Name+".log")
}

// directory is the pod's own.
func (p *pod) directory() string {
	return filepath.Join(p.kubelet.Directory, "pods", string(p.object.UID))
}

func errOr(err error, otherwise string) error {
	if err == nil {
		return errors.New(otherwise)
	}
	return err
}
