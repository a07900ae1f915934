// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

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

// print writes a result to the standard output, as -o asks for.
func (o *options) print(result any, text func(io.Writer, report.Style)) error {
	switch o.format {
	case "json":
		encoder := json.NewEncoder(o.Out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(result)
	case "yaml":
		document, err := yaml.Marshal(result)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(o.Out, "---\n%s", document)
		return err
	default:
		out := &failing{to: o.Out}
		text(out, report.Style{Color: o.isTerminal() && os.Getenv("NO_COLOR") == ""})
		return out.err
	}
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

// isTerminal tells whether somebody looks at the output, on what understands colours.
func (o *options) isTerminal() bool {
	file, isFile := o.Out.(*os.File)
	return isFile && term.IsTerminal(int(file.Fd())) && os.Getenv("TERM") != "dumb"
}

// failure is the result where there is no answer, for programs that read it.
type failure struct {
	metav1.TypeMeta `json:",inline"`
	Message         string `json:"message"`
}

// printFailure says why there is no answer, and says it again where a program reads the
// standard output, which has to be able to parse it.
func (o *options) printFailure(err error) {
	o.warn("error: %v", err)
	if o.format == "json" || o.format == "yaml" {
		_ = o.print(failure{report.TypeOf("Failure"), err.Error()}, nil)
	}
}
