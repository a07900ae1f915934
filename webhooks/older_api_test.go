// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package webhooks_test

import (
	"context"
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gomegatypes "github.com/onsi/gomega/types"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/client-go/discovery"
)

// What an API server says differs from release to release. These tests know the words of
// the newest, and where the oldest that the operator supports says something else.

// kubernetes is the release of the API server.
var kubernetes *version.Version

func isBefore(minor uint) bool { return kubernetes.LessThan(version.MajorMinor(1, minor)) }

// hidesValues: defaulting has to tell which value breaks a rule.
func hidesValues() bool { return isBefore(35) }

func askForVersion(ctx context.Context, client discovery.ServerVersionInterfaceWithContext) {
	GinkgoHelper()
	info, err := client.ServerVersionWithContext(ctx)
	Expect(err).NotTo(HaveOccurred())
	kubernetes, err = version.ParseSemantic(info.GitVersion)
	Expect(err).NotTo(HaveOccurred())
}

// beRefusedBySchema matches the refusal of a mistake that the schema of v1beta1 finds.
func beRefusedBySchema(message string) gomegatypes.GomegaMatcher {
	if !hidesValues() {
		return MatchError(message)
	}
	who, said, _ := strings.Cut(message, " is invalid: ")
	who = `admission webhook "defaults.nsm.networkservicemesh.io" denied the request: ` + who + " is invalid: "
	// Defaulting tells what it has found, and not what it has not looked for.
	if list, isList := strings.CutSuffix(said, ", "+incomplete+"]"); isList {
		said = strings.TrimPrefix(list, "[")
	}
	said = strings.Replace(said, "<nil>: ", "metadata: ", 1)
	said = pathInBody.ReplaceAllString(said, "")
	return MatchError(Or(Equal(who+said), Equal(who+"["+said+"]")))
}

// pathInBody is a path that stands before the sentence already.
var pathInBody = regexp.MustCompile(`[^ ]+ in body `)

// beRefusedByServer matches the refusal by the API server alone. An older one names the
// field at least.
func beRefusedByServer(message string) gomegatypes.GomegaMatcher {
	if !hidesValues() {
		return MatchError(message)
	}
	said := strings.TrimPrefix(strings.TrimPrefix(message, invalid), "[")
	path, _, _ := strings.Cut(said, ": ")
	return MatchError(And(HavePrefix(invalid), ContainSubstring(path+": ")))
}

// saying is a sentence of the API server's own, in its words of that release.
func saying(sentence string) string {
	if isBefore(34) {
		sentence = strings.ReplaceAll(sentence, `"example.com/GPU_"`, "example.com/GPU_")
		sentence = strings.ReplaceAll(sentence, "must consist only of printable ASCII characters other than '='", olderVariable)
	}
	return sentence
}

const olderVariable = `must consist of alphabetic characters, digits, '_', '-', or '.', and must not start with a digit (e.g. 'my.env-name',  or 'MY_ENV.NAME',  or 'MyEnvName1', regex used for validation is '[-._a-zA-Z][-._a-zA-Z0-9]*')`
