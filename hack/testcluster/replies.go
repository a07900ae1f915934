// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.
package main

import (
	"bytes"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// replyLine is what ping prints for a reply, that of busybox and that of iputils.
var replyLine = regexp.MustCompile(`^\d+ bytes from .*\b(?:icmp_)?seq=(\d+)\b`)

// replies notes the replies to a ping, as its output is written to it.
type replies struct {
	clock func() time.Time

	mutex sync.Mutex
	rest  []byte
	all   []reply
}

// reply is one of them.
type reply struct {
	sequence int
	at       time.Time
}

// Write takes what ping prints.
func (r *replies) Write(text []byte) (int, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.rest = append(r.rest, text...)
	for {
		line, rest, isWhole := bytes.Cut(r.rest, []byte("\n"))
		if !isWhole {
			return len(text), nil
		}
		r.rest = rest
		if found := replyLine.FindSubmatch(line); found != nil {
			sequence, _ := strconv.Atoi(string(found[1]))
			r.all = append(r.all, reply{sequence, r.clock()})
		}
	}
}

// since counts the replies after a time.
func (r *replies) since(when time.Time) int {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	count := 0
	for _, one := range r.all {
		if one.at.After(when) {
			count++
		}
	}
	return count
}

// sum tells of the replies until now. Each that is missing between the first and the last
// one is lost.
func (r *replies) sum() (count, lost int, longestGap time.Duration) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for i, one := range r.all {
		if i > 0 {
			longestGap = max(longestGap, one.at.Sub(r.all[i-1].at))
		}
	}
	if count = len(r.all); count > 0 {
		lost = max(0, r.all[count-1].sequence-r.all[0].sequence+1-count)
	}
	return count, lost, longestGap
}

// farEnd is the address at the other end of a connection: what a route through its
// interface leads to, and is none of the client's own.
func farEnd(addresses, routes string) string {
	for line := range strings.Lines(routes) {
		first, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		first = strings.TrimSuffix(strings.TrimSuffix(first, "/32"), "/128")
		if address, err := netip.ParseAddr(first); err == nil && !strings.Contains(addresses, " "+address.String()+"/") {
			return address.String()
		}
	}
	return ""
}
