// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mask

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
)

// Aliases hide which nodes a text is about, and which addresses: it has NODE_1 and
// ADDRESS_1 instead, the same each time. Nothing in Kubernetes can have such a name, and
// a file can. Addresses that are the same everywhere stay, such as 127.0.0.1. A nil
// *Aliases changes nothing.
type Aliases struct {
	nodes map[string]string
	// longest is how long a name in nodes is at most.
	longest int

	mu        sync.Mutex
	addresses map[string]string
	// list of the aliases and what they stand for, in their order.
	list []string
}

// NewAliases are those of some nodes: of each its name, followed by other names of it.
func NewAliases(nodes [][]string) *Aliases {
	a := &Aliases{nodes: map[string]string{}, addresses: map[string]string{}}
	nodes = slices.Clone(nodes)
	slices.SortFunc(nodes, func(one, other []string) int { return cmp.Compare(one[0], other[0]) })
	for i, names := range nodes {
		alias := fmt.Sprintf("NODE_%d", i+1)
		for _, name := range names {
			a.nodes[name] = alias
			a.longest = max(a.longest, len(name))
		}
		names = slices.Clone(names)
		slices.Sort(names[1:])
		a.list = append(a.list, alias+" "+strings.Join(slices.Compact(names), " "))
	}
	return a
}

// List has a line for each alias, with what it stands for.
func (a *Aliases) List() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return strings.Join(append(slices.Clone(a.list), ""), "\n")
}

// String is a text with aliases.
func (a *Aliases) String(text string) string {
	if a == nil {
		return text
	}
	return string(a.replace([]byte(text)))
}

// Writer writes with aliases to another writer, a line at a time. Close it: it holds back
// the last line. It does not close the other writer.
func (a *Aliases) Writer(out io.Writer) io.WriteCloser {
	if a == nil {
		return unchanged{out}
	}
	return &aliasWriter{aliases: a, out: out}
}

type unchanged struct{ io.Writer }

// Close implements io.Closer.
func (unchanged) Close() error { return nil }

type aliasWriter struct {
	aliases *Aliases
	out     io.Writer
	// pending is a line that is not complete.
	pending []byte
}

// Write takes the next bytes, wherever they were split.
func (w *aliasWriter) Write(p []byte) (int, error) {
	w.pending = append(w.pending, p...)
	end := bytes.LastIndexByte(w.pending, '\n') + 1
	if end == 0 && len(w.pending) > maxLine {
		// A name has none of these in it.
		end = bytes.LastIndexAny(w.pending, " \t,;=/\"'(){}[]<>") + 1
	}
	if end == 0 && len(w.pending) > 2*maxLine {
		end = len(w.pending)
	}
	if err := w.put(end); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close writes what was held back.
func (w *aliasWriter) Close() error { return w.put(len(w.pending)) }

func (w *aliasWriter) put(end int) error {
	if end == 0 {
		return nil
	}
	_, err := w.out.Write(w.aliases.replace(w.pending[:end]))
	w.pending = append(w.pending[:0], w.pending[end:]...)
	return err
}

// replace returns a text with aliases.
func (a *Aliases) replace(text []byte) []byte {
	result := make([]byte, 0, len(text))
	done := 0
	for at := 0; at < len(text); {
		alias, length := a.find(text, at)
		if length == 0 {
			at++
			continue
		}
		result = append(append(result, text[done:at]...), alias...)
		at += length
		done = at
	}
	return append(result, text[done:]...)
}

// find what stands at a place, and its alias; a length of 0 for nothing.
func (a *Aliases) find(text []byte, at int) (alias string, length int) {
	if at > 0 && isAlphanumeric(text[at-1]) {
		return "", 0
	}
	if isAlphanumeric(text[at]) {
		if alias, length = a.findNode(text[at:]); length > 0 {
			return alias, length
		}
	}
	if at > 0 && (text[at-1] == '.' || text[at-1] == ':') {
		return "", 0 // the middle of something longer
	}
	return a.findAddress(text[at:])
}

// findNode looks for the longest name of a node at the beginning of a text.
func (a *Aliases) findNode(text []byte) (alias string, length int) {
	most := 0
	for most < len(text) && most < a.longest && isOf(text[most], "-.") {
		most++
	}
	for length = most; length > 0; length-- {
		if length < len(text) && isAlphanumeric(text[length]) {
			continue
		}
		if alias, isNode := a.nodes[string(text[:length])]; isNode {
			return alias, length
		}
	}
	return "", 0
}

// findAddress looks for an IP address or a hardware address at the beginning of a text.
func (a *Aliases) findAddress(text []byte) (alias string, length int) {
	end := 0
	for end < len(text) && (text[end] == ':' || text[end] == '.' || isHex(text[end])) {
		end++
	}
	if end < len(text) && isAlphanumeric(text[end]) {
		return "", 0
	}
	found := strings.TrimRight(string(text[:end]), ".:")
	if host, _, hasPort := strings.Cut(found, ":"); hasPort && strings.Contains(host, ".") {
		found = host
	}
	if !isHidden(found) {
		return "", 0
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	alias, isKnown := a.addresses[found]
	if !isKnown {
		alias = fmt.Sprintf("ADDRESS_%d", len(a.addresses)+1)
		a.addresses[found] = alias
		a.list = append(a.list, alias+" "+found)
	}
	return alias, len(found)
}

// isHidden reports whether a word is an address, and one that tells something.
func isHidden(word string) bool {
	if !strings.ContainsAny(word, ".:") {
		return false
	}
	if address, err := netip.ParseAddr(word); err == nil {
		isMask := address.Is4() && address.As4()[0] == 255
		return !address.IsLoopback() && !address.IsUnspecified() && !isMask
	}
	hardware, err := net.ParseMAC(word)
	return err == nil && len(hardware) == 6 && word != "00:00:00:00:00:00" && !strings.EqualFold(word, "ff:ff:ff:ff:ff:ff")
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' }

func isAlphanumeric(c byte) bool { return isOf(c, "") }

// isOf reports whether a byte is a letter, a digit, or one of some others.
func isOf(c byte, others string) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(others, c) >= 0
}
