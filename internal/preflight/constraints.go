// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package preflight

import (
	"fmt"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// Constraints are the objects by which OpenShift lets the pods of a mesh in, as the
// operator makes them: SecurityContextConstraints, and the roles and bindings that grant
// them. Of a mesh that is not there yet, there are none to look for.
func (m *Mesh) Constraints() []mesh.Object {
	if m.Input.NSM.UID == "" {
		return nil
	}
	objects := mesh.Constraints(m.Input, m.Components)
	roles := map[string]bool{}
	for _, object := range objects {
		if role, isRole := object.(*rbacv1.ClusterRole); isRole {
			roles[role.Name] = true
		}
	}
	for _, component := range m.Components {
		objects = append(objects, component.Others...)
	}
	return slices.DeleteFunc(slices.Clone(objects), func(object mesh.Object) bool {
		switch object := object.(type) {
		case *rbacv1.ClusterRole:
			return !roles[object.Name]
		case *rbacv1.RoleBinding:
			return !roles[object.RoleRef.Name]
		default:
			return mesh.KindOf(object) != mesh.SecurityContextConstraintsKind.Kind
		}
	})
}

// NameOf an object, as messages have it.
func NameOf(object mesh.Object) string {
	if object.GetNamespace() == "" {
		return mesh.KindOf(object) + " " + object.GetName()
	}
	return fmt.Sprintf("%s %s/%s", mesh.KindOf(object), object.GetNamespace(), object.GetName())
}

// constraints looks whether those of each mesh are there, and granted.
func constraints(f *Facts) []finding {
	if !f.Platform.OpenShift {
		return skipped("this is not OpenShift")
	}
	var found []finding
	for i := range f.Meshes {
		m := &f.Meshes[i]
		openShift := ptr.Deref(m.Input.NSM.Spec.OpenShift, nsmv1beta1.OpenShiftSpec{})
		if openShift.SecurityContextConstraints == "None" {
			found = append(found, warning("mesh %s: spec.openshift.securityContextConstraints is None: its pods need ones of somebody else's", m.name()))
			continue
		}
		for _, wanted := range m.Constraints() {
			switch live := f.Constraints[NameOf(wanted)]; {
			case live == nil:
				found = append(found, failed("mesh %s: there is no %s: OpenShift refuses the pods that need it", m.name(), NameOf(wanted)))
			case !grants(live, wanted):
				found = append(found, failed("mesh %s: %s does not grant what the pods need", m.name(), NameOf(wanted)))
			}
		}
	}
	return found
}

// grants reports whether an object grants at least what is wanted. What a constraint
// allows is the operator's to restore, and kubectl nsm diff's to show.
func grants(live, wanted mesh.Object) bool {
	switch wanted := wanted.(type) {
	case *rbacv1.ClusterRole:
		role, isRole := live.(*rbacv1.ClusterRole)
		return isRole && !slices.ContainsFunc(wanted.Rules, func(rule rbacv1.PolicyRule) bool { return !isCovered(rule, role.Rules) })
	case *rbacv1.RoleBinding:
		binding, isBinding := live.(*rbacv1.RoleBinding)
		return isBinding && binding.RoleRef == wanted.RoleRef &&
			!slices.ContainsFunc(wanted.Subjects, func(subject rbacv1.Subject) bool { return !slices.Contains(binding.Subjects, subject) })
	default:
		return true
	}
}

// isCovered reports whether one of several rules grants all of a rule.
func isCovered(wanted rbacv1.PolicyRule, rules []rbacv1.PolicyRule) bool {
	return slices.ContainsFunc(rules, func(rule rbacv1.PolicyRule) bool {
		return hasAll(rule.APIGroups, wanted.APIGroups) && hasAll(rule.Resources, wanted.Resources) && hasAll(rule.Verbs, wanted.Verbs) &&
			(len(rule.ResourceNames) == 0 || hasAll(rule.ResourceNames, wanted.ResourceNames))
	})
}

// hasAll reports whether a list of a rule has all of the wanted ones. * stands for any.
func hasAll(list, wanted []string) bool {
	return slices.Contains(list, "*") || !slices.ContainsFunc(wanted, func(one string) bool { return !slices.Contains(list, one) })
}
