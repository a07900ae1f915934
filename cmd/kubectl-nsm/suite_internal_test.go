// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/test/apiserver"
)

// These tests run the command against a real API server, as an admin and as somebody
// who may do no more than view one namespace. No operator runs: the tests write what
// it would.

var (
	server *apiserver.Server
	admin  client.Client
	// viewer is the kubeconfig of somebody with the role "view" in viewed alone.
	viewer string
)

// viewed is the namespace that the viewer may see.
const viewed = "viewed"

func TestKubectlNSM(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(time.Minute)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	EnforceDefaultTimeoutsWhenUsingContexts()
	RunSpecs(t, "kubectl nsm")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	// What kubectl keeps of a cluster lies beside the user's otherwise.
	GinkgoT().Setenv("KUBECACHEDIR", GinkgoT().TempDir())
	server = apiserver.Start(&envtest.Environment{})
	var err error
	admin, err = client.New(server.Config, client.Options{Scheme: newScheme()})
	Expect(err).NotTo(HaveOccurred())
	server.Install(ctx)
	server.StartControllers(ctx, "clusterrole-aggregation-controller")
	Expect(admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: viewed}})).To(Succeed())
	addViewer(ctx)
})

// listen stands between the command and the API server until the end of a spec, as an
// admin, and returns a kubeconfig for it, and what has been asked: methods and paths.
func listen() (kubeconfig string, asked func() []string) {
	GinkgoHelper()
	var mutex sync.Mutex
	var requests []string
	kubeconfig = between(func(w http.ResponseWriter, r *http.Request) bool {
		mutex.Lock()
		defer mutex.Unlock()
		requests = append(requests, r.Method+" "+r.URL.Path)
		return false
	})
	return kubeconfig, func() []string {
		mutex.Lock()
		defer mutex.Unlock()
		return slices.Clone(requests)
	}
}

// between does what listen does with a function that sees each request first, and may
// answer it.
func between(answers func(http.ResponseWriter, *http.Request) bool) string {
	GinkgoHelper()
	transport, err := rest.TransportFor(server.Config)
	Expect(err).NotTo(HaveOccurred())
	target, err := url.Parse(server.Config.Host)
	Expect(err).NotTo(HaveOccurred())
	proxy := &httputil.ReverseProxy{Transport: transport, Rewrite: func(request *httputil.ProxyRequest) { request.SetURL(target) }}
	listener := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !answers(w, r) {
			proxy.ServeHTTP(w, r)
		}
	}))
	DeferCleanup(listener.Close)
	config := clientcmdapi.NewConfig()
	config.Clusters["one"] = &clientcmdapi.Cluster{Server: listener.URL}
	config.Contexts["one"] = &clientcmdapi.Context{Cluster: "one"}
	config.CurrentContext = "one"
	kubeconfig := filepath.Join(GinkgoT().TempDir(), "listening")
	Expect(clientcmd.WriteToFile(*config, kubeconfig)).To(Succeed())
	return kubeconfig
}

// addViewer makes the viewer, and waits until the API server knows what it may do.
func addViewer(ctx context.Context) {
	GinkgoHelper()
	user, err := server.Environment.AddUser(envtest.User{Name: "viewer", Groups: []string{"system:authenticated"}}, nil)
	Expect(err).NotTo(HaveOccurred())
	kubeconfig, err := user.KubeConfig()
	Expect(err).NotTo(HaveOccurred())
	viewer = filepath.Join(GinkgoT().TempDir(), "viewer")
	Expect(os.WriteFile(viewer, kubeconfig, 0o600)).To(Succeed())
	Expect(admin.Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: viewed, Name: "viewer"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "viewer"}},
	})).To(Succeed())
	asViewer, err := client.New(user.Config(), client.Options{Scheme: newScheme()})
	Expect(err).NotTo(HaveOccurred())
	for _, list := range []client.ObjectList{&nsmv1beta1.NSMList{}, &corev1.PodList{}} {
		Eventually(ctx, func() error { return asViewer.List(ctx, list, client.InNamespace(viewed)) }).Should(Succeed())
	}
}

