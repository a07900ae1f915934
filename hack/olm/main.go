// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Command olm makes OLM bundles of others, and file-based catalogs of bundles.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

const usage = `olm works with OLM bundles.

  olm bridge   make the bundle by which an earlier operator gets to another bundle
  olm catalog  make a file-based catalog of bundles

"olm COMMAND -h" lists the flags of a command.
`

func main() {
	if len(os.Args) < 2 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1], os.Args[2:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "olm:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, command string, args []string) error {
	flags := flag.NewFlagSet(command, flag.ExitOnError)
	switch command {
	case "bridge":
		var b bridge
		b.flags(flags)
		_ = flags.Parse(args) // ExitOnError
		return b.write(ctx, flags.Args())
	case "catalog":
		var c catalog
		c.flags(flags)
		_ = flags.Parse(args) // ExitOnError
		return c.write(ctx, flags.Args())
	default:
		return fmt.Errorf("there is no command %q\n\n%s", command, usage)
	}
}
