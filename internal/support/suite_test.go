// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package support_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/networkservicemesh/nsm-operator/test/apiserver"
)

func TestSupport(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(time.Minute)
	RunSpecs(t, "Support")
}

const root = "../.."

// auditPolicy logs the requests of those who gather.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  users: [helper, viewer, "system:serviceaccount:must-gather:default"]
`

// egress has the API server reach nodes and pods through a proxy.
const egress = `apiVersion: apiserver.k8s.io/v1beta1
kind: EgressSelectorConfiguration
egressSelections:
- name: cluster
  connection:
    proxyProtocol: HTTPConnect
    transport:
      uds:
        udsName: %q
`

var (
	server *apiserver.Server
	// auditLog is the file with the requests of those who gather.
	auditLog string
	// onLog, where it is set, is called before the log of a container is served.
	onLog atomic.Pointer[func(*url.URL)]
)

var _ = BeforeSuite(func(ctx SpecContext) {
	directory := GinkgoT().TempDir()
	write := func(name, content string) string {
		path := filepath.Join(directory, name)
		Expect(os.WriteFile(path, []byte(content), 0o600)).To(Succeed())
		return path
	}
	auditLog = filepath.Join(directory, "audit.log")
	socket := filepath.Join(directory, "proxy")
	serveNode(socket)
	environment := &envtest.Environment{}
	environment.ControlPlane.GetAPIServer().Configure().
		Append("audit-policy-file", write("audit.yaml", auditPolicy)).
		Append("audit-log-path", auditLog).
		Append("egress-selector-config-file", write("egress.yaml", fmt.Sprintf(egress, socket))).
		Append("kubelet-preferred-address-types", "InternalIP").
		// Pods may be made without their ServiceAccount, which nobody makes here.
		Append("disable-admission-plugins", "ServiceAccount")
	server = apiserver.Start(environment)
	server.Install(ctx)
	server.Kubectl(ctx, "apply", "--server-side", "-k", filepath.Join(root, "config", "spire", "crd"))
	apiserver.DependOn(filepath.Join(root, "test", "e2e", "testdata"))
	server.Kubectl(ctx, "apply", "--server-side", "-f", filepath.Join(root, "test", "e2e", "testdata", "monitoring.yaml"))
	server.AwaitDefinitions(ctx)
	// Nobody converts here; what is stored looks the same in both versions then.
	server.Kubectl(ctx, "patch", "crd", "nsms.nsm.networkservicemesh.io", "--type=merge", "--patch", `{"spec":{"conversion":{"strategy":"None","webhook":null}}}`)
	server.StartControllers(ctx, "clusterrole-aggregation-controller")
	for _, directory := range []string{"manager", "prometheus"} {
		server.Kubectl(ctx, "apply", "--server-side", "-k", filepath.Join(root, "config", directory))
	}
	server.Kubectl(ctx, "apply", "--server-side", "-f", filepath.Join("testdata", "mesh.yaml"))
	setStates(ctx)
})

// setStates writes what kubelets and the operator would.
func setStates(ctx context.Context) {
	GinkgoHelper()
	client, err := kubernetes.NewForConfig(server.Config)
	Expect(err).NotTo(HaveOccurred())
	node, err := client.CoreV1().Nodes().Get(ctx, "node-1", metav1.GetOptions{})
	Expect(err).NotTo(HaveOccurred())
	node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "198.19.0.1"}}
	node.Status.DaemonEndpoints.KubeletEndpoint.Port = 10250
	_, err = client.CoreV1().Nodes().UpdateStatus(ctx, node, metav1.UpdateOptions{})
	Expect(err).NotTo(HaveOccurred())
	for namespace, name := range map[string]string{"nsm": "nsmgr-1", "operators": "nsm-operator-1"} {
		pod, err := client.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
		Expect(err).NotTo(HaveOccurred())
		pod.Status.Phase = corev1.PodRunning
		pod.Status.PodIPs = []corev1.PodIP{{IP: "198.19.0.2"}}
		pod.Status.PodIP = "198.19.0.2"
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
			Name: pod.Spec.Containers[0].Name, RestartCount: 1, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
		}}
		_, err = client.CoreV1().Pods(namespace).UpdateStatus(ctx, pod, metav1.UpdateOptions{})
		Expect(err).NotTo(HaveOccurred())
	}
	server.Kubectl(ctx, "patch", "nsm", "mesh", "-n", "nsm", "--subresource=status", "--type=merge", "--patch", `{"status":{"version":"v1.18.0","conditions":[
		{"type":"Available","status":"False","reason":"NotReady","lastTransitionTime":"2026-01-01T00:00:00Z",
		 "message":"nsmgr: its log says {\"token\":\"pl4nted-condition\"}"}]}}`)
}

// crowd makes nodes, each with a pod of a mesh in a namespace of their own. The pod on
// crowd-3 is not ready, and neither is the node crowd-5.
func crowd(ctx context.Context, nodes int) {
	GinkgoHelper()
	client, err := kubernetes.NewForConfig(server.Config)
	Expect(err).NotTo(HaveOccurred())
	_, err = client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "crowd"}}, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	isReady := func(ready bool) corev1.ConditionStatus {
		if ready {
			return corev1.ConditionTrue
		}
		return corev1.ConditionFalse
	}
	for n := range nodes {
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("crowd-%d", n)}}
		node, err := client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func(ctx SpecContext) {
			Expect(client.CoreV1().Nodes().Delete(ctx, node.Name, metav1.DeleteOptions{})).To(Succeed())
		})
		node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "198.19.0.1"}}
		node.Status.DaemonEndpoints.KubeletEndpoint.Port = 10250
		node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: isReady(n != 5)}}
		_, err = client.CoreV1().Nodes().UpdateStatus(ctx, node, metav1.UpdateOptions{})
		Expect(err).NotTo(HaveOccurred())
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Namespace: "crowd", Name: fmt.Sprintf("nsmgr-%d", n), Labels: map[string]string{"app.kubernetes.io/managed-by": "nsm-operator"},
		}}
		pod.Spec = corev1.PodSpec{NodeName: node.Name, Containers: []corev1.Container{{Name: "nsmgr", Image: "cmd-nsmgr"}}}
		pod, err = client.CoreV1().Pods("crowd").Create(ctx, pod, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		pod.Status = corev1.PodStatus{
			Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: isReady(n != 3)}},
			ContainerStatuses: []corev1.ContainerStatus{{Name: "nsmgr", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}},
		}
		_, err = client.CoreV1().Pods("crowd").UpdateStatus(ctx, pod, metav1.UpdateOptions{})
		Expect(err).NotTo(HaveOccurred())
	}
	DeferCleanup(func(ctx SpecContext) {
		Expect(client.CoreV1().Namespaces().Delete(ctx, "crowd", metav1.DeleteOptions{})).To(Succeed())
		Expect(client.CoreV1().Pods("crowd").DeleteCollection(ctx, *metav1.NewDeleteOptions(0), metav1.ListOptions{})).To(Succeed())
	})
}

// jwt is one with "pl4nted" in its second part, which has no other place in base64.
const jwt = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJwbDRudGVkIn0.pl4nted-signature"

// noise are 64 KiB that hardly can be compressed, the same each time.
func noise() string {
	source := rand.New(rand.NewPCG(1, 2))
	var text strings.Builder
	for range 2048 {
		fmt.Fprintf(&text, "%016x%015x\n", source.Uint64(), source.Uint64()>>4)
	}
	return text.String()
}

// logOf a container, as NSM writes it: the last line is that of the newest request.
func logOf(path string, isPrevious bool) string {
	lines := "seen log of " + path + "\n"
	if isPrevious {
		lines = "seen previous log of " + path + "\n" + noise()
	}
	return lines +
		`Nov 29 01:02:03.000 [INFO] [id:a] [type:networkService] request={"path":{"path_segments":[{"name":"a","token":"` + jwt + `"}]}}` + "\n" +
		"Config: NSM_DB_PASSWORD=pl4nted-log\n" +
		"-----BEGIN EC PRIVATE KEY-----\npl4ntedAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n-----END EC PRIVATE KEY-----\n" +
		"seen end of the log\n"
}

// serveNode runs what answers for every node and pod: no kubelet runs here. The API server
// reaches it through a proxy, which leads there from everywhere.
func serveNode(socket string) {
	GinkgoHelper()
	node := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/containerLogs/") {
			// As the operator answers whom it does not know.
			http.Error(w, "Unauthorized", http.StatusUnauthorized)
			return
		}
		if call := onLog.Load(); call != nil {
			(*call)(r.URL)
		}
		_, _ = io.WriteString(w, logOf(r.URL.Path, r.URL.Query().Get("previous") == "true"))
	}))
	DeferCleanup(node.Close)
	proxy := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		connection, err := (&net.Dialer{}).DialContext(r.Context(), "tcp", node.Listener.Addr().String())
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		client, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n")
		go func() {
			_, _ = io.Copy(connection, client)
			_ = connection.Close()
		}()
		_, _ = io.Copy(client, connection)
		_ = client.Close()
	}))
	Expect(proxy.Listener.Close()).To(Succeed())
	var err error
	proxy.Listener, err = net.Listen("unix", socket)
	Expect(err).NotTo(HaveOccurred())
	proxy.Start()
	DeferCleanup(proxy.Close)
}

// access of a user.
func access(name string, groups ...string) *rest.Config {
	GinkgoHelper()
	user, err := server.Environment.AddUser(envtest.User{Name: name, Groups: groups}, &rest.Config{QPS: -1})
	Expect(err).NotTo(HaveOccurred())
	return user.Config()
}
