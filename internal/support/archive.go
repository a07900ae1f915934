// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package support

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"
)

// archive is a compressed tar, written as it is made.
type archive struct {
	mu      sync.Mutex
	counter counter
	gzip    *gzip.Writer
	tar     *tar.Writer
	// directory that all is in.
	directory string
	limit     int64
	// full: something was left out.
	full  bool
	names map[string]bool
	err   error
}

// counter counts what is written.
type counter struct {
	io.Writer

	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.n += int64(n)
	return n, err
}

var errFull = errors.New("left out: the archive is as large as it may be")

func newArchive(out io.Writer, limit int64) *archive {
	a := &archive{
		counter: counter{Writer: out}, limit: limit, names: map[string]bool{},
		directory: "nsm-support-" + time.Now().UTC().Format("20060102T150405Z"),
	}
	a.gzip = gzip.NewWriter(&a.counter)
	a.tar = tar.NewWriter(a.gzip)
	return a
}

// add a file, unless the archive could become too large: it is taken as if it could not
// be compressed.
func (a *archive) add(name string, content io.Reader, size int64) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	// The last part is for what tells about the others.
	if a.counter.n+size > a.limit-a.limit/16 {
		a.full = true
		return "", errFull
	}
	return a.write(name, content, size)
}

// addLast adds a file whatever the size of the archive.
func (a *archive) addLast(name, content string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, _ = a.write(name, strings.NewReader(content), int64(len(content)))
}

// write a file, and tell what it is called in the end.
func (a *archive) write(name string, content io.Reader, size int64) (string, error) {
	if a.err != nil {
		return "", a.err
	}
	name = a.free(name)
	a.err = a.tar.WriteHeader(&tar.Header{
		Name: path.Join(a.directory, name), Mode: 0o600, Size: size, ModTime: time.Now(), Typeflag: tar.TypeReg, Format: tar.FormatPAX,
	})
	if a.err == nil {
		_, a.err = io.CopyN(a.tar, content, size)
	}
	// So the size is known, and whoever unpacks it as it is made has the whole file.
	if a.err == nil {
		a.err = errors.Join(a.tar.Flush(), a.gzip.Flush())
	}
	return name, a.err
}

// free is a name that no other file has.
func (a *archive) free(name string) string {
	extension := path.Ext(name)
	free := name
	for n := 2; a.names[free]; n++ {
		free = strings.TrimSuffix(name, extension) + "-" + strconv.Itoa(n) + extension
	}
	a.names[free] = true
	return free
}

func (a *archive) isFull() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.full
}

// close completes the archive, and reports whether all of it could be written.
func (a *archive) close() error {
	return errors.Join(a.err, a.tar.Close(), a.gzip.Close())
}

// spool is a temporary file: a tar wants to know how long a file is before it begins.
// It holds the newest bytes only.
type spool struct {
	file  *os.File
	limit int64
	// total is how much was written.
	total int64
}

func newSpool(limit int64) (*spool, error) {
	file, err := os.CreateTemp("", "nsm-support-")
	if err != nil {
		return nil, err
	}
	return &spool{file: file, limit: limit}, nil
}

// Write goes around in the file.
func (s *spool) Write(p []byte) (int, error) {
	written := len(p)
	for len(p) > 0 {
		at := s.total % s.limit
		n := min(int64(len(p)), s.limit-at)
		if _, err := s.file.WriteAt(p[:n], at); err != nil {
			return 0, err
		}
		s.total += n
		p = p[n:]
	}
	return written, nil
}

// isCut reports whether the beginning is gone.
func (s *spool) isCut() bool { return s.total > s.limit }

// content of the file, and its size: from the first whole line on.
func (s *spool) content() (io.Reader, int64, error) {
	if !s.isCut() {
		return io.NewSectionReader(s.file, 0, s.total), s.total, nil
	}
	begin := s.total % s.limit
	skipped, err := firstLine(s.around(begin, s.limit))
	if err != nil {
		return nil, 0, err
	}
	size := s.limit - skipped
	return s.around((begin+skipped)%s.limit, size), size, nil
}

// around reads from a place on, and goes on at the beginning of the file.
func (s *spool) around(from, size int64) io.Reader {
	first := min(size, s.limit-from)
	return io.MultiReader(io.NewSectionReader(s.file, from, first), io.NewSectionReader(s.file, 0, size-first))
}

// firstLine is how long the first line is, with its end; 0 if there is no end.
func firstLine(text io.Reader) (int64, error) {
	buffer := make([]byte, 32<<10)
	var length int64
	for {
		n, err := text.Read(buffer)
		for i, c := range buffer[:n] {
			if c == '\n' {
				return length + int64(i) + 1, nil
			}
		}
		length += int64(n)
		if errors.Is(err, io.EOF) {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
	}
}

// remove the file.
func (s *spool) remove() {
	_ = s.file.Close()
	_ = os.Remove(s.file.Name())
}
