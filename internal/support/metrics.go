// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package support

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/networkservicemesh/nsm-operator/internal/audience"
)

// gatherMetrics reads the operator's: within the cluster from its pods, and from elsewhere,
// or where that fails, through the API server.
func (g *gatherer) gatherMetrics(ctx context.Context) {
	pods := slices.DeleteFunc(slices.Clone(g.pods), func(p pod) bool { return !p.ofOperator || p.metrics == 0 })
	if len(pods) == 0 {
		return
	}
	var reads *metricsReader
	if g.InCluster {
		var err error
		if reads, err = g.newMetricsReader(ctx); err != nil {
			g.report.missing("metrics of the operator, from its pods", g.explain(ctx, err))
		}
	}
	parallel(g.Limits.Requests, pods, func(p pod) {
		if reads == nil || !g.metricsFromPod(ctx, reads, &p) {
			g.metricsThroughServer(ctx, &p)
		}
	})
}

// metricsFile is the one with the metrics of a pod.
func metricsFile(p *pod) string { return path.Join(p.directory(), "metrics", p.name+".txt") }

// metricsThroughServer asks the API server for them. That one does not tell the operator who
// asks, so that it answers only where its metrics are open to all.
func (g *gatherer) metricsThroughServer(ctx context.Context, p *pod) {
	request := g.api.core.RESTClient().Get().Namespace(p.namespace).Resource("pods").
		Name(fmt.Sprintf("https:%s:%d", p.name, p.metrics)).SubResource("proxy").Suffix("metrics")
	what := fmt.Sprintf("metrics of %s/%s, through the API server", p.namespace, p.name)
	g.gather(ctx, metricsFile(p), what, g.Limits.Log, func(ctx context.Context, out io.Writer) error {
		err := g.stream(ctx, request, out)
		if apierrors.IsUnauthorized(err) {
			g.report.note(what + ": the operator serves them only to those who say who they are, and the API server passes no token on; " + g.metricsByHand(ctx))
			return nil
		}
		return err
	})
}

// metricsByHand tells who was refused how to get the metrics all the same: whether that
// takes another right, and where the commands are. From outside of the cluster no token is
// sent to a pod.
func (g *gatherer) metricsByHand(ctx context.Context) string {
	const commands = "https://github.com/networkservicemesh/nsm-operator/blob/main/docs/support.md#metrics has the commands that get them"
	ctx, cancel := context.WithTimeout(ctx, g.Limits.Request)
	defer cancel()
	review, err := g.api.rights.SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{NonResourceAttributes: &authorizationv1.NonResourceAttributes{Verb: "get", Path: "/metrics"}},
	}, metav1.CreateOptions{})
	switch {
	case err != nil:
		return fmt.Sprintf("whether you may read them is not known (%v); %s", err, commands)
	case review.Status.Allowed:
		return "you may read them, and " + commands
	default:
		return "you may not read them either: the right to get the path /metrics is missing, which the ClusterRole nsm-operator-metrics-reader has; " + commands
	}
}

// metricsReader reads metrics from pods that prove to be the operator's.
type metricsReader struct {
	dial func(ctx context.Context, network, address string) (net.Conn, error)
	// tls verifies them.
	tls *tls.Config
	// token is good for the metrics alone.
	token string
}

// newMetricsReader learns what the operator's certificate is verified by, and has a token
// issued. Nothing else is ever sent that token but a pod with that certificate.
func (g *gatherer) newMetricsReader(ctx context.Context) (*metricsReader, error) {
	roots, name, err := g.trusted(ctx)
	if err != nil {
		return nil, err
	}
	token, err := g.metricsToken(ctx)
	if err != nil {
		return nil, err
	}
	dial := g.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	return &metricsReader{dial: dial, token: token, tls: &tls.Config{RootCAs: roots, ServerName: name, MinVersion: tls.VersionTLS12}}, nil
}

// published is what tells the API server by which certificates to trust the operator. Of all
// that does, nobody may write it but administrators and the operator.
const published = "nsm-operator-validation"

