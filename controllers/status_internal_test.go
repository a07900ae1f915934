// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"errors"
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/client-go/tools/events"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/health"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

// TestAReleaseThatNobodyKnowsIsToldBeforeAnUpgrade to it.
func TestAReleaseThatNobodyKnowsIsToldBeforeAnUpgrade(t *testing.T) {
	g := NewWithT(t)
	recorder := events.NewFakeRecorder(1)
	r := &NSMReconciler{recorder: recorder}
	unknown, err := release.Parse("v1.18.99")
	g.Expect(err).NotTo(HaveOccurred())
	r.recordRisks(newlyCreated(), "v1.17.0", unknown)
	g.Expect(<-recorder.Events).To(Equal("Warning RiskyUpgrade From v1.17.0 to v1.18.99: " +
		"v1.18.99 (this operator does not know the release, and runs it like " + release.Newest().String() + ")"))
}

// TestWhatIsWrongIsAnEventWhenItChanges in substance, and not without end.
func TestWhatIsWrongIsAnEventWhenItChanges(t *testing.T) {
	g := NewWithT(t)
	now := time.Now()
	recorder := events.NewFakeRecorder(100)
	r := &NSMReconciler{now: func() time.Time { return now }, recorder: recorder}
	nsm := newlyCreated()
	after := func(failure string) []string {
		before := nsm.DeepCopy()
		nsm.Status = health.Status(nsm, nil, errors.New(failure))
		r.recordDegradation(before, nsm)
		var said []string
		for len(recorder.Events) > 0 {
			said = append(said, <-recorder.Events)
		}
		return said
	}
	const quota = "applying DaemonSet nsm/nsmgr: exceeded quota, used: pods="
	told := func(failure string) []string { return []string{"Warning ApplyFailed " + failure} }
	g.Expect(after(quota + "8")).To(Equal(told(quota + "8")))
	g.Expect(after(quota + "8")).To(BeEmpty())
	g.Expect(after(quota+"9")).To(BeEmpty(), "a number that moves")
	g.Expect(after("applying Service nsm/registry: forbidden")).To(Equal(told("applying Service nsm/registry: forbidden")))
	g.Expect(after(quota + "9")).To(Equal(told(quota + "9")))

	count := 0
	for i := range 100 {
		count += len(after(fmt.Sprintf("applying Service nsm/service-%d: forbidden", i)))
	}
	g.Expect(count).To(Equal(3), "it takes turns")
	now = now.Add(eventPause)
	g.Expect(after(quota + "9")).To(HaveLen(1))
	g.Expect(after("applying Service nsm/registry: forbidden")).To(BeEmpty())

	before := nsm.DeepCopy()
	nsm.Status = nsmv1beta1.NSMStatus{}
	r.recordDegradation(before, nsm)
	g.Expect(<-recorder.Events).To(Equal("Normal Recovered ApplyFailed is over"))
}
