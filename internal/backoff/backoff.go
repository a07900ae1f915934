// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package backoff keeps the operator from fighting: what it writes and somebody
// else keeps changing is written at once a few times, and then with growing
// pauses.
package backoff

import (
	"sync"
	"time"

	"k8s.io/utils/clock"
)

const (
	// FreeRepeats is how often in a row an object is put right at once.
	FreeRepeats = 3
	// firstPause comes before the repeat after those; each further one is twice
	// as long.
	firstPause = time.Second
	// longestPause is where that ends.
	longestPause = 5 * time.Minute
	// calm is how long an object must at least be left alone until its history
	// is forgotten.
	calm = time.Minute
)

// Backoff slows down the writing of objects that somebody else keeps changing, so
// that two controllers with different ideas do not keep the API server, and the
// pods between them, busy for ever. Only the same intent once more counts: what
// the user changes goes out at once. Objects are told apart by keys of type K.
type Backoff[K comparable] struct {
	clock clock.PassiveClock

	mu        sync.Mutex
	histories map[K]history
}

// history is what is remembered of the writing of one object.
type history struct {
	// intent is the hash of what was written last.
	intent string
	// last is when that was.
	last time.Time
	// repeats counts how often in a row the intent had to be written again.
	repeats int
}

// New makes a Backoff.
func New[K comparable](c clock.PassiveClock) *Backoff[K] {
	return &Backoff[K]{clock: c, histories: map[K]history{}}
}

// Holds reports whether the intent must wait before it is written again.
func (b *Backoff[K]) Holds(id K, intent string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	past, known := b.histories[id]
	return known && past.intent == intent && b.clock.Now().Before(past.last.Add(past.pause()))
}

// Wrote notes that an intent was written.
func (b *Backoff[K]) Wrote(id K, intent string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.clock.Now()
	for other, past := range b.histories {
		if !now.Before(past.calmAt()) {
			delete(b.histories, other)
		}
	}
	past, known := b.histories[id]
	if known && past.intent == intent {
		past.repeats++
	} else {
		past = history{intent: intent}
	}
	past.last = now
	b.histories[id] = past
}

// Forget an object that was deleted on purpose.
func (b *Backoff[K]) Forget(id K) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.histories, id)
}

// Contested reports whether somebody else keeps changing an object, and if so,
// after what time there is something new to do or to say about it.
func (b *Backoff[K]) Contested(id K) (yes bool, again time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	past, known := b.histories[id]
	now := b.clock.Now()
	if !known || past.repeats < FreeRepeats || !now.Before(past.calmAt()) {
		return false, 0
	}
	if next := past.last.Add(past.pause()); now.Before(next) {
		return true, next.Sub(now)
	}
	return true, past.calmAt().Sub(now)
}

// pause before the intent may be written again.
func (h history) pause() time.Duration {
	if h.repeats < FreeRepeats {
		return 0
	}
	// No shift beyond what fits: the limit is reached long before.
	return min(firstPause<<min(h.repeats-FreeRepeats, 16), longestPause)
}

// calmAt is when the object has been left alone for long enough.
func (h history) calmAt() time.Time {
	return h.last.Add(max(calm, 2*h.pause()))
}
