// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Command deploy puts the operator, and SPIRE for a lab, onto the cluster of the
// current kubeconfig, and takes both away again. It needs no other program than the
// kustomize that make builds. Everything that it waits for has a limit.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/networkservicemesh/nsm-operator/hack/internal/deploy"
)

const usage = `deploy puts the operator onto the cluster of the current kubeconfig.

  deploy up         install it, and SPIRE, or bring both up to date
  deploy down       remove the meshes, the operator, and the SPIRE that "up" installed
  deploy installer  write what "up" would apply, as one YAML file

"deploy COMMAND -h" lists the flags of a command. "make deploy", "make undeploy" and "make build-installer" call it.
`

func main() {
	ctrl.SetLogger(logr.Discard())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "deploy:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	commands := map[string]func(context.Context, *deploy.Settings) error{"up": deploy.Up, "down": deploy.Down, "installer": deploy.Installer}
	if len(args) == 0 || commands[args[0]] == nil {
		fmt.Fprint(os.Stderr, usage)
		return errors.New("which command?")
	}
	var s deploy.Settings
	flags := flag.NewFlagSet("deploy "+args[0], flag.ContinueOnError)
	s.Flags(flags)
	if err := flags.Parse(args[1:]); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if err := s.Check(); err != nil {
		return err
	}
	return commands[args[0]](ctx, &s)
}
