// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh

import (
	"fmt"
	"strconv"

	securityv1 "github.com/openshift/api/security/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// The clients' SCC allows host paths, and no SCC can say which. A policy of the
// API server's own does: with any path of the node, a client could read what
// the kubelet keeps there for other pods.

// clientPolicy lets the pods that are admitted under the clients' SCC mount the
// directories of the two sockets, and nothing else of their node. OpenShift
// writes the SCC's name into every pod that it admits, before any policy looks
// and over whatever the user has put there. The volumes of a pod never change, so
// its creation is all there is to look at.
func (in Input) clientPolicy() []Object {
	meta := in.sccPart(classClient).clusterMetaNamed(in.sccName(classClient))
	policy := &admissionregistrationv1.ValidatingAdmissionPolicy{
		TypeMeta:   admissionType("ValidatingAdmissionPolicy"),
		ObjectMeta: meta,
		Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			FailurePolicy:    ptr.To(admissionregistrationv1.Fail),
			MatchConstraints: createdPods(namespacesNamed(in.clients())),
			MatchConditions:  []admissionregistrationv1.MatchCondition{{Name: "client-scc", Expression: underSCC(meta.Name)}},
			Variables: []admissionregistrationv1.Variable{{Name: "refused", Expression: fmt.Sprintf(
				"has(object.spec.volumes) ? object.spec.volumes.filter(v, has(v.hostPath) && !(v.hostPath.path in [%s, %s])) : []",
				celString(in.agentSocketDirectory()), celString(nsmDirectory))}},
			Validations: []admissionregistrationv1.Validation{{
				Expression: "variables.refused.size() == 0",
				// For a message that the API server would not take: too long, or in lines.
				Message: in.allowedHostPaths(),
				MessageExpression: `variables.refused.map(v, "volume " + v.name + " has the host path " + v.hostPath.path).join(", ") + ": " + ` +
					celString(in.allowedHostPaths()),
				Reason: ptr.To(metav1.StatusReasonForbidden),
			}},
		},
	}
	binding := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
		TypeMeta:   admissionType("ValidatingAdmissionPolicyBinding"),
		ObjectMeta: *meta.DeepCopy(),
		Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName:        policy.Name,
			ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
		},
	}
	return []Object{policy, binding}
}

func admissionType(kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: admissionregistrationv1.SchemeGroupVersion.String(), Kind: kind}
}

// createdPods are all that a policy on the creation of pods looks at, written
// out as the API server keeps it.
func createdPods(namespaces *metav1.LabelSelector) *admissionregistrationv1.MatchResources {
	return &admissionregistrationv1.MatchResources{
		NamespaceSelector: namespaces,
		ObjectSelector:    &metav1.LabelSelector{},
		MatchPolicy:       ptr.To(admissionregistrationv1.Equivalent),
		ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{
			RuleWithOperations: admissionregistrationv1.RuleWithOperations{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule: admissionregistrationv1.Rule{
					APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"},
					Scope: ptr.To(admissionregistrationv1.NamespacedScope),
				},
			},
		}},
	}
}

// underSCC finds the pods that are admitted under an SCC.
func underSCC(name string) string {
	annotation := celString(securityv1.ValidatedSCCAnnotation)
	return fmt.Sprintf("has(object.metadata.annotations) && %s in object.metadata.annotations && object.metadata.annotations[%s] == %s",
		annotation, annotation, celString(name))
}

// namespacesNamed selects namespaces by their names, which nobody can change: one
// that loses the label of clients is looked at for as long as it has the SCC.
func namespacesNamed(names []string) *metav1.LabelSelector {
	named := metav1.LabelSelectorRequirement{Key: corev1.LabelMetadataName, Operator: metav1.LabelSelectorOpIn, Values: names}
	if len(names) == 0 {
		// Each has a name.
		named = metav1.LabelSelectorRequirement{Key: corev1.LabelMetadataName, Operator: metav1.LabelSelectorOpDoesNotExist}
	}
	return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{named}}
}

// allowedHostPaths tells a person what a client may mount, and who says so.
func (in Input) allowedHostPaths() string {
	return fmt.Sprintf("clients of the NSM %s/%s may mount %s and %s, and no other host path",
		in.NSM.Namespace, in.NSM.Name, in.agentSocketDirectory(), nsmDirectory)
}

// celString is a text in the language of policies, which escapes as Go does.
func celString(text string) string { return strconv.Quote(text) }
