// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package webhooks

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"
	authorizationv1client "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

// MeshAdminRole is the ClusterRole that allows everything with NSMs
// (config/rbac/mesh_admin_role.yaml). It comes with the operator, bound to nobody.
const MeshAdminRole = "nsm-operator-mesh-admin"

// authorizationTimeout leaves, of the ten seconds that the API server waits for
// an answer, enough to say that it has not answered itself.
const authorizationTimeout = 5 * time.Second

var groupResource = schema.GroupResource{Group: nsmv1beta1.GroupVersion.Group, Resource: "nsms"}

// authorizer lets only those write an NSM who may do so in the whole cluster.
// What an NSM asks for is not limited to its namespace: privileged pods on every
// node, a webhook that is asked about every pod, cluster roles. RBAC alone does
// not keep that from the editor of a namespace, because OLM adds every kind that
// an operator owns to the cluster roles edit and admin.
type authorizer struct {
	reviews authorizationv1client.SubjectAccessReviewInterface
	// next decides about what is allowed.
	next admission.Handler
}

// Handle implements admission.Handler.
func (a authorizer) Handle(ctx context.Context, request admission.Request) admission.Response {
	if verb := clusterVerb(&request.AdmissionRequest); verb != "" {
		if err := a.authorize(ctx, &request.AdmissionRequest, verb); err != nil {
			status := err.Status()
			return admission.Response{AdmissionResponse: admissionv1.AdmissionResponse{Result: &status}}
		}
	}
	return a.next.Handle(ctx, request)
}

// clusterVerb is what the user must be allowed to do with NSMs in the whole
// cluster; "" where the right in the namespace, which the API server has checked,
// is enough. Admission is not told whether an update came as a patch, so both
// take the verb update; server-side apply takes create where it creates.
//
// The state of deletion makes no difference: removing a finalizer changes nothing
// that counts here, and an NSM that is held while it is being deleted must not
// become a way to write another spec.
func clusterVerb(request *admissionv1.AdmissionRequest) string {
	switch request.Operation {
	case admissionv1.Create:
		return "create"
	case admissionv1.Update:
		// What cannot be read is taken for a change.
		if write, err := writeOf(request); err != nil || write.ChangesMesh() {
			return "update"
		}
	case admissionv1.Delete, admissionv1.Connect:
		// Not asked about: whoever deletes an NSM gains nothing by it.
	}
	return ""
}

// authorize asks the API server. Without an answer nobody is allowed.
func (a authorizer) authorize(ctx context.Context, request *admissionv1.AdmissionRequest, verb string) *apierrors.StatusError {
	ctx, cancel := context.WithTimeout(ctx, authorizationTimeout)
	defer cancel()
	review, err := a.reviews.Create(ctx, accessReviewOf(request, verb), metav1.CreateOptions{})
	missing := fmt.Sprintf("User %q cannot %s resource %q in API group %q at the cluster scope",
		request.UserInfo.Username, verb, groupResource.Resource, groupResource.Group)
	switch {
	case err != nil:
		return apierrors.NewServiceUnavailable(fmt.Sprintf(
			"the operator could not ask the API server whether user %q may %s NSMs in the whole cluster, so it refuses: try again (%s)",
			request.UserInfo.Username, verb, err))
	case review.Status.Allowed:
		return nil
	case review.Status.EvaluationError != "":
		// A binding to a role that does not exist, for instance.
		missing += " (" + review.Status.EvaluationError + ")"
	}
	return apierrors.NewForbidden(groupResource, request.Name, fmt.Errorf(
		"%s. An NSM runs privileged pods on every node and a webhook for the whole cluster, so a right in one namespace is not enough "+
			"to create one, or to change its spec or its annotations %s/*. A cluster admin can grant what is missing: %s",
		missing, groupResource.Group, grant(request.UserInfo.Username)))
}

// accessReviewOf asks about all that is known of the user. No namespace means all of
// them, and no name any.
func accessReviewOf(request *admissionv1.AdmissionRequest, verb string) *authorizationv1.SubjectAccessReview {
	extra := map[string]authorizationv1.ExtraValue{}
	for key, value := range request.UserInfo.Extra {
		extra[key] = authorizationv1.ExtraValue(value)
	}
	return &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User:   request.UserInfo.Username,
		UID:    request.UserInfo.UID,
		Groups: request.UserInfo.Groups,
		Extra:  extra,
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: verb, Group: groupResource.Group, Version: nsmv1beta1.GroupVersion.Version, Resource: groupResource.Resource,
		},
	}}
}

// grant is the command that makes a user a mesh admin.
func grant(user string) string {
	subject, name := "--user="+quote(user), user
	if namespace, account, err := serviceaccount.SplitUsername(user); err == nil {
		subject, name = "--serviceaccount="+namespace+":"+account, namespace+"-"+account
	}
	name = strings.Trim(unusual.ReplaceAllString(strings.ToLower(name), "-"), "-.")
	return fmt.Sprintf("kubectl create clusterrolebinding %s-%s --clusterrole=%s %s", MeshAdminRole, name, MeshAdminRole, subject)
}

var (
	// unusual is what the name of a binding does without.
	unusual = regexp.MustCompile(`[^a-z0-9.]+`)
	// plain is what means the same to a shell with quotes and without.
	plain = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)
)

// quote makes one word of a shell's of a text. Names of users come from
// elsewhere, and the command is there to be copied by an admin.
func quote(text string) string {
	if plain.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
