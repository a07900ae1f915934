// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package health

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// moving is a word of a message that tells a number, an address or a time: what it is may
// change while what the message is about stays.
var moving = regexp.MustCompile(`^[+-]?\d[\d.,:/TZ+-]*%?$|^([\d.]+(ns|us|µs|ms|s|m|h))+$`)

// SaysTheSame reports whether two messages say the same, but for numbers and times.
func SaysTheSame(one, other string) bool { return slices.Equal(substance(one), substance(other)) }

// substance of a message are its words, without what moves.
func substance(message string) []string {
	words := strings.FieldsFunc(message, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(`=,;()[]"'`, r) })
	for i, word := range words {
		if words[i] = strings.TrimRight(word, ".:"); moving.MatchString(words[i]) {
			words[i] = "#"
		}
	}
	return words
}
