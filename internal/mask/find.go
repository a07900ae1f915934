// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mask

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"slices"
	"strings"
)

const (
	pemBegin = "-----BEGIN "
	pemEnd   = "-----END"
	dashes   = "-----"

	// maxLabel of a PEM block.
	maxLabel = 64
	// minBlob is from when on a line of base64 counts as a part of a key, whose beginning
	// may have been cut off: the lines of PEM have 64.
	minBlob = 40
	// minEncoded is how long base64 is that is looked into.
	minEncoded = 16
	// maxDepth is how often secrets can be encoded.
	maxDepth = 2
)

// span is a secret in a text.
type span struct {
	from, to int
	// context is where that begins which tells that it is one, such as its name.
	context int
	// isKey: it is a private key of which the end was not seen.
	isKey bool
}

// find finds the secrets in a piece of a line, in order and apart from each other.
func find(text []byte, midLine bool, depth int) []span {
	lower := lowerASCII(text)
	spans := findKeys(text)
	spans = append(spans, findNamed(text, lower, midLine)...)
	spans = append(spans, findVariables(text, lower)...)
	spans = append(spans, findSchemes(text, lower)...)
	spans = append(spans, findLogins(text)...)
	spans = append(spans, findTokens(text)...)
	spans = append(spans, findEncoded(text, depth)...)
	return merge(spans)
}

// lowerASCII has the same length as the text: other letters do not matter.
func lowerASCII(text []byte) []byte {
	lower := bytes.Clone(text)
	for i, c := range lower {
		if 'A' <= c && c <= 'Z' {
			lower[i] = c + 'a' - 'A'
		}
	}
	return lower
}

// merge sorts spans, and makes one of those that meet.
func merge(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
	var merged []span
	for _, next := range spans {
		if last := len(merged) - 1; last >= 0 && next.from <= merged[last].to {
			merged[last].to = max(merged[last].to, next.to)
			merged[last].context = min(merged[last].context, next.context)
			merged[last].isKey = merged[last].isKey || next.isKey
			continue
		}
		merged = append(merged, next)
	}
	return merged
}

// all are the places of a word.
func all(text []byte, word string) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		for at := 0; ; {
			next := bytes.Index(text[at:], []byte(word))
			if next < 0 || !yield(at+next) {
				return
			}
			at += next + len(word)
		}
	}
}

// run is up to where the characters of a text are of a class.
func run(text []byte, from int, is func(byte) bool) int {
	for from < len(text) && is(text[from]) {
		from++
	}
	return from
}

// runBack is the same towards the beginning.
func runBack(text []byte, to int, is func(byte) bool) int {
	for to > 0 && is(text[to-1]) {
		to--
	}
	return to
}

// findKeys finds private keys in PEM.
func findKeys(text []byte) []span {
	var spans []span
	for from := range all(text, pemBegin) {
		if len(spans) > 0 && from < spans[len(spans)-1].to || !isSecretLabel(labelAt(text, from)) {
			continue
		}
		length, isComplete := endOfPEM(text[from:])
		spans = append(spans, span{from: from, to: from + length, context: from, isKey: !isComplete})
	}
	return spans
}

// labelAt is what a PEM block says it is: "PRIVATE KEY".
func labelAt(text []byte, begin int) string {
	label := text[begin+len(pemBegin):]
	label, _, _ = bytes.Cut(label[:min(len(label), maxLabel)], []byte(dashes))
	return string(label)
}

func isSecretLabel(label string) bool {
	return strings.Contains(label, "KEY") && !strings.Contains(label, "PUBLIC")
}

// endOfPEM is where a PEM block ends; where the text does, when it is not complete.
func endOfPEM(text []byte) (end int, isComplete bool) {
	end = bytes.Index(text, []byte(pemEnd))
	if end < 0 {
		return len(text), false
	}
	end += len(pemEnd)
	if label := bytes.Index(text[end:min(len(text), end+maxLabel)], []byte(dashes)); label >= 0 {
		end += label + len(dashes)
	}
	return end, true
}

// opensCertificate reports whether a text ends within a PEM block that is public.
func opensCertificate(text []byte) bool {
	begin := bytes.LastIndex(text, []byte(pemBegin))
	if begin < 0 || isSecretLabel(labelAt(text, begin)) {
		return false
	}
	_, isComplete := endOfPEM(text[begin:])
	return !isComplete
}

// hints are in every name of a secret, in small letters.
var hints = []string{"token", "passw", "passphrase", "pwd", "secret", "psk", "credential", "key", "auth", "cookie", "signature"}

