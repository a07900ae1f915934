// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package mask takes secrets out of what leaves the cluster: out of objects, and out of
// any text, as it streams by. Names stay, values become <masked:n>, n being how many
// bytes there were. Where it is not sure, it masks.
package mask

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

const (
	// maxLine is how much of a line is looked at at a time: a longer one is masked piece
	// by piece.
	maxLine = 64 << 10
	// maxKey is how long a private key can be that never ends: one of RSA with 16384
	// bits takes 13 KiB.
	maxKey = 32 << 10
)

// Writer masks what is written to it. It holds back what it cannot judge yet: less than
// a line, and less than 64 KiB.
type Writer struct {
	out io.Writer
	// pending is a line, or a piece of one, that is not complete.
	pending []byte
	// midLine: what is pending does not begin its line.
	midLine bool
	state   state
	// swallowed counts the bytes of the secret that what comes is a part of.
	swallowed int
	// masked counts the marks that were written.
	masked int
}

// state of the text, from line to line.
type state int

const (
	plain state = iota
	// restOfLine: what comes is a secret, to the end of the line.
	restOfLine
	// privateKey: what comes is one, to its last line.
	privateKey
	// certificate: lines of base64 are public, to its last line.
	certificate
	// blob: the line before was nothing but base64.
	blob
	// variable: the line before was the name of a secret variable.
	variable
)

// NewWriter masks what goes to another writer. Close it: it holds back the last line.
func NewWriter(out io.Writer) *Writer { return &Writer{out: out} }

// Masked is how many secrets are marked in what was written, by whomever: an object is
// masked by the names of its fields before it is written.
func (w *Writer) Masked() int { return w.masked }

// Write takes the next bytes, wherever they were split.
func (w *Writer) Write(p []byte) (int, error) {
	written := len(p)
	for len(p) > 0 {
		piece := p[:min(len(p), maxLine-len(w.pending))]
		end := bytes.IndexByte(piece, '\n')
		if end >= 0 {
			piece = piece[:end+1]
		}
		w.pending = append(w.pending, piece...)
		p = p[len(piece):]
		if end < 0 && len(w.pending) < maxLine {
			break
		}
		if err := w.process(end >= 0); err != nil {
			return 0, err
		}
	}
	return written, nil
}

// Close writes what was held back. It does not close the other writer.
func (w *Writer) Close() error {
	if err := w.process(true); err != nil {
		return err
	}
	if w.swallowed > 0 {
		return w.put(w.mark(nil))
	}
	return nil
}

// process writes what is pending: all of it if it ends a line, else as much as can be
// judged.
func (w *Writer) process(ends bool) error {
	result, text := w.swallow(w.pending, ends)
	if len(text) > 0 {
		var at int
		result, at = w.judge(result, text, ends)
		text = text[at:]
	}
	w.pending = append(w.pending[:0], text...)
	w.midLine = !ends
	return w.put(result)
}

// swallow drops the part of a text that belongs to a secret which began before.
func (w *Writer) swallow(text []byte, ends bool) (result, rest []byte) {
	var belongs int
	var isOver bool
	switch w.state {
	case restOfLine:
		belongs, isOver = len(bytes.TrimRight(text, "\n")), ends
	case privateKey:
		belongs, isOver = endOfPEM(text)
		if w.swallowed+belongs > maxKey && !isOver {
			belongs, isOver = len(bytes.TrimRight(text, "\n")), true
		}
	default:
		return nil, text
	}
	w.swallowed += belongs
	if !isOver {
		return nil, nil
	}
	w.state = plain
	return w.mark(nil), text[belongs:]
}

// judge appends a text to a result without its secrets, and tells how far it got.
func (w *Writer) judge(result, text []byte, ends bool) (_ []byte, at int) {
	spans, next := w.find(text, ends)
	cut := len(text)
	if !ends {
		cut = cutOf(text, spans)
	}
	for i, secret := range spans {
		if secret.from >= cut {
			break
		}
		result = append(result, text[at:secret.from]...)
		at = secret.to
		w.swallowed = secret.to - secret.from
		if i == len(spans)-1 && (next == restOfLine || next == privateKey) {
			w.state = next
			return result, at
		}
		result = w.mark(result)
	}
	switch {
	case ends:
		w.state = next
	case w.state != certificate:
		w.state = plain
	}
	return append(result, text[at:cut]...), cut
}

// cutOf is up to where a piece of a line can be judged: not further than its middle, so
// that what follows is known, and not between a secret and what tells that it is one.
func cutOf(text []byte, spans []span) int {
	cut := len(text) / 2
	for _, secret := range spans {
		if secret.context < cut && cut < secret.to {
			cut = secret.to
		}
	}
	return cut
}

// find finds the secrets of a text, and what state it leaves: restOfLine and privateKey
// when the last secret is not complete.
func (w *Writer) find(text []byte, ends bool) ([]span, state) {
	if !w.midLine && ends {
		if spans, next, isJudged := w.findLine(text); isJudged {
			return spans, next
		}
	}
	spans := find(text, w.midLine, 0)
	var last span
	if len(spans) > 0 {
		last = spans[len(spans)-1]
	}
	switch {
	case last.isKey:
		return spans, privateKey
	case !ends && last.to == len(text):
		return spans, restOfLine
	case opensCertificate(text), w.state == certificate && !bytes.Contains(text, []byte(pemEnd)):
		return spans, certificate
	default:
		return spans, plain
	}
}

// findLine judges a line that the one before tells something about, or that is nothing
// but base64.
func (w *Writer) findLine(line []byte) (spans []span, next state, isJudged bool) {
	content := bytes.TrimSpace(line)
	from := bytes.Index(line, content)
	to := from + len(content)
	switch {
	case len(content) == 0:
		return nil, w.state, true
	case w.state == certificate && isBase64(content):
		return nil, certificate, true
	case isBlob(content), w.state == blob && isBase64(content):
		return []span{{from: from, to: to}}, blob, true
	case w.state == variable && bytes.HasPrefix(content, []byte("value:")):
		value := bytes.TrimSpace(content[len("value:"):])
		if isSecretValue(value) {
			return []span{{from: to - len(value), to: to}}, plain, true
		}
	}
	name, isNamed := bytes.CutPrefix(bytes.TrimLeft(content, "- "), []byte("name:"))
	if isNamed && IsSecretVariable(string(bytes.Trim(name, ` "'`))) {
		return nil, variable, true
	}
	return nil, plain, false
}

// mark stands for what was swallowed.
func (w *Writer) mark(to []byte) []byte {
	to = fmt.Appendf(to, "<masked:%d>", w.swallowed)
	w.swallowed = 0
	return to
}

func (w *Writer) put(text []byte) error {
	if len(text) == 0 {
		return nil
	}
	w.masked += bytes.Count(text, []byte("<masked:"))
	_, err := w.out.Write(text)
	return err
}

// String masks a text.
func String(text string) string {
	var masked strings.Builder
	w := NewWriter(&masked)
	// A Builder takes everything.
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return masked.String()
}
