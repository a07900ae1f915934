// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package settings

import (
	"crypto/tls"
	"testing"

	. "github.com/onsi/gomega"
	configv1 "github.com/openshift/api/config/v1"
	"go.uber.org/zap/zapcore"
)

func TestParseLevel(t *testing.T) {
	for text, want := range map[string]zapcore.Level{
		"": zapcore.ErrorLevel, "debug": zapcore.DebugLevel, "info": zapcore.InfoLevel, "ERROR": zapcore.ErrorLevel, "5": -5,
	} {
		t.Run(text, func(t *testing.T) {
			g := NewWithT(t)
			g.Expect(parseLevel(text, zapcore.ErrorLevel)).To(Equal(want))
		})
	}
	for _, text := range []string{"verbose", "0", "-1", " info"} {
		t.Run(text, func(t *testing.T) {
			g := NewWithT(t)
			_, err := parseLevel(text, zapcore.InfoLevel)
			g.Expect(err).To(MatchError(And(ContainSubstring(`"`+text+`"`), ContainSubstring("must be debug, info, error"))))
		})
	}
}

func TestProfileOf(t *testing.T) {
	custom := configv1.TLSProfileSpec{Ciphers: []string{"AES128-SHA"}, MinTLSVersion: configv1.VersionTLS11}
	for name, tc := range map[string]struct {
		setting *configv1.TLSSecurityProfile
		want    *configv1.TLSProfileSpec
	}{
		"none":               {nil, configv1.TLSProfiles[configv1.TLSProfileIntermediateType]},
		"Modern":             {&configv1.TLSSecurityProfile{Type: configv1.TLSProfileModernType}, configv1.TLSProfiles[configv1.TLSProfileModernType]},
		"one of its own":     {&configv1.TLSSecurityProfile{Type: configv1.TLSProfileCustomType, Custom: &configv1.CustomTLSProfile{TLSProfileSpec: custom}}, &custom},
		"one without values": {&configv1.TLSSecurityProfile{Type: configv1.TLSProfileCustomType}, configv1.TLSProfiles[configv1.TLSProfileIntermediateType]},
		"one of a newer API": {&configv1.TLSSecurityProfile{Type: "Future"}, configv1.TLSProfiles[configv1.TLSProfileIntermediateType]},
	} {
		t.Run(name, func(t *testing.T) {
			NewWithT(t).Expect(profileOf(tc.setting)).To(Equal(tc.want))
		})
	}
}

func TestRestrict(t *testing.T) {
	for name, tc := range map[string]struct {
		profile *configv1.TLSProfileSpec
		version uint16
		suites  int
		groups  []tls.CurveID
	}{
		"Old":          {profile: configv1.TLSProfiles[configv1.TLSProfileOldType], version: tls.VersionTLS10, suites: 18, groups: usual},
		"Intermediate": {profile: configv1.TLSProfiles[configv1.TLSProfileIntermediateType], version: tls.VersionTLS12, suites: 6, groups: usual},
		"Modern":       {profile: configv1.TLSProfiles[configv1.TLSProfileModernType], version: tls.VersionTLS13, groups: usual},
		"one without groups": {
			profile: &configv1.TLSProfileSpec{Ciphers: []string{"AES128-SHA", "unknown"}, MinTLSVersion: configv1.VersionTLS11},
			version: tls.VersionTLS11, suites: 1,
		},
		"a version that is not known": {profile: &configv1.TLSProfileSpec{MinTLSVersion: "VersionTLS99"}, version: tls.VersionTLS12},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			config := &tls.Config{}
			restrict(config, tc.profile)
			g.Expect(config.MinVersion).To(Equal(tc.version))
			g.Expect(config.CipherSuites).To(And(HaveLen(tc.suites), Not(BeNil())), "nil would be Go's own choice")
			g.Expect(config.CurvePreferences).To(Equal(tc.groups))
		})
	}
}

// usual are the groups of OpenShift's own profiles.
var usual = []tls.CurveID{tls.X25519MLKEM768, tls.X25519, tls.CurveP256, tls.CurveP384}

// Whatever OpenShift's own profiles ask for and Go has, the table knows.
func TestEveryCipherIsKnown(t *testing.T) {
	// As of Go 1.26 these are not implemented.
	missing := []string{"ECDHE-ECDSA-AES256-SHA384", "ECDHE-RSA-AES256-SHA384", "AES256-SHA256"}
	// Go has no choice of these.
	always := []string{"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
	for _, profile := range configv1.TLSProfiles {
		for _, name := range profile.Ciphers {
			if _, isKnown := suites[name]; !isKnown {
				NewWithT(t).Expect(append(missing, always...)).To(ContainElement(name))
			}
		}
		for _, name := range profile.Groups {
			NewWithT(t).Expect(groups).To(HaveKey(name))
		}
		NewWithT(t).Expect(versions).To(HaveKey(profile.MinTLSVersion))
	}
	for name, suite := range suites {
		known := append(tls.CipherSuites(), tls.InsecureCipherSuites()...)
		NewWithT(t).Expect(known).To(ContainElement(HaveField("ID", suite)), name)
	}
}