// findNamed finds values with the name of a secret.
func findNamed(text, lower []byte, midLine bool) []span {
	var spans []span
	for _, hint := range hints {
		end := 0
		for at := range all(lower, hint) {
			if at < end {
				continue // the name is known
			}
			from := runBack(text, at, isOfName)
			end = run(text, at, isOfName)
			name := string(text[from:end])
			if !isSecretIn(name) {
				continue
			}
			if secret, found := valueOf(text, from, end, midLine); found && !isLifetime(name, string(text[secret.from:secret.to])) {
				secret.context = from
				spans = append(spans, secret)
			}
		}
	}
	return spans
}

func isOfName(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-' || c == '.'
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

func isQuote(c byte) bool { return c == '"' || c == '\'' || c == '`' }

// valueOf finds the value of a name. A name is followed by a colon or an equals sign, and
// that of a flag by a space.
func valueOf(text []byte, nameFrom, nameTo int, midLine bool) (span, bool) {
	closed := run(text, nameTo, func(c byte) bool { return isQuote(c) || c == '\\' || c == ']' || c == ')' })
	at := run(text, closed, isBlank)
	switch {
	case at < len(text) && (text[at] == ':' || text[at] == '='):
		at = run(text, at, func(c byte) bool { return c == ':' || c == '=' || c == '>' })
	case closed == nameTo && at > closed && bytes.HasPrefix(text[nameFrom:], []byte("--")):
	default:
		return span{}, false
	}
	v := value{text: text, from: run(text, at, isBlank)}
	v.openQuote = nameFrom > 0 && isQuote(text[nameFrom-1]) && closed == nameTo
	if v.openQuote {
		v.quote = text[nameFrom-1]
	}
	v.isHeader = isHeader(string(text[nameFrom:nameTo]))
	v.isLine = !midLine && len(bytes.Trim(text[:nameFrom], " \t-\"'")) == 0
	v.inQuery = nameFrom > 0 && (text[nameFrom-1] == '?' || text[nameFrom-1] == '&')
	return v.span()
}

// value of a name, before it is known where it ends.
type value struct {
	text []byte
	from int
	// openQuote: name and value are in one quote together, such as 'Authorization: x'.
	openQuote bool
	quote     byte
	// isHeader: it may have spaces within.
	isHeader bool
	// isLine: its name is the first word of the line, so that it is all that follows.
	isLine bool
	// inQuery: it is in the query of a URL.
	inQuery bool
}

// span is where the value is. It is none if it says that there is no secret.
func (v value) span() (span, bool) {
	isList := v.from < len(v.text) && v.text[v.from] == '['
	if isList {
		v.from++
	}
	quoted := run(v.text, v.from, func(c byte) bool { return c == '\\' })
	secret := span{from: v.from}
	switch {
	case quoted < len(v.text) && isQuote(v.text[quoted]) && (!v.openQuote || v.text[quoted] != v.quote):
		secret = span{from: quoted + 1, to: endOfQuote(v.text, quoted+1, quoted-v.from)}
	case isList:
		secret.to = run(v.text, v.from, func(c byte) bool { return c != ']' && c != '\n' })
	case v.openQuote:
		secret.to = run(v.text, v.from, func(c byte) bool { return c != v.quote && c != '\n' })
	case v.isHeader, v.isLine:
		secret.to = run(v.text, v.from, func(c byte) bool { return c != '\n' && c != '\r' })
	default:
		secret.to = run(v.text, v.from, func(c byte) bool { return !isSpace(c) && !isQuote(c) && (c != '&' || !v.inQuery) })
	}
	found := v.text[secret.from:secret.to]
	return secret, isSecretValue(found) && (found[0] != '{' || !v.isStruct(secret))
}

// isStruct reports whether something in braces has names of its own, which are looked at
// by themselves.
func (v value) isStruct(secret span) bool {
	return !isQuote(v.text[secret.from-1]) && bytes.ContainsAny(v.text[secret.from:min(len(v.text), secret.to+1)], `:="`)
}

// endOfQuote is where a quoted text ends that begins after so many backslashes and a
// quote: in JSON within JSON, quotes of the inner one have backslashes.
func endOfQuote(text []byte, from, backslashes int) int {
	quote := text[from-1]
	for at := from; at < len(text); at++ {
		if text[at] != quote {
			continue
		}
		before := 0
		for at-before > from && text[at-before-1] == '\\' {
			before++
		}
		if before <= backslashes || backslashes == 0 && before%2 == 0 {
			return at - min(before, backslashes)
		}
	}
	return len(bytes.TrimRight(text, "\r\n"))
}

// findVariables finds {"name":"A_TOKEN","value":"..."}, however it is written.
func findVariables(text, lower []byte) []span {
	var spans []span
	isBetween := func(c byte) bool { return isSpace(c) || isQuote(c) || c == '\\' || c == ':' || c == '=' || c == ',' }
	for at := range all(lower, "value") {
		nameTo := runBack(text, at, isBetween)
		nameFrom := runBack(text, nameTo, isOfName)
		before := lower[:runBack(text, nameFrom, isBetween)]
		if !bytes.HasSuffix(before, []byte("name")) || !IsSecretVariable(string(text[nameFrom:nameTo])) {
			continue
		}
		if secret, found := valueOf(text, at, at+len("value"), true); found {
			secret.context = len(before) - len("name")
			spans = append(spans, secret)
		}
	}
	return spans
}

// followers are words that follow "bearer" in a sentence.
var followers = []string{"authentication", "authorization", "credential", "credentials", "header", "method", "scheme", "token", "tokens"}

// findSchemes finds what follows Bearer and Basic.
func findSchemes(text, lower []byte) []span {
	var spans []span
	for at := range all(lower, "bearer") {
		from := run(text, at+len("bearer"), isBlank)
		to := run(text, from, isOfToken)
		if from > at+len("bearer") && to-from >= 6 && !slices.Contains(followers, string(bytes.TrimRight(lower[from:to], "."))) {
			spans = append(spans, span{from: from, to: to, context: at})
		}
	}
	for at := range all(lower, "basic") {
		from := run(text, at+len("basic"), isBlank)
		to := run(text, from, isOfToken)
		if decoded := decode(text[from:to]); from > at+len("basic") && bytes.ContainsRune(decoded, ':') {
			spans = append(spans, span{from: from, to: to, context: at})
		}
	}
	return spans
}

func isOfToken(c byte) bool { return isOfName(c) || c == '~' || c == '+' || c == '/' || c == '=' }

// findLogins finds user:password@ and token@ in URLs.
func findLogins(text []byte) []span {
	var spans []span
	for at := range all(text, "://") {
		from := at + len("://")
		to := run(text, from, func(c byte) bool { return !isSpace(c) && !isQuote(c) && !strings.ContainsRune(`/\?#<>`, rune(c)) })
		if login := bytes.LastIndexByte(text[from:to], '@'); login > 0 {
			spans = append(spans, span{from: from, to: from + login, context: at})
		}
	}
	return spans
}

// findTokens finds what looks like a token wherever it is: JWTs, and with them base64 of
// any JSON, and OpenShift's.
func findTokens(text []byte) []span {
	var spans []span
	for _, prefix := range []string{"eyJ", "sha256~"} {
		for from := range all(text, prefix) {
			if to := run(text, from, isOfToken); to-from >= minEncoded {
				spans = append(spans, span{from: from, to: to, context: from})
			}
		}
	}
	return spans
}

// findEncoded finds secrets in base64.
func findEncoded(text []byte, depth int) []span {
	if depth == maxDepth {
		return nil
	}
	var spans []span
	for from := 0; from < len(text); from++ {
		to := run(text, from, isOfBase64)
		if to-from >= minEncoded && isSecretEncoded(text[from:to], depth) {
			end := run(text, to, func(c byte) bool { return c == '=' })
			spans = append(spans, span{from: from, to: end, context: from})
		}
		from = to
	}
	return spans
}

func isSecretEncoded(encoded []byte, depth int) bool {
	decoded := decode(encoded)
	// What is compressed cannot be looked into here.
	if bytes.HasPrefix(decoded, []byte("\x1f\x8b\x08")) {
		return true
	}
	return isText(decoded) && len(find(decoded, false, depth+1)) > 0
}

func isOfBase64(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '+' || c == '/' || c == '-' || c == '_'
}

var toStandard = strings.NewReplacer("-", "+", "_", "/", "=", "")

// decode base64 of either alphabet; nil if it is none.
func decode(encoded []byte) []byte {
	standard := toStandard.Replace(string(encoded))
	// A text that was cut off is looked into as far as it goes.
	if len(standard)%4 == 1 {
		standard = standard[:len(standard)-1]
	}
	decoded, err := base64.RawStdEncoding.DecodeString(standard)
	if err != nil {
		return nil
	}
	return decoded
}

// isText looks at the beginning.
func isText(decoded []byte) bool {
	head := decoded[:min(len(decoded), 64)]
	return len(head) > 0 && !slices.ContainsFunc(head, func(c byte) bool { return c < ' ' && !isSpace(c) || c == 0x7f })
}

// isBase64 reports whether a text is nothing but base64.
func isBase64(text []byte) bool {
	to := run(text, 0, isOfBase64)
	return run(text, to, func(c byte) bool { return c == '=' }) == len(text)
}

// isBlob reports whether a line is nothing but base64 of something that is not readable.
func isBlob(line []byte) bool {
	return len(line) >= minBlob && isBase64(line) && bytes.ContainsAny(line, "0123456789") &&
		bytes.ContainsAny(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") && bytes.ContainsAny(line, "abcdefghijklmnopqrstuvwxyz")
}
