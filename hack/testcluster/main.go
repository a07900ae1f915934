// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Command testcluster walks from nothing to a ping on the cluster of the current
// kubeconfig, with real images: it checks the cluster, installs SPIRE and the operator,
// makes a mesh, pings through it, upgrades it while a ping runs, and removes all of that.
// It prints a report. What it changes is in namespaces of its own, or belongs to the
// operator and to SPIRE; where one of the two is there already, it changes nothing.
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
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
)

func main() {
	ctrl.SetLogger(logr.Discard())
	klog.SetLogger(logr.Discard()) // client-go's word on streams that are ended on purpose
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second Ctrl-C ends it at once.
	context.AfterFunc(ctx, stop)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "test-cluster:", err)
		os.Exit(1)
	}
}

// run says what will be done, asks, and does it. It returns an error where anything was
// not as it should be.
func run(ctx context.Context, args []string) error {
	s := &settings{}
	flags := flag.NewFlagSet("testcluster", flag.ContinueOnError)
	s.flags(flags)
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if err := s.check(); err != nil {
		return err
	}
	unpin, err := pin()
	if err != nil {
		return err
	}
	defer unpin()
	w, err := prepare(ctx, s)
	if err != nil {
		return err
	}
	w.plan.text(os.Stdout)
	if err := agree(ctx, s.yes, os.Stdin); err != nil {
		return err
	}
	w.run(ctx)
	w.report.text(os.Stdout)
	if s.report != "" {
		if err := w.report.write(s.report); err != nil {
			return err
		}
	}
	if w.report.Result != passed {
		return errors.New(w.report.Result)
	}
	return nil
}
