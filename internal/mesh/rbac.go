// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh

import (
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// clusterRole with rules, bound to the component's ServiceAccount.
func (p part) clusterRole(rules ...rbacv1.PolicyRule) []Object {
	return []Object{
		&rbacv1.ClusterRole{
			TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRole"},
			ObjectMeta: p.clusterMeta(),
			Rules:      rules,
		},
		&rbacv1.ClusterRoleBinding{
			TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRoleBinding"},
			ObjectMeta: p.clusterMeta(),
			RoleRef: rbacv1.RoleRef{
				APIGroup: rbacv1.GroupName,
				Kind:     "ClusterRole",
				Name:     p.clusterName(),
			},
			Subjects: []rbacv1.Subject{{
				Kind:      rbacv1.ServiceAccountKind,
				Name:      p.name,
				Namespace: p.NSM.Namespace,
			}},
		},
	}
}

// namespacedRole with rules that hold in the mesh's namespace alone, granted to
// the component's ServiceAccount. It is a ClusterRole, as all roles of a mesh
// are: the operator needs no right to write Roles, too.
func (p part) namespacedRole(rules ...rbacv1.PolicyRule) []Object {
	meta := p.clusterMeta()
	meta.Name = namespacedRoleName(meta.Name)
	return []Object{
		&rbacv1.ClusterRole{
			TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRole"},
			ObjectMeta: meta,
			Rules:      rules,
		},
		&rbacv1.RoleBinding{
			TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "RoleBinding"},
			ObjectMeta: p.meta(p.name),
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: meta.Name},
			Subjects: []rbacv1.Subject{{
				Kind: rbacv1.ServiceAccountKind, Name: p.name, Namespace: p.NSM.Namespace,
			}},
		},
	}
}

func namespacedRoleName(name string) string { return name + ":namespace" }
