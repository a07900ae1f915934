// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// version of the plugin, which is the operator's; the linker sets it.
var version = "unreleased"

// What the command ends with, the same for every output.
const (
	exitFine    = 0
	exitFinding = 1
	exitNothing = 2
)

// errFinding: there is an answer, and it is a finding or a difference. The answer has
// been printed already.
var errFinding = errors.New("there is a finding")

// incomplete is an error after which what was known by then has been printed.
type incomplete struct{ error }

// options are what all commands share.
type options struct {
	genericiooptions.IOStreams
	// flags are kubectl's own, for the connection and the namespace.
	flags *genericclioptions.ConfigFlags
	// format of the output; "" for text.
	format string
	// timeout of the whole command; zero for none.
	timeout time.Duration
}

// run carries out a command and returns what the process ends with.
func run(ctx context.Context, args []string, streams genericiooptions.IOStreams) int {
	o := &options{IOStreams: streams, flags: genericclioptions.NewConfigFlags(true)}
	root := newRoot(o) //nolint:contextcheck // a command has the context that it is executed with
	root.SetArgs(args)
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.ErrOut)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return exitFine
	case errors.Is(err, errFinding):
		return exitFinding
	default:
		o.printFailure(err)
		return exitNothing
	}
}

func newRoot(o *options) *cobra.Command {
	root := &cobra.Command{
		Use:     "kubectl-nsm",
		Version: version,
		Short:   "See what Network Service Meshes run, and what a change would do",
		Long: "See what Network Service Meshes run, and what a change would do.\n\n" +
			"Exit codes: 0 all is fine, or there is no difference; 1 there is a finding, or a difference; 2 there is no answer.",
		Annotations:       map[string]string{cobra.CommandDisplayNameAnnotation: displayName()},
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	o.flags.AddFlags(root.PersistentFlags())
	root.PersistentFlags().DurationVar(&o.timeout, "timeout", time.Minute, "how long the command may take; 0 for as long as it takes")
	root.AddCommand(newStatus(o), newRender(o), newDiff(o), newTopology(o), newCheck(o), newSupport(o))
	return root
}

// displayName is how the command was called: kubectl runs kubectl-nsm for "kubectl nsm".
func displayName() string {
	if name := filepath.Base(os.Args[0]); strings.HasPrefix(name, "kubectl-") {
		return "kubectl nsm"
	}
	return "kubectl-nsm"
}

// within ends a command after its timeout.
func (o *options) within(ctx context.Context) (context.Context, context.CancelFunc) {
	if o.timeout == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, o.timeout)
}

// warn tells the user something that is not the result.
func (o *options) warn(format string, args ...any) {
	_, _ = fmt.Fprintf(o.ErrOut, format+"\n", args...)
}
