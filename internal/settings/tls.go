// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package settings

import (
	"crypto/tls"
	"encoding/json"
	"sync/atomic"

	configv1 "github.com/openshift/api/config/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/networkservicemesh/nsm-operator/internal/watchfacts"
)

// TLS holds servers to the TLS profile of the cluster. Without one they do what Go
// does by default.
type TLS struct {
	profile atomic.Pointer[configv1.TLSProfileSpec]
}

// Hold a server to the profile. Each new connection follows the profile as it is then.
func (t *TLS) Hold(config *tls.Config) {
	// A profile may have no cipher that HTTP/2 accepts.
	config.NextProtos = []string{"http/1.1"}
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		profile := t.profile.Load()
		if profile == nil {
			return nil, nil //nolint:nilnil // that is how Go is told to take the server's own
		}
		held := config.Clone()
		held.GetConfigForClient = nil
		restrict(held, profile)
		return held, nil
	}
}

// restrict a configuration to a profile. Go has no choice of the ciphers of TLS 1.3; of
// the others it leaves out those that it does not have.
func restrict(config *tls.Config, profile *configv1.TLSProfileSpec) {
	config.MinVersion = tls.VersionTLS12
	if version, isKnown := versions[profile.MinTLSVersion]; isKnown {
		config.MinVersion = version
	}
	config.CipherSuites = []uint16{}
	for _, name := range profile.Ciphers {
		if suite, isKnown := suites[name]; isKnown {
			config.CipherSuites = append(config.CipherSuites, suite)
		}
	}
	for _, name := range profile.Groups {
		if group, isKnown := groups[name]; isKnown {
			config.CurvePreferences = append(config.CurvePreferences, group)
		}
	}
}

// profileOf is what the cluster's setting comes to: Intermediate is OpenShift's default.
func profileOf(setting *configv1.TLSSecurityProfile) *configv1.TLSProfileSpec {
	if setting == nil {
		return configv1.TLSProfiles[configv1.TLSProfileIntermediateType]
	}
	if setting.Type == configv1.TLSProfileCustomType && setting.Custom != nil {
		return &setting.Custom.TLSProfileSpec
	}
	if profile, isKnown := configv1.TLSProfiles[setting.Type]; isKnown {
		return profile
	}
	return configv1.TLSProfiles[configv1.TLSProfileIntermediateType]
}

// tlsProfile follows the profile of OpenShift's APIServer "cluster".
func (s *Settings) tlsProfile() *setting {
	log := ctrl.Log.WithName("settings")
	return &setting{
		query: watchfacts.Query{
			ID:   "APIServer cluster",
			List: func() client.ObjectList { return &configv1.APIServerList{} }, Name: "cluster",
			Keep: func(object client.Object) (watchfacts.Fact, bool) {
				server, isServer := object.(*configv1.APIServer)
				if !isServer {
					return watchfacts.Fact{}, false
				}
				profile, err := json.Marshal(profileOf(server.Spec.TLSSecurityProfile))
				return watchfacts.Fact{Value: string(profile)}, err == nil
			},
		},
		use: func(text string) {
			var profile *configv1.TLSProfileSpec
			if text != "" {
				profile = &configv1.TLSProfileSpec{}
				if err := json.Unmarshal([]byte(text), profile); err != nil {
					log.Error(err, "The TLS profile stays as it is")
					return
				}
			}
			s.TLS.profile.Store(profile)
			log.Info("Set the TLS profile of the servers", "profile", profile)
		},
	}
}

// What OpenShift calls versions of TLS, and Go.
var versions = map[configv1.TLSProtocolVersion]uint16{
	configv1.VersionTLS10: tls.VersionTLS10,
	configv1.VersionTLS11: tls.VersionTLS11,
	configv1.VersionTLS12: tls.VersionTLS12,
	configv1.VersionTLS13: tls.VersionTLS13,
}

// What OpenShift, like OpenSSL, calls ciphers.
var suites = map[string]uint16{
	"ECDHE-ECDSA-AES128-GCM-SHA256": tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	"ECDHE-RSA-AES128-GCM-SHA256":   tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	"ECDHE-ECDSA-AES256-GCM-SHA384": tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	"ECDHE-RSA-AES256-GCM-SHA384":   tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	"ECDHE-ECDSA-CHACHA20-POLY1305": tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	"ECDHE-RSA-CHACHA20-POLY1305":   tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	"ECDHE-ECDSA-AES128-SHA256":     tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
	"ECDHE-RSA-AES128-SHA256":       tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,
	"ECDHE-ECDSA-AES128-SHA":        tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
	"ECDHE-RSA-AES128-SHA":          tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
	"ECDHE-ECDSA-AES256-SHA":        tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
	"ECDHE-RSA-AES256-SHA":          tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
	"AES128-GCM-SHA256":             tls.TLS_RSA_WITH_AES_128_GCM_SHA256,
	"AES256-GCM-SHA384":             tls.TLS_RSA_WITH_AES_256_GCM_SHA384,
	"AES128-SHA256":                 tls.TLS_RSA_WITH_AES_128_CBC_SHA256,
	"AES128-SHA":                    tls.TLS_RSA_WITH_AES_128_CBC_SHA,
	"AES256-SHA":                    tls.TLS_RSA_WITH_AES_256_CBC_SHA,
	"DES-CBC3-SHA":                  tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA,
}

// What OpenShift calls the groups of key exchange.
var groups = map[configv1.TLSGroup]tls.CurveID{
	configv1.TLSGroupX25519:             tls.X25519,
	configv1.TLSGroupSecP256r1:          tls.CurveP256,
	configv1.TLSGroupSecP384r1:          tls.CurveP384,
	configv1.TLSGroupSecP521r1:          tls.CurveP521,
	configv1.TLSGroupX25519MLKEM768:     tls.X25519MLKEM768,
	configv1.TLSGroupSecP256r1MLKEM768:  tls.SecP256r1MLKEM768,
	configv1.TLSGroupSecP384r1MLKEM1024: tls.SecP384r1MLKEM1024,
}
