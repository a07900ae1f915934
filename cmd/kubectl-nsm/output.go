// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/networkservicemesh/nsm-operator/internal/report"
)

// addOutput adds -o to a command, with these formats; text is what there is without it.
func (o *options) addOutput(command *cobra.Command, formats ...string) {
	command.Flags().StringVarP(&o.format, "output", "o", "", "format of the output: "+strings.Join(formats, ", ")+"; text without it")
	command.PreRunE = func(*cobra.Command, []string) error {
		if o.format == "" || slices.Contains(formats, o.format) {
			return nil
		}
		format := o.format
		o.format = ""
		return fmt.Errorf("-o %s: must be one of %s", format, strings.Join(formats, ", "))
	}
}

// addAllNamespaces adds -A to a command.
func (o *options) addAllNamespaces(command *cobra.Command, all *bool) {
	command.Flags().BoolVarP(all, "all-namespaces", "A", false, "the meshes of all namespaces")
}

// print writes a result to the standard output, as -o asks for.
func (o *options) print(result any, text func(io.Writer, report.Style)) error {
	if o.format == "json" || o.format == "yaml" {
		return report.Encode(o.Out, o.format, result)
	}
	out := &failing{to: o.Out}
	text(out, report.Style{Color: o.isInteractive()})
	return out.err
}

// failing remembers the first error of a writer, so that nothing in between has to.
type failing struct {
	to  io.Writer
	err error
}

func (f *failing) Write(data []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	written, err := f.to.Write(data)
	f.err = err
	return written, err
}

// isInteractive reports whether somebody looks at the output, on what understands colours
// and moves the cursor, and wants that.
func (o *options) isInteractive() bool {
	file, isFile := o.Out.(*os.File)
	return isFile && term.IsTerminal(int(file.Fd())) && os.Getenv("TERM") != "dumb" && os.Getenv("NO_COLOR") == ""
}

// printFailure says why there is no answer, and says it again where a program reads the
// standard output, which has to be able to parse it.
func (o *options) printFailure(err error) {
	o.warn("error: %v", err)
	if (o.format == "json" || o.format == "yaml") && !errors.As(err, &incomplete{}) {
		_ = o.print(report.NewFailure(err), nil)
	}
}
