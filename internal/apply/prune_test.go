// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package apply

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

var _ = Describe("Pruning", func() {
	nsm := &nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Namespace: "blue", Name: "mesh", UID: "1"}}
	owner := mesh.OwnerLabels(nsm)
	meta := metav1.ObjectMeta{Name: "clients", Labels: owner}
	namespaced := metav1.ObjectMeta{Name: "clients", Namespace: "blue", Labels: owner}
	kinds := []mesh.Object{
		&admissionregistrationv1.ValidatingAdmissionPolicy{}, &admissionregistrationv1.ValidatingAdmissionPolicyBinding{},
		&rbacv1.RoleBinding{}, &corev1.Service{},
	}
	// prune all, where listing and deleting RoleBindings come to something.
	prune := func(ctx context.Context, listing, deletion error) (pruned []string, deleted []client.Object, err error) {
		var mu sync.Mutex
		api := fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).WithObjects(
			&admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: meta},
			&admissionregistrationv1.ValidatingAdmissionPolicyBinding{ObjectMeta: meta},
			&rbacv1.RoleBinding{ObjectMeta: namespaced}, &corev1.Service{ObjectMeta: namespaced},
		).WithInterceptorFuncs(interceptor.Funcs{
			List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
				if _, areBindings := list.(*rbacv1.RoleBindingList); areBindings && listing != nil {
					return listing
				}
				return c.List(ctx, list, options...)
			},
			Delete: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.DeleteOption) error {
				if _, isBinding := object.(*rbacv1.RoleBinding); isBinding && deletion != nil {
					return deletion
				}
				mu.Lock()
				defer mu.Unlock()
				deleted = append(deleted, object)
				return c.Delete(ctx, object, options...)
			},
		}).Build()
		changes, err := New(api, api).Prune(ctx, nsm, kinds, labels.SelectorFromSet(owner), nil)
		for _, change := range changes {
			pruned = append(pruned, change.Kind)
		}
		return pruned, deleted, err
	}

	It("deletes what limits others after them", func(ctx SpecContext) {
		pruned, deleted, err := prune(ctx, nil, nil)
		Expect(err).NotTo(HaveOccurred())
		Expect(pruned).To(ConsistOf("RoleBinding", "Service", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"))
		Expect(deleted).To(HaveLen(4))
		for i, object := range deleted {
			Expect(isLimit(object)).To(Equal(i >= 2))
		}
	})

	It("keeps what limits others where one of them stays", func(ctx SpecContext) {
		pruned, _, err := prune(ctx, nil, errors.New("refused"))
		Expect(err).To(MatchError(ContainSubstring("refused")))
		Expect(pruned).To(ConsistOf("Service"))
	})

	It("goes on with the other kinds where one cannot be listed, and keeps what may limit it", func(ctx SpecContext) {
		pruned, _, err := prune(ctx, errors.New("no answer"), nil)
		Expect(err).To(MatchError("listing RoleBinding: no answer"))
		Expect(pruned).To(ConsistOf("Service"))
	})
})

var _ = Describe("Copies of the mesh's objects", func() {
	It("are remembered up to a limit, so that those that come and go take no memory", func(ctx SpecContext) {
		nsm := &nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Namespace: "blue", Name: "mesh", UID: "1"}}
		api := fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme)
		for i := range mostCopies + 10 {
			api.WithObjects(&corev1.Service{ObjectMeta: metav1.ObjectMeta{
				Namespace: "backup", Name: fmt.Sprintf("copy-%d", i), UID: types.UID(strconv.Itoa(i)), Labels: mesh.OwnerLabels(nsm),
			}})
		}
		built := api.Build()
		applier := New(built, built)
		Expect(applier.Own(ctx, nsm, &corev1.Service{})).To(BeEmpty())
		Expect(applier.copies.Len()).To(Equal(mostCopies))
	})
})
