// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package health

import (
	"fmt"
	"regexp"
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"
)

// Unreached is a webhook that the API server could not reach.
type Unreached struct {
	// Namespace and Name of its Service.
	Namespace, Name string
	// Ports on which the pods behind it listen; empty where that cannot be seen.
	Ports []int32
	// Said is the error of the API server.
	Said string
}

var (
	// calledWebhook is in what the API server says of a webhook that it called: its Service, and
	// what came of it.
	calledWebhook = regexp.MustCompile(`https://([a-z0-9-]+)\.([a-z0-9-]+)\.svc[^"]*": (.*)`)
	// isOfNetwork tells that nothing answered there, or something in between did.
	isOfNetwork = regexp.MustCompile(`deadline exceeded|timeout|Timeout|connection refused|no route to host|network is unreachable|proxyconnect|Bad Gateway|Forbidden$`)
)

// UnreachedOf what the API server says; nil where it is something else. The ports are not in it.
func UnreachedOf(said string) *Unreached {
	found := calledWebhook.FindStringSubmatch(said)
	if found == nil || !isOfNetwork.MatchString(found[3]) {
		return nil
	}
	return &Unreached{Name: found[1], Namespace: found[2], Said: said}
}

// calledService is a Service that the API server called, up to the end of what came of it.
var calledService = regexp.MustCompile(`Post "https://([a-z0-9-]+)\.([a-z0-9-]+)\.svc[^"]*": (.*)$`)

// hasNoPods is what the API server says of a Service without pods that are ready.
const hasNoPods = "no endpoints available for service"

// hasExpired is what it says of a certificate, before the times.
const hasExpired = "x509: certificate has expired or is not yet valid"

// untilWebhooksAnswer says of a line of an error that a webhook is waited for, where it does not
// answer: its pods may be starting, as those of SPIRE's controller manager are right after
// SPIRE was installed. Addresses and times, which change with every try, are left out.
func untilWebhooksAnswer(line string) string {
	found := calledService.FindStringSubmatch(line)
	switch {
	case found == nil:
		return line
	case strings.Contains(found[3], hasNoPods):
		return calledService.ReplaceAllString(line, "waiting for pods behind Service $2/$1")
	case strings.Contains(found[3], hasExpired):
		return calledService.ReplaceAllString(line, "waiting for another certificate of Service $2/$1: the one that it serves has expired, or is not valid yet")
	case isOfNetwork.MatchString(found[3]):
		return calledService.ReplaceAllString(line, "waiting for Service $2/$1, which the API server does not reach: its pods may be starting, or a firewall or a NetworkPolicy is in between")
	default:
		return line
	}
}

// PortsOf pods behind a Service, by its EndpointSlices.
func PortsOf(slices []discoveryv1.EndpointSlice) []int32 {
	var ports []int32
	for i := range slices {
		for _, port := range slices[i].Ports {
			if port.Port != nil {
				ports = append(ports, *port.Port)
			}
		}
	}
	return ports
}

// Advice is what to look at.
func (u *Unreached) Advice() string {
	where := "the port on which its pods listen"
	if len(u.Ports) > 0 {
		where = fmt.Sprintf("port %d of its pods", u.Ports[0])
	}
	return fmt.Sprintf("The API server does not reach Service %s/%s. A firewall between the control plane and the nodes, or a NetworkPolicy, has to let it through "+
		"to %s (private clusters of GKE open 443 and 10250 alone), and a proxy has to spare .svc (NO_PROXY): docs/requirements.md, \"If the API server cannot reach pods\"",
		u.Namespace, u.Name, where)
}