// result of a command.
type result struct {
	code           int
	stdout, stderr string
}

// runAs runs the command with a kubeconfig.
func runAs(ctx context.Context, kubeconfig string, args ...string) result {
	var stdout, stderr bytes.Buffer
	streams := genericiooptions.IOStreams{In: &bytes.Buffer{}, Out: &stdout, ErrOut: &stderr}
	code := run(ctx, append([]string{"--kubeconfig", kubeconfig}, args...), streams)
	return result{code, stdout.String(), stderr.String()}
}

// runAdmin runs it as somebody who may do everything.
func runAdmin(ctx context.Context, args ...string) result {
	return runAs(ctx, server.Kubeconfig, args...)
}

// decode reads the JSON of a result.
func decode[T any](from result) T {
	GinkgoHelper()
	var into T
	Expect(json.Unmarshal([]byte(from.stdout), &into)).To(Succeed(), from.stdout+from.stderr)
	return into
}

// newNamespace makes a namespace for one spec.
func newNamespace(ctx context.Context) string {
	GinkgoHelper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "mesh-"}}
	Expect(admin.Create(ctx, namespace)).To(Succeed())
	return namespace.Name
}

// newNSM makes an NSM of the newest release but for a change.
func newNSM(ctx context.Context, namespace string, change func(*nsmv1beta1.NSMSpec)) *nsmv1beta1.NSM {
	GinkgoHelper()
	nsm := &nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "mesh"}}
	nsm.Spec.Version = "v1.18.0"
	if change != nil {
		change(&nsm.Spec)
	}
	Expect(admin.Create(ctx, nsm)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(admin.Delete(ctx, nsm))).To(Succeed()) })
	return nsm
}

// reportStatus writes the status that the operator writes of a mesh that is up, but for a
// change.
func reportStatus(ctx context.Context, nsm *nsmv1beta1.NSM, change func(map[string]*metav1.Condition)) {
	GinkgoHelper()
	conditions := map[string]*metav1.Condition{}
	for condition, status := range map[string]metav1.ConditionStatus{
		nsmv1beta1.ConditionReady: metav1.ConditionTrue, nsmv1beta1.ConditionAvailable: metav1.ConditionTrue,
		nsmv1beta1.ConditionProgressing: metav1.ConditionFalse, nsmv1beta1.ConditionDegraded: metav1.ConditionFalse,
	} {
		conditions[condition] = &metav1.Condition{
			Type: condition, Status: status, Reason: "Because", ObservedGeneration: nsm.Generation, LastTransitionTime: metav1.Now(),
		}
	}
	if change != nil {
		change(conditions)
	}
	nsm.Status.Conditions = nil
	for _, condition := range conditions {
		nsm.Status.Conditions = append(nsm.Status.Conditions, *condition)
	}
	nsm.Status.ObservedGeneration, nsm.Status.Version = nsm.Generation, nsm.Spec.Version
	nsm.Status.Components = []nsmv1beta1.ComponentStatus{
		{Kind: "DaemonSet", Name: "nsmgr", Version: nsm.Spec.Version, Desired: new(int32), Updated: new(int32), Ready: new(int32)},
	}
	*nsm.Status.Components[0].Desired, *nsm.Status.Components[0].Updated, *nsm.Status.Components[0].Ready = 3, 3, 3
	Expect(admin.Status().Update(ctx, nsm)).To(Succeed())
}

// register an endpoint that ends after some time.
func register(ctx context.Context, namespace, name string, ends time.Duration) {
	GinkgoHelper()
	endpoint := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"name": name, "network_service_names": []any{"responder"}, "expiration_time": map[string]any{"seconds": time.Now().Add(ends).Unix()},
		"path_ids": []any{"spiffe://example.org/ns/apps/pod/" + name},
	}}}
	endpoint.SetGroupVersionKind(registryVersion.WithKind("NetworkServiceEndpoint"))
	endpoint.SetNamespace(namespace)
	endpoint.SetName(name)
	Expect(admin.Create(ctx, endpoint)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(admin.Delete(ctx, endpoint)).To(Succeed()) })
}