// trusted are the certificates that verify the operator's, and the name in that one.
func (g *gatherer) trusted(ctx context.Context) (*x509.CertPool, string, error) {
	ctx, cancel := context.WithTimeout(ctx, g.Limits.Request)
	defer cancel()
	of := admissionregistrationv1.SchemeGroupVersion.WithResource("validatingwebhookconfigurations")
	object, err := g.api.objects.Resource(of).Get(ctx, published, metav1.GetOptions{})
	if err != nil {
		return nil, "", fmt.Errorf("how to verify the certificate: %w", err)
	}
	var configuration admissionregistrationv1.ValidatingWebhookConfiguration
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &configuration); err != nil {
		return nil, "", err
	}
	for i := range configuration.Webhooks {
		config, roots := &configuration.Webhooks[i].ClientConfig, x509.NewCertPool()
		if config.Service != nil && roots.AppendCertsFromPEM(config.CABundle) {
			return roots, config.Service.Name + "." + config.Service.Namespace + ".svc", nil
		}
	}
	return nil, "", fmt.Errorf("how to verify the certificate: ValidatingWebhookConfiguration %s names no Service with a certificate", published)
}

// metricsToken is a token of the ServiceAccount that this runs as. It is for the metrics
// alone, so that nobody who gets it can use it at the API server, and ends with the pod.
func (g *gatherer) metricsToken(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, g.Limits.Request)
	defer cancel()
	self, err := g.api.identity.SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("whose token to ask for: %w", err)
	}
	user := self.Status.UserInfo
	account, isAccount := strings.CutPrefix(user.Username, "system:serviceaccount:")
	namespace, name, _ := strings.Cut(account, ":")
	if !isAccount {
		return "", fmt.Errorf("whose token to ask for: %s is no ServiceAccount", user.Username)
	}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		Audiences: []string{audience.Metrics}, ExpirationSeconds: ptr.To[int64](600),
	}}
	pods, ids := user.Extra["authentication.kubernetes.io/pod-name"], user.Extra["authentication.kubernetes.io/pod-uid"]
	if len(pods) == 1 && len(ids) == 1 {
		request.Spec.BoundObjectRef = &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: pods[0], UID: types.UID(ids[0])}
	}
	issued, err := g.api.core.ServiceAccounts(namespace).CreateToken(ctx, name, request, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("a token for the metrics: %w", err)
	}
	return issued.Status.Token, nil
}

// metricsFromPod asks a pod, and reports whether it has answered.
func (g *gatherer) metricsFromPod(ctx context.Context, reads *metricsReader, p *pod) (had bool) {
	what := fmt.Sprintf("metrics of %s/%s", p.namespace, p.name)
	g.gather(ctx, metricsFile(p), what, g.Limits.Log, func(ctx context.Context, out io.Writer) error {
		ctx, cancel := context.WithTimeout(ctx, g.Limits.Request)
		defer cancel()
		err := reads.read(ctx, p, out)
		had = err == nil
		return err
	})
	return had
}

// read the metrics of a pod.
func (m *metricsReader) read(ctx context.Context, p *pod, out io.Writer) error {
	if p.ip == "" {
		return errors.New("the pod has no address")
	}
	address := url.URL{Scheme: "https", Host: net.JoinHostPort(p.ip, strconv.Itoa(int(p.metrics))), Path: "/metrics"}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), http.NoBody)
	if err != nil {
		return err
	}
	// It is sent once the pod's certificate is verified, and not before.
	request.Header.Set("Authorization", "Bearer "+m.token)
	answer, err := m.client(ctx).Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusOK:
		_, err = io.Copy(out, answer.Body)
		return err
	case http.StatusForbidden:
		return errors.New("forbidden: the right to get the path /metrics is missing, which the ClusterRole nsm-operator-metrics-reader has")
	default:
		return fmt.Errorf("the pod answers %s", answer.Status)
	}
}

// client for one request. Its connection ends with the request, whatever it waits for.
func (m *metricsReader) client(ctx context.Context) *http.Client {
	dial := func(_ context.Context, network, address string) (net.Conn, error) {
		connection, err := m.dial(ctx, network, address)
		if err == nil {
			context.AfterFunc(ctx, func() { _ = connection.Close() })
		}
		return connection, err
	}
	return &http.Client{
		// No proxy of the environment, which would have to reach pods.
		Transport:     &http.Transport{DialContext: dial, DisableKeepAlives: true, TLSClientConfig: m.tls},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
