// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package support

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/networkservicemesh/nsm-operator/internal/mask"
)

// file is one that is being gathered. All that is written to it is masked.
type file struct {
	*mask.Writer

	gatherer *gatherer
	aliased  io.WriteCloser
	spool    *spool
	name     string
	request  string
	begin    time.Time
}

// create a file for what a request yields, of so many bytes at most.
func (g *gatherer) create(name, request string, limit int64) (*file, error) {
	spool, err := newSpool(limit)
	if err != nil {
		return nil, err
	}
	aliased := g.Aliases.Writer(spool)
	return &file{Writer: mask.NewWriter(aliased), gatherer: g, aliased: aliased, spool: spool, name: name, request: request, begin: time.Now()}, nil
}

// close puts a file into the archive, as far as it was had.
func (f *file) close(problem error) {
	defer f.spool.remove()
	report := f.gatherer.report
	result := entry{Request: f.request, Cut: f.spool.isCut()}
	fail := func(err error) {
		report.missing(f.request, err)
		result.Problem = words(err)
	}
	if problem != nil {
		fail(problem)
	}
	if err := errors.Join(f.Close(), f.aliased.Close()); err != nil {
		fail(err)
	}
	content, size, err := f.spool.content()
	if err == nil && size > 0 {
		result.File, err = f.gatherer.archive.add(f.gatherer.Aliases.String(f.name), content, size)
	}
	if err != nil {
		fail(err)
	} else {
		result.Bytes = size
	}
	if result.Cut {
		report.missing(f.request, fmt.Errorf("cut: the newest %d of %d bytes are there", size, f.spool.total))
	}
	result.Masked, result.Seconds = f.Masked(), time.Since(f.begin).Seconds()
	report.done(result)
}

// closeIfAny closes a file if there is one.
func (f *file) closeIfAny(problem error) {
	if f != nil {
		f.close(problem)
	}
}

// words of an error; "" for none.
func words(err error) string {
	if err == nil {
		return ""
	}
	return mask.String(err.Error())
}

// gather has one file.
func (g *gatherer) gather(ctx context.Context, name, request string, limit int64, fill func(context.Context, io.Writer) error) {
	f, err := g.create(name, request, limit)
	if err != nil {
		g.report.missing(request, err)
		return
	}
	f.close(g.explain(ctx, fill(ctx, f)))
}

// explain an error by what has ended the request.
func (g *gatherer) explain(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return reason(ctx)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("not done within %s", g.Limits.Request)
	default:
		return err
	}
}

// writeObject as a document of YAML, masked by the names of its fields as well.
func writeObject(out io.Writer, object *unstructured.Unstructured) error {
	mask.Object(object.Object)
	text, err := yaml.Marshal(object.Object)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "---\n%s", text)
	return err
}
