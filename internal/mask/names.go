// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mask

import (
	"slices"
	"strings"
	"time"
)

// endings are how the names of secrets end, without what stands between words. What only
// names a secret, such as secretName, ends otherwise.
var endings = []string{
	"token", "password", "passwd", "pwd", "passphrase", "secret", "psk", "credential", "authorization", "cookie", "signature",
	"apikey", "privatekey", "accesskey", "secretkey", "signingkey", "encryptionkey", "sharedkey", "sshkey", "tlskey",
}

// words are in the names of environment variables with secrets.
var words = []string{"TOKEN", "PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "KEY", "PSK", "CREDENTIAL"}

var betweenWords = strings.NewReplacer("-", "", "_", "", ".", "")

// IsSecretName reports whether a value has to be masked because of its name: that of a
// field, a header, a flag, an annotation.
func IsSecretName(name string) bool {
	name = strings.TrimRight(betweenWords.Replace(strings.ToLower(name)), "0123456789")
	for _, more := range []string{"value", "data", "s"} {
		name = strings.TrimSuffix(name, more)
	}
	if name == "auth" {
		return true
	}
	return slices.ContainsFunc(endings, func(ending string) bool { return strings.HasSuffix(name, ending) })
}

// IsSecretVariable reports whether the value of an environment variable has to be masked
// because of its name.
func IsSecretVariable(name string) bool {
	name = strings.ToUpper(name)
	return IsSecretName(name) || slices.ContainsFunc(words, func(word string) bool { return strings.Contains(name, word) })
}

// isSecretIn tells the same of a name in a text, of which nobody knows what it is the
// name of: variables are in capitals.
func isSecretIn(name string) bool {
	return IsSecretName(name) || name == strings.ToUpper(name) && IsSecretVariable(name)
}

// isHeader reports whether a value may have spaces within.
func isHeader(name string) bool {
	name = strings.ToLower(name)
	return strings.HasSuffix(name, "authorization") || strings.HasSuffix(name, "cookie")
}

// isLifetime reports whether a variable with one of the words, such as
// NSM_MAX_TOKEN_LIFETIME, is no secret.
func isLifetime(name, value string) bool {
	if !strings.HasSuffix(strings.ToUpper(name), "LIFETIME") {
		return false
	}
	_, err := time.ParseDuration(value)
	return err == nil
}

// harmless values say that there is no secret.
var harmless = []string{"", "true", "false", "null", "nil", "<nil>", "none", "|", ">", "|-", ">-", `""`, "''"}

// isSecretValue reports whether a value can be a secret at all, and is not masked yet.
func isSecretValue(value []byte) bool {
	text := strings.Trim(string(value), `"' ,;)]}`)
	return !slices.Contains(harmless, text) && !strings.HasPrefix(text, "<masked:")
}
