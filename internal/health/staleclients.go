// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package health

import (
	"fmt"
	"strings"

	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// StaleClients are running pods with a client that the admission webhook injected
// before it was changed.
type StaleClients struct {
	// Images that the webhook injects now.
	Images mesh.ClientImages
	Sample
}

// Message tells which they are, and how to renew them.
func (s *StaleClients) Message() string {
	pods := "1 pod has"
	if s.Count > 1 {
		pods = fmt.Sprintf("%d pods have", s.Count)
	}
	message := fmt.Sprintf("%s another client (cmd-nsc) than the admission webhook injects now: %s. They work on, and keep it until they are recreated: "+
		"restart the workload if the annotation networkservicemesh.io is in its pod template, else delete the workload and apply it again. "+
		"Now it injects %s", pods, s.names(), strings.ReplaceAll(string(s.Images), ",", ", "))
	return Shorten(message, MostMessage)
}
