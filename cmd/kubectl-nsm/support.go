// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/networkservicemesh/nsm-operator/internal/mask"
	"github.com/networkservicemesh/nsm-operator/internal/support"
)

// memoryLimit has the runtime give memory back early: the objects of a large cluster go by
// in pages. What is mapped from the binary comes on top of it; together it is to stay
// below 64 MiB.
const memoryLimit = 18 << 20

// supportOptions are those of the command support.
type supportOptions struct {
	*options

	archive   string
	since     time.Duration
	sinceTime string
	nodes     []string
	allNodes  bool
	anonymize bool
	inCluster bool
}

func newSupport(shared *options) *cobra.Command {
	o := &supportOptions{options: shared}
	command := &cobra.Command{
		Use:   "support",
		Short: "Gather what a helper needs to see into one archive, without secrets",
		Long: "Gather what a helper needs to see into one archive: the meshes, their objects, pods, events and logs, what is registered with NSM " +
			"and with SPIRE, and the operator. It reads, and writes nothing in the cluster. Secrets are not read, and what looks like one is masked.\n\n" +
			"Without -n it gathers all namespaces, or, where that is forbidden, that of the context. Without --timeout it takes 5 minutes at most; " +
			"what it has by then, or when it is interrupted, is a valid archive.\n\n" +
			"Exit codes: 0 the archive has all; 1 something is missing, and errors.txt in it says what; 2 nothing could be read.",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return o.run(command.Context(), command.Flags().Changed("timeout"))
		},
	}
	flags := command.Flags()
	flags.StringVar(&o.archive, "archive", "", "file to write; - for standard output (default nsm-support-<time>.tar.gz)")
	flags.DurationVar(&o.since, "since", 0, "how old lines of logs are at most, such as 2h (default any age)")
	flags.StringVar(&o.sinceTime, "since-time", "", "the same as a time, such as 2026-01-02T03:04:05Z")
	flags.StringSliceVar(&o.nodes, "node", nil, "nodes whose pods are gathered (default all, of more than 50 a choice)")
	flags.BoolVar(&o.allNodes, "all-nodes", false, "gather the pods of all nodes, however many there are")
	flags.BoolVar(&o.anonymize, "anonymize", false, "write NODE_1 and ADDRESS_1 for names of nodes and for addresses; what they stand for is in a file beside the archive")
	flags.BoolVar(&o.inCluster, "in-cluster", false, "for a pod of the cluster, such as that of must-gather: ask the operator's pods for their metrics, with a token for these alone")
	command.MarkFlagsMutuallyExclusive("since", "since-time")
	command.MarkFlagsMutuallyExclusive("node", "all-nodes")
	return command
}

// run gathers, and says where the archive is.
func (o *supportOptions) run(ctx context.Context, hasTimeout bool) error {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(memoryLimit))
	config, err := o.flags.ToRESTConfig()
	if err != nil {
		return fmt.Errorf("no cluster: %w; --kubeconfig and --context choose one", err)
	}
	what, err := o.what(hasTimeout)
	if err != nil {
		return err
	}
	if o.anonymize {
		if what.Aliases, err = support.ReadAliases(ctx, config); err != nil {
			return fmt.Errorf("nothing was gathered: --anonymize has to know the names of all nodes: %w", err)
		}
	}
	var outcome support.Outcome
	if o.archive == "-" {
		outcome, err = support.Gather(ctx, config, what, o.Out)
	} else {
		outcome, err = o.toFile(what.Aliases, func(file io.Writer) (support.Outcome, error) { return support.Gather(ctx, config, what, file) })
	}
	if err != nil {
		return fmt.Errorf("the archive could not be written: %w", err)
	}
	o.warn("The archive has %s.", outcome)
	switch outcome {
	case support.Complete:
		return nil
	case support.Partial:
		return errFinding
	default:
		return errors.New("nothing could be read: is the cluster there, and may you read it? --kubeconfig and --context choose another one")
	}
}

// what is to be gathered.
func (o *supportOptions) what(hasTimeout bool) (support.Options, error) {
	here, isChosen, err := o.flags.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return support.Options{}, err
	}
	what := support.Options{
		Fallback: here, Nodes: o.nodes, AllNodes: o.allNodes, InCluster: o.inCluster, Version: version, Progress: o.ErrOut, Limits: support.DefaultLimits(),
	}
	if isChosen {
		what.Namespace = here
	}
	if hasTimeout {
		what.Limits.Time = cmp.Or(o.timeout, 24*time.Hour)
	}
	switch {
	case o.sinceTime != "":
		at, err := time.Parse(time.RFC3339, o.sinceTime)
		if err != nil {
			return what, fmt.Errorf("--since-time %s: must be a time such as 2026-01-02T03:04:05Z", o.sinceTime)
		}
		what.Since = &metav1.Time{Time: at}
	case o.since > 0:
		what.Since = &metav1.Time{Time: time.Now().Add(-o.since)}
	}
	return what, nil
}

// toFile writes a file that only the user may read, and prints its name. What aliases
// stand for is in a file of its own, which stays with the user.
func (o *supportOptions) toFile(aliases *mask.Aliases, write func(io.Writer) (support.Outcome, error)) (outcome support.Outcome, err error) {
	name := cmp.Or(o.archive, "nsm-support-"+time.Now().UTC().Format("20060102T150405Z")+".tar.gz")
	file, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return outcome, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if outcome, err = write(file); err != nil {
		return outcome, err
	}
	if aliases != nil {
		names := strings.TrimSuffix(name, ".tar.gz") + ".names.txt"
		if err := os.WriteFile(names, []byte(aliases.List()), 0o600); err != nil {
			return outcome, err
		}
		o.warn("What NODE_1 and ADDRESS_1 stand for is in %s: keep it.", names)
	}
	_, err = fmt.Fprintln(o.Out, name)
	return outcome, err
}
