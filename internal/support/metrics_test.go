// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package support_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"

	"github.com/networkservicemesh/nsm-operator/internal/audience"
	"github.com/networkservicemesh/nsm-operator/internal/certs"
	"github.com/networkservicemesh/nsm-operator/internal/support"
)

const (
	// operatorName is what the operator's certificate is for.
	operatorName = "nsm-operator-service.operators.svc"
	metricsOf    = "operator/namespaces/operators/metrics/nsm-operator-1.txt"
)

// operatorPod is what answers at the address of the operator's pod.
type operatorPod struct {
	// address that it really has.
	address string

	mu sync.Mutex
	// dialled counts connections, and tokens are those that came with requests; "" for none.
	dialled int
	tokens  []string
}

// dial leads to it, from the pod's address.
func (o *operatorPod) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if address != "198.19.0.2:8443" {
		return nil, fmt.Errorf("there is nothing at %s", address)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.dialled++
	return (&net.Dialer{}).DialContext(ctx, network, o.address)
}

// seen so far.
func (o *operatorPod) seen() (dialled int, tokens []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.dialled, o.tokens
}

// servePod with a certificate, and answer requests.
func servePod(pair *certs.Pair, answer http.HandlerFunc) *operatorPod {
	GinkgoHelper()
	certificate, err := tls.X509KeyPair(pair.Certificate, pair.Key)
	Expect(err).NotTo(HaveOccurred())
	pod := &operatorPod{}
	listener := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pod.mu.Lock()
		pod.tokens = append(pod.tokens, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		pod.mu.Unlock()
		answer(w, r)
	}))
	listener.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	listener.Config.ErrorLog = log.New(GinkgoWriter, "", 0)
	listener.StartTLS()
	DeferCleanup(listener.Close)
	pod.address = listener.Listener.Addr().String()
	return pod
}

func issue(name string) *certs.Pair {
	GinkgoHelper()
	pair, err := certs.Issue([]string{name}, time.Now())
	Expect(err).NotTo(HaveOccurred())
	return pair
}

// publish by which certificates to trust the operator. The webhook is asked about nothing.
func publish(ctx context.Context, authorities []byte) {
	GinkgoHelper()
	client, err := kubernetes.NewForConfig(server.Config)
	Expect(err).NotTo(HaveOccurred())
	configurations := client.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	configuration := &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "nsm-operator-validation"},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name: "validation.nsm.networkservicemesh.io", AdmissionReviewVersions: []string{"v1"}, SideEffects: ptr.To(admissionregistrationv1.SideEffectClassNone),
			ClientConfig: admissionregistrationv1.WebhookClientConfig{
				CABundle: authorities, Service: &admissionregistrationv1.ServiceReference{Namespace: "operators", Name: "nsm-operator-service"},
			},
		}},
	}
	_, err = configurations.Create(ctx, configuration, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func(ctx SpecContext) {
		Expect(configurations.Delete(ctx, configuration.Name, metav1.DeleteOptions{})).To(Succeed())
	})
}

// mustGather is what "oc adm must-gather" makes, a pod whose ServiceAccount may do all, and
// the access that it has.
func mustGather(ctx context.Context) *rest.Config {
	GinkgoHelper()
	client, err := kubernetes.NewForConfig(server.Config)
	Expect(err).NotTo(HaveOccurred())
	const namespace = "must-gather"
	created := func(_ any, err error) {
		GinkgoHelper()
		if !apierrors.IsAlreadyExists(err) {
			Expect(err).NotTo(HaveOccurred())
		}
	}
	created(client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{}))
	created(client.CoreV1().ServiceAccounts(namespace).Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default"}}, metav1.CreateOptions{}))
	created(client.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: namespace}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: namespace, Name: "default"}},
	}, metav1.CreateOptions{}))
	created(client.CoreV1().Pods(namespace).Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "gather-1"},
		Spec:       corev1.PodSpec{ServiceAccountName: "default", Containers: []corev1.Container{{Name: "gather", Image: "must-gather"}}},
	}, metav1.CreateOptions{}))
	pod, err := client.CoreV1().Pods(namespace).Get(ctx, "gather-1", metav1.GetOptions{})
	Expect(err).NotTo(HaveOccurred())
	issued, err := client.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, "default", &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{BoundObjectRef: &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID}},
	}, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	config := rest.AnonymousClientConfig(server.Config)
	config.BearerToken = issued.Status.Token
	Eventually(func() error {
		client, err := kubernetes.NewForConfig(config)
		if err == nil {
			_, err = client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		}
		return err
	}).Should(Succeed())
	return config
}

