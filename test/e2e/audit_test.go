// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

const (
	operatorNamespace = "nsm-operator-system"
	operatorAccount   = "nsm-operator"
)

// permission is the smallest part of a rule: one verb on one resource.
type permission struct {
	// role is the kind that holds it: a Role is good for the operator's own
	// namespace alone.
	role string
	// group is "" for the core group.
	group string
	// resource, with the subresource behind a slash.
	resource string
	// name of the one object; "" for any.
	name string
	verb string
}

// String writes it as messages need it.
func (p permission) String() string {
	resource, subresource, _ := strings.Cut(p.resource, "/")
	if p.group != "" {
		resource += "." + p.group
	}
	if subresource != "" {
		resource += "/" + subresource
	}
	if p.name != "" {
		resource += fmt.Sprintf(" %q", p.name)
	}
	return fmt.Sprintf("%s: %s %s", p.role, p.verb, resource)
}

// includes reports whether the other is of no use to who has this one.
func (p permission) includes(other permission) bool {
	return p.group == other.group && p.resource == other.resource && p.verb == other.verb &&
		(p.name == "" || p.name == other.name) && (p.role == clusterRole || p.role == other.role)
}

// The kinds of roles.
const (
	clusterRole = "ClusterRole"
	role        = "Role"
)

// shippedPermissions are those of config/rbac/role.yaml, one by one.
func shippedPermissions() []permission {
	file, err := os.ReadFile(filepath.Join(root, "config", "rbac", "role.yaml"))
	Expect(err).NotTo(HaveOccurred())
	var all []permission
	for document := range strings.SplitSeq(string(file), "---\n") {
		var shipped rbacv1.ClusterRole // a Role has the same rules
		Expect(yaml.Unmarshal([]byte(document), &shipped)).To(Succeed())
		for _, rule := range shipped.Rules {
			all = append(all, permissionsOf(shipped.Kind, rule)...)
		}
	}
	return all
}

// permissionsOf a rule.
func permissionsOf(kind string, rule rbacv1.PolicyRule) []permission {
	names := rule.ResourceNames
	if len(names) == 0 {
		names = []string{""}
	}
	var all []permission
	for _, group := range rule.APIGroups {
		for _, resource := range rule.Resources {
			for _, name := range names {
				for _, verb := range rule.Verbs {
					all = append(all, permission{role: kind, group: group, resource: resource, name: name, verb: verb})
				}
			}
		}
	}
	return all
}

// auditEvent is what matters here of a line of the audit log.
type auditEvent struct {
	Verb       string
	RequestURI string
	UserAgent  string
	// RequestReceivedTimestamp is when the API server got it.
	RequestReceivedTimestamp metav1.MicroTime
	// ObjectRef is nil for a request that is about no resource. A list or a watch
	// of one name, by a field selector, has that name, as authorization sees it.
	ObjectRef *struct {
		APIGroup, Resource, Subresource, Namespace, Name string
	}
	ResponseStatus struct{ Code int }
	Annotations    map[string]string
}

// auditLog are the operator's requests.
func auditLog() []auditEvent {
	file, err := os.ReadFile(filepath.Join(directory, "log", "audit.log"))
	Expect(err).NotTo(HaveOccurred())
	var events []auditEvent
	for line := range strings.Lines(string(file)) {
		if !strings.HasSuffix(line, "\n") {
			break // it is being written
		}
		var event auditEvent
		Expect(json.Unmarshal([]byte(line), &event)).To(Succeed(), line)
		events = append(events, event)
	}
	return events
}

// isAllowed reports whether the roles let the request through.
func (e auditEvent) isAllowed() bool {
	return e.Annotations["authorization.k8s.io/decision"] == "allow"
}

// isRefused reports whether a right was lacking: to make the request, or for what
// it would have granted to others.
func (e auditEvent) isRefused() bool { return e.ResponseStatus.Code == http.StatusForbidden }

// uses are the permissions that the request took, the narrowest that there can
// be.
func (e auditEvent) uses() []permission {
	if e.ObjectRef == nil || !e.isAllowed() {
		return nil
	}
	used := permission{role: clusterRole, group: e.ObjectRef.APIGroup, resource: e.ObjectRef.Resource, name: e.ObjectRef.Name, verb: e.Verb}
	if e.ObjectRef.Subresource != "" {
		used.resource += "/" + e.ObjectRef.Subresource
	}
	if e.ObjectRef.Namespace == operatorNamespace {
		used.role = role
	}
	if e.Verb == "create" {
		used.name = "" // authorization does not know it
	}
	if e.Verb != "patch" || e.ResponseStatus.Code != http.StatusCreated {
		return []permission{used}
	}
	// Who applies an object that is not there is asked whether he may create it.
	created := used
	created.verb = "create"
	return []permission{used, created}
}

// usedPermissions are those of all requests, each once.
func usedPermissions(events []auditEvent) []permission {
	var used []permission
	for _, event := range events {
		for _, use := range event.uses() {
			if !slices.Contains(used, use) {
				used = append(used, use)
			}
		}
	}
	return used
}
