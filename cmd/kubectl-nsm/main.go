// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Kubectl-nsm is the kubectl plugin "kubectl nsm": it shows what meshes run, what
// a change would do, and what stands in the way of one. It reads, and writes nothing, but
// for "check --active", which makes two pods and removes them.
//
// What is shown follows from what was read, by pure functions (internal/report,
// internal/preflight); here it is read and printed. A command is one file.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/cli-runtime/pkg/genericiooptions"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr})
	stop()
	os.Exit(code)
}
