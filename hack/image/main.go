// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Command image makes the images of the operator and of its OLM bundles without a container engine, lists what the operator is
// built from, and says whether an image is in its registry. It can be such a registry itself.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

const usage = `image works with container images, without a container engine.

  image build   make the operator's image, as an OCI layout or in a registry
  image bundle  make the image of an OLM bundle, in the same way
  image sbom    list the modules that a program is built from
  image check   say whether an image is in its registry
  image serve   be a registry on this machine, which keeps images in memory: for tests

"image COMMAND -h" lists the flags of a command.
`

func main() {
	if len(os.Args) < 2 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1], os.Args[2:])
	stop()
	if errors.Is(err, errAbsent) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitAbsent)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, command string, args []string) error {
	flags := flag.NewFlagSet(command, flag.ExitOnError)
	switch command {
	case "build":
		var b build
		b.flags(flags)
		_ = flags.Parse(args) // ExitOnError
		return b.write(ctx, flags.Args())
	case "bundle":
		var b bundle
		b.flags(flags)
		_ = flags.Parse(args) // ExitOnError
		return b.write(ctx, flags.Args())
	case "sbom":
		var s sbom
		s.flags(flags)
		_ = flags.Parse(args) // ExitOnError
		return s.write(flags.Args(), os.Stdout)
	case "check":
		_ = flags.Parse(args) // ExitOnError
		return check(ctx, flags.Args())
	case "serve":
		_ = flags.Parse(args) // ExitOnError
		return serve(ctx, flags.Args(), os.Stdout)
	default:
		return fmt.Errorf("there is no command %q\n\n%s", command, usage)
	}
}
