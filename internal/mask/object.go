// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mask

import (
	"encoding/json"
	"fmt"
	"strings"
)

// dropped are fields and annotations that repeat the others, unmasked, or are nothing
// but a secret.
var dropped = []string{
	"managedFields", "kubectl.kubernetes.io/last-applied-configuration", "openshift.io/token-secret.value",
}

// Object masks the values of an object of the API, in place.
func Object(object map[string]any) {
	for _, field := range dropped {
		delete(object, field)
	}
	variable, _ := object["name"].(string)
	isSecret := object["kind"] == "Secret"
	for field, value := range object {
		switch {
		case field == "value" && IsSecretVariable(variable):
			object[field] = ofVariable(variable, value)
		case isSecret && (field == "data" || field == "stringData"):
			object[field] = hidden(value)
		case IsSecretName(field):
			object[field] = secret(value)
		default:
			object[field] = masked(value)
		}
	}
}

// masked is a value without what is secret in it.
func masked(value any) any {
	switch value := value.(type) {
	case map[string]any:
		Object(value)
	case []any:
		for i := range value {
			if i > 0 && isSecretFlag(value[i-1]) {
				value[i] = secret(value[i])
				continue
			}
			value[i] = masked(value[i])
		}
	case string:
		return text(value)
	}
	return value
}

// isSecretFlag reports whether an argument of a command says that the next one is a
// secret.
func isSecretFlag(argument any) bool {
	flag, isString := argument.(string)
	return isString && strings.HasPrefix(flag, "-") && !strings.ContainsAny(flag, "= ") && IsSecretName(flag)
}

func ofVariable(name string, value any) any {
	if text, isString := value.(string); isString && isLifetime(name, text) {
		return text
	}
	return secret(value)
}

// secret is a value that its name calls one. What has names of its own is looked at by
// those.
func secret(value any) any {
	switch value := value.(type) {
	case map[string]any:
		Object(value)
	case []any:
		for i := range value {
			value[i] = secret(value[i])
		}
	case string:
		if isSecretValue([]byte(value)) {
			return fmt.Sprintf("<masked:%d>", len(value))
		}
	}
	return value
}

// hidden masks every value of a map.
func hidden(value any) any {
	values, isMap := value.(map[string]any)
	if !isMap {
		return secret(value)
	}
	for name := range values {
		values[name] = secret(values[name])
	}
	return values
}

// text is a string without what is secret in it. JSON has names of its own.
func text(value string) string {
	trimmed := strings.TrimSpace(value)
	if strings.HasPrefix(trimmed, "{") || strings.HasPrefix(trimmed, "[") {
		var inner any
		if err := json.Unmarshal([]byte(trimmed), &inner); err == nil {
			if encoded, err := json.Marshal(masked(inner)); err == nil {
				value = unescape.Replace(string(encoded))
			}
		}
	}
	return String(value)
}

// unescape takes back what json.Marshal does for HTML.
var unescape = strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&")
