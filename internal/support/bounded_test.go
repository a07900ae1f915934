// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package support_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/networkservicemesh/nsm-operator/internal/certs"
	"github.com/networkservicemesh/nsm-operator/internal/support"
)

// What users are promised.
func TestDefaultLimits(t *testing.T) {
	t.Parallel()
	NewWithT(t).Expect(support.DefaultLimits()).To(Equal(support.Limits{
		Time: 5 * time.Minute, Request: 15 * time.Second, Silence: 10 * time.Second,
		Log: 5 << 20, Archive: 200 << 20, Lines: 50_000, NewestLines: 1_000,
		Nodes: 50, HealthyNodes: 10, Requests: 8,
	}))
}

// No log takes longer than a request may, what had come by then is kept, the newest lines
// are asked for alone, and there is a line of progress all the time.
func TestLogsThatDoNotEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := NewWithT(t)
		server, begin := &stuckServer{pods: 20, endsFor: "1000"}, time.Now()
		files, progress := gatherFrom(t, server)
		g.Expect(strings.Count(files["errors.txt"], " nsmgr: not done within 15s\n")).To(Equal(20), files["errors.txt"])
		g.Expect(files["errors.txt"]).NotTo(ContainSubstring("newest lines"))
		g.Expect(files["namespaces/nsm/logs/nsmgr-7/nsmgr.log"]).To(Equal("seen line of 50000\n"))
		g.Expect(files["namespaces/nsm/logs/nsmgr-7/nsmgr.newest.log"]).To(Equal("seen line of 1000\n"))
		g.Expect(manifestOf(g, files)).To(ContainElement(And(
			HaveField("File", "namespaces/nsm/logs/nsmgr-7/nsmgr.log"), HaveField("Seconds", BeNumerically(">=", 15)), HaveField("Problem", "not done within 15s"))))
		g.Expect(server.atOnce).To(Equal(8))
		// Twenty logs, eight at a time. Nothing but logs takes time in this test.
		g.Expect(time.Since(begin)).To(Equal(3 * 15 * time.Second))
		expectNoSilence(t, progress, begin)
	})
}

// No pod of the operator is waited for longer than for a request, and none after the other.
func TestMetricsThatDoNotCome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := NewWithT(t)
		begin, lines := time.Now(), &progress{}
		var archive bytes.Buffer
		_, err := support.Gather(t.Context(), &rest.Config{Host: "https://stuck.example.com", Transport: &stuckServer{operators: 4}}, support.Options{
			Version: "v2.0.0", Progress: lines, Limits: support.DefaultLimits(), InCluster: true,
			Dial: func(context.Context, string, string) (net.Conn, error) {
				ours, theirs := net.Pipe()
				go func() { _, _ = io.Copy(io.Discard, theirs) }() // and no answer
				return ours, nil
			},
		}, &archive)
		g.Expect(err).NotTo(HaveOccurred())
		errors := unpack(g, &archive)["errors.txt"]
		for n := range 4 {
			g.Expect(errors).To(ContainSubstring("metrics of operators/nsm-operator-%d: not done within 15s\n", n))
		}
		g.Expect(time.Since(begin)).To(Equal(15 * time.Second))
		expectNoSilence(t, lines, begin)
	})
}

// A log of which not even the newest lines come in time is asked for twice, and no more.
func TestLogsThatNeverEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g, begin := NewWithT(t), time.Now()
		files, progress := gatherFrom(t, &stuckServer{pods: 1})
		g.Expect(files["errors.txt"]).To(ContainSubstring("log of nsm/nsmgr-0 nsmgr, the newest lines: not done within 15s\n"))
		g.Expect(files["namespaces/nsm/logs/nsmgr-0/nsmgr.newest.log"]).To(Equal("seen line of 1000\n"))
		g.Expect(time.Since(begin)).To(Equal(2 * 15 * time.Second))
		expectNoSilence(t, progress, begin)
	})
}

// All of it ends when the time is up, however many logs there are.
func TestMoreLogsThanTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := NewWithT(t)
		begin := time.Now()
		files, progress := gatherFrom(t, &stuckServer{pods: 400})
		g.Expect(time.Since(begin)).To(Equal(5 * time.Minute))
		g.Expect(files["errors.txt"]).To(ContainSubstring("log of nsm/nsmgr-399 nsmgr: the time is up\n"))
		expectNoSilence(t, progress, begin)
	})
}

// A server that takes a request and never answers it ends the gathering, and that is told
// of meanwhile.
func TestServerThatNeverAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		files, progress := gatherFrom(t, &stuckServer{isDeaf: true})
		NewWithT(t).Expect(files["errors.txt"]).To(ContainSubstring("ask what the API server serves: not done within 15s\n"))
		expectNoSilence(t, progress, begin)
	})
}

// gatherFrom a server, with the limits that users have.
func gatherFrom(t *testing.T, server *stuckServer) (map[string]string, *progress) {
	t.Helper()
	lines := &progress{}
	var archive bytes.Buffer
	_, err := support.Gather(t.Context(), &rest.Config{Host: "https://stuck.example.com", Transport: server},
		support.Options{Version: "v2.0.0", Progress: lines, Limits: support.DefaultLimits()}, &archive)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return unpack(NewWithT(t), &archive), lines
}

