// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package settings

import (
	"flag"
	"fmt"

	"go.uber.org/zap/zapcore"
	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/networkservicemesh/nsm-operator/internal/watchfacts"
)

const (
	// configMapName is that of the ConfigMap in the operator's own namespace.
	configMapName = "nsm-operator"
	// levelKey is the level's in it.
	levelKey = "logLevel"
)

// logLevel follows the level in the ConfigMap.
func (s *Settings) logLevel(namespace string) *setting {
	configured := s.Level.Level()
	log := ctrl.Log.WithName("settings")
	return &setting{
		query: watchfacts.Query{
			ID:   "ConfigMap " + namespace + "/" + configMapName,
			List: func() client.ObjectList { return &corev1.ConfigMapList{} }, Namespace: namespace, Name: configMapName, MayLag: true,
			Keep: func(object client.Object) (watchfacts.Fact, bool) {
				config, isConfig := object.(*corev1.ConfigMap)
				if !isConfig {
					return watchfacts.Fact{}, false
				}
				return watchfacts.Fact{Value: config.Data[levelKey]}, true
			},
		},
		use: func(text string) {
			level, err := parseLevel(text, configured)
			if err != nil {
				log.Error(err, "The log level stays as it is", "configMap", namespace+"/"+configMapName, "key", levelKey)
				return
			}
			s.Level.SetLevel(level)
			log.Info("Set the log level", "level", level.String())
		},
	}
}

// parseLevel reads a level as the flag --zap-log-level does; none means that of the
// flags.
func parseLevel(text string, configured zapcore.Level) (zapcore.Level, error) {
	if text == "" {
		return configured, nil
	}
	var options zap.Options
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	options.BindFlags(flags)
	if err := flags.Set("zap-log-level", text); err != nil {
		return configured, fmt.Errorf("%q: must be debug, info, error, or a number from 1 on: the higher, the more detail", text)
	}
	return zapcore.LevelOf(options.Level), nil
}