// inCluster are the options of what asks a pod.
func inCluster(pod *operatorPod) support.Options {
	inside := options()
	inside.InCluster, inside.Dial = true, pod.dial
	return inside
}

// review a token, as the operator does.
func review(ctx context.Context, token string, audiences ...string) authenticationv1.TokenReviewStatus {
	GinkgoHelper()
	client, err := kubernetes.NewForConfig(server.Config)
	Expect(err).NotTo(HaveOccurred())
	done, err := client.AuthenticationV1().TokenReviews().Create(ctx, &authenticationv1.TokenReview{
		Spec: authenticationv1.TokenReviewSpec{Token: token, Audiences: audiences},
	}, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	return done.Status
}

// serveMetrics with a secret in them, which they do not have.
func serveMetrics(w http.ResponseWriter, r *http.Request) {
	_, _ = fmt.Fprintf(w, "# %s\nseen_metrics 1\n# {\"token\":\"pl4nted-metrics\"} Bearer pl4nted-bearer\n", r.URL.Path)
}

const byHand = "metrics of operators/nsm-operator-1, through the API server: the operator serves them only to those who say who they are"

var _ = Describe("The operator's metrics, in a pod of the cluster", func() {
	It("are had with a token that is good for nothing else", func(ctx SpecContext) {
		pair := issue(operatorName)
		publish(ctx, pair.CA)
		pod := servePod(pair, serveMetrics)
		config := mustGather(ctx)
		files, outcome := gather(ctx, config, inCluster(pod))
		Expect(files["errors.txt"]).To(BeEmpty())
		Expect(outcome).To(Equal(support.Complete))
		Expect(files[metricsOf]).To(Equal("# /metrics\nseen_metrics 1\n# {\"token\":\"<masked:15>\"} Bearer <masked:14>\n"))
		dialled, tokens := pod.seen()
		Expect(dialled).To(Equal(1))
		Expect(tokens).To(HaveLen(1))

		By("telling the operator who asks")
		status := review(ctx, tokens[0], audience.Metrics)
		Expect(status.Authenticated).To(BeTrue(), status.Error)
		Expect(status.User.Username).To(Equal("system:serviceaccount:must-gather:default"))
		Expect(status.User.Extra).To(HaveKeyWithValue("authentication.kubernetes.io/pod-name", authenticationv1.ExtraValue{"gather-1"}))
		Expect(audience.IsMetrics(tokens[0])).To(BeTrue())
		By("being refused by the API server, unlike the pod's own")
		Expect(review(ctx, tokens[0]).Authenticated).To(BeFalse())
		Expect(review(ctx, config.BearerToken).Authenticated).To(BeTrue())
		stolen := rest.AnonymousClientConfig(server.Config)
		stolen.BearerToken = tokens[0]
		client, err := kubernetes.NewForConfig(stolen)
		Expect(err).NotTo(HaveOccurred())
		_, err = client.CoreV1().Namespaces().List(ctx, metav1.ListOptions{})
		Expect(apierrors.IsUnauthorized(err)).To(BeTrue(), "%v", err)

		By("asking for no Secret, and writing nothing")
		asked := requests("system:serviceaccount:must-gather:default")
		Expect(asked).To(ContainElements("create serviceaccounts/token", "get pods/log"))
		for _, request := range asked {
			Expect(request).To(Or(MatchRegexp(`^(get|list)\b`), BeElementOf(
				"create selfsubjectaccessreviews", "create selfsubjectreviews", "create serviceaccounts/token")))
			Expect(request).NotTo(ContainSubstring("secrets"))
		}
	})

	DescribeTable("are not asked for where the pod does not prove to be the operator", func(ctx SpecContext, served, published func() *certs.Pair, why string) {
		presents := served()
		trusts := presents
		if published != nil {
			trusts = published()
		}
		publish(ctx, trusts.CA)
		pod := servePod(presents, serveMetrics)
		files, outcome := gather(ctx, mustGather(ctx), inCluster(pod))
		dialled, tokens := pod.seen()
		Expect(dialled).To(Equal(1), "it was tried")
		Expect(tokens).To(BeEmpty(), "no request comes, and so no token")
		Expect(files).NotTo(HaveKey(metricsOf))
		Expect(files["errors.txt"]).To(And(ContainSubstring("metrics of operators/nsm-operator-1: "), ContainSubstring(why), ContainSubstring(byHand)))
		Expect(outcome).To(Equal(support.Partial))
	},
		Entry("by another certificate", func() *certs.Pair { return issue(operatorName) }, func() *certs.Pair { return issue(operatorName) }, "certificate signed by unknown authority"),
		Entry("by the name in it", func() *certs.Pair { return issue("other.operators.svc") }, nil, "certificate is valid for other.operators.svc, not "+operatorName),
	)

	It("are not asked for without TLS", func(ctx SpecContext) {
		publish(ctx, issue(operatorName).CA)
		listener, err := net.Listen("tcp4", "127.0.0.1:0")
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(listener.Close)
		heard := make(chan string, 1)
		go func() {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			defer connection.Close()
			_, _ = io.WriteString(connection, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			all, _ := io.ReadAll(connection)
			heard <- string(all)
		}()
		pod := &operatorPod{address: listener.Addr().String()}
		files, _ := gather(ctx, mustGather(ctx), inCluster(pod))
		var all string
		Eventually(heard).Should(Receive(&all))
		Expect(all).NotTo(Or(BeEmpty(), ContainSubstring("Authorization"), ContainSubstring("Bearer"), ContainSubstring("GET /metrics")))
		Expect(files["errors.txt"]).To(ContainSubstring("metrics of operators/nsm-operator-1: "))
		Expect(files).NotTo(HaveKey(metricsOf))
	})

	It("are not looked for elsewhere", func(ctx SpecContext) {
		pair := issue(operatorName)
		publish(ctx, pair.CA)
		elsewhere := servePod(pair, serveMetrics)
		pod := servePod(pair, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://"+elsewhere.address+"/metrics", http.StatusFound)
		})
		files, _ := gather(ctx, mustGather(ctx), inCluster(pod))
		dialled, _ := pod.seen()
		_, tokens := elsewhere.seen()
		Expect(dialled).To(Equal(1))
		Expect(tokens).To(BeEmpty())
		Expect(files["errors.txt"]).To(ContainSubstring("metrics of operators/nsm-operator-1: the pod answers 302 Found\n"))
	})

	It("are cut at the limit of a log", func(ctx SpecContext) {
		pair := issue(operatorName)
		publish(ctx, pair.CA)
		pod := servePod(pair, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, noise()+"seen_metrics 1\n") })
		small := inCluster(pod)
		small.Limits.Log = 32 << 10
		files, _ := gather(ctx, mustGather(ctx), small)
		Expect(len(files[metricsOf])).To(BeNumerically("<=", 32<<10))
		Expect(files[metricsOf]).To(HaveSuffix("\nseen_metrics 1\n"))
		Expect(files["errors.txt"]).To(ContainSubstring("metrics of operators/nsm-operator-1: cut: the newest"))
	})

	It("are asked for through the API server where a token or a certificate cannot be had", func(ctx SpecContext) {
		pair := issue(operatorName)
		pod := servePod(pair, serveMetrics)
		files, _ := gather(ctx, mustGather(ctx), inCluster(pod))
		Expect(files["errors.txt"]).To(And(
			MatchRegexp(`(?m)^metrics of the operator, from its pods: how to verify the certificate: .*"nsm-operator-validation" not found$`), ContainSubstring(byHand)))
		publish(ctx, nil)
		files, _ = gather(ctx, access("somebody", "system:masters"), inCluster(pod))
		Expect(files["errors.txt"]).To(ContainSubstring("names no Service with a certificate\n"))
		dialled, _ := pod.seen()
		Expect(dialled).To(BeZero())
	})

	It("take the token of a ServiceAccount", func(ctx SpecContext) {
		pair := issue(operatorName)
		publish(ctx, pair.CA)
		pod := servePod(pair, serveMetrics)
		files, outcome := gather(ctx, access("somebody", "system:masters"), inCluster(pod))
		Expect(files["errors.txt"]).To(And(ContainSubstring("whose token to ask for: somebody is no ServiceAccount\n"), ContainSubstring(byHand)))
		Expect(outcome).To(Equal(support.Partial))
		dialled, _ := pod.seen()
		Expect(dialled).To(BeZero())
	})

	It("are not asked for from elsewhere", func(ctx SpecContext) {
		pair := issue(operatorName)
		publish(ctx, pair.CA)
		pod := servePod(pair, serveMetrics)
		outside := options()
		outside.Dial = pod.dial
		files, outcome := gather(ctx, mustGather(ctx), outside)
		dialled, _ := pod.seen()
		Expect(dialled).To(BeZero())
		Expect(files["errors.txt"]).To(HavePrefix(byHand))
		Expect(outcome).To(Equal(support.Complete))
	})
})