// progress notes when each line comes.
type progress struct {
	mu    sync.Mutex
	times []time.Time
}

func (p *progress) Write(line []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.times = append(p.times, time.Now())
	return len(line), nil
}

// expectNoSilence of more than ten seconds, from the begin until now.
func expectNoSilence(t *testing.T, p *progress, begin time.Time) {
	t.Helper()
	last := begin
	for _, at := range append(p.times, time.Now()) {
		if silence := at.Sub(last); silence > 10*time.Second {
			t.Errorf("no line for %s, from second %.0f on", silence, last.Sub(begin).Seconds())
		}
		last = at
	}
}

// stuckServer knows pods alone, and their logs begin and do not end. It has no network, so
// that the time of a test goes on only while a request is stuck.
type stuckServer struct {
	// pods of a mesh, and operators, which have metrics and no logs.
	pods, operators int
	// endsFor so many lines a log ends all the same.
	endsFor string
	// isDeaf: it answers nothing at all.
	isDeaf bool

	mu sync.Mutex
	// now and atOnce are how many logs are read, and were at most.
	now, atOnce int
}

var logPath = regexp.MustCompile(`^/api/v1/namespaces/nsm/pods/[^/]+/log$`)

// RoundTrip answers a request.
func (s *stuckServer) RoundTrip(request *http.Request) (*http.Response, error) {
	if s.isDeaf {
		<-request.Context().Done()
		return nil, request.Context().Err()
	}
	if logPath.MatchString(request.URL.Path) {
		lines := request.URL.Query().Get("tailLines")
		begins := strings.NewReader("seen line of " + lines + "\n")
		if lines == s.endsFor {
			return answer(request, http.StatusOK, begins), nil
		}
		s.begun(1)
		return answer(request, http.StatusOK, io.MultiReader(begins, stuck{server: s, until: request.Context().Done(), why: request.Context().Err})), nil
	}
	known := map[string]any{
		"/version": map[string]string{"gitVersion": "v1.36.0"},
		"/api":     metav1.APIVersions{Versions: []string{"v1"}},
		"/apis":    metav1.APIGroupList{},
		"/api/v1": metav1.APIResourceList{GroupVersion: "v1", APIResources: []metav1.APIResource{
			{Name: "pods", SingularName: "pod", Kind: "Pod", Namespaced: true, Verbs: metav1.Verbs{"get", "list"}},
		}},
		"/api/v1/pods": s.list(request.URL.Query().Get("labelSelector")),
		"/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/nsm-operator-validation": published(),
		"/apis/authentication.k8s.io/v1/selfsubjectreviews": authenticationv1.SelfSubjectReview{Status: authenticationv1.SelfSubjectReviewStatus{
			UserInfo: authenticationv1.UserInfo{Username: "system:serviceaccount:must-gather:default"},
		}},
		"/api/v1/namespaces/must-gather/serviceaccounts/default/token": authenticationv1.TokenRequest{},
	}
	found, isKnown := known[request.URL.Path]
	if !isKnown {
		return answer(request, http.StatusNotFound, strings.NewReader("{}")), nil
	}
	text, err := json.Marshal(found)
	return answer(request, http.StatusOK, bytes.NewReader(text)), err
}

func answer(request *http.Request, code int, body io.Reader) *http.Response {
	return &http.Response{StatusCode: code, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(body), Request: request}
}

// published is by which certificate to trust the operator.
func published() admissionregistrationv1.ValidatingWebhookConfiguration {
	pair, err := certs.Issue([]string{operatorName}, time.Now())
	if err != nil {
		panic(err)
	}
	return admissionregistrationv1.ValidatingWebhookConfiguration{
		TypeMeta: metav1.TypeMeta{APIVersion: "admissionregistration.k8s.io/v1", Kind: "ValidatingWebhookConfiguration"},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{ClientConfig: admissionregistrationv1.WebhookClientConfig{
			CABundle: pair.CA, Service: &admissionregistrationv1.ServiceReference{Namespace: "operators", Name: "nsm-operator-service"},
		}}},
	}
}

// list of pods, those of the mesh or of the operator.
func (s *stuckServer) list(selector string) corev1.PodList {
	list := corev1.PodList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}}
	if !strings.Contains(selector, "managed-by") {
		for n := range s.operators {
			pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "operators", Name: fmt.Sprintf("nsm-operator-%d", n)}}
			pod.Spec.Containers = []corev1.Container{{Ports: []corev1.ContainerPort{{Name: "metrics", ContainerPort: 8443}}}}
			pod.Status.PodIP = "198.19.0.2"
			list.Items = append(list.Items, pod)
		}
		return list
	}
	for n := range s.pods {
		pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "nsm", Name: fmt.Sprintf("nsmgr-%d", n)}}
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "nsmgr", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}
		list.Items = append(list.Items, pod)
	}
	return list
}

// begun notes that so many more logs are read.
func (s *stuckServer) begun(more int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now += more
	s.atOnce = max(s.atOnce, s.now)
}

// stuck is a log that has no more to read until its reader gives up.
type stuck struct {
	server *stuckServer
	until  <-chan struct{}
	why    func() error
}

func (s stuck) Read([]byte) (int, error) {
	<-s.until
	s.server.begun(-1)
	return 0, s.why()
}
