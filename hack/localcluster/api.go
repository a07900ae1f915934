package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// pollInterval is how often a condition is looked at while something starts.
const pollInterval = 50 * time.Millisecond

// api is the little that the launcher asks of the API server itself; everything else goes through kubectl.
type api struct {
	url    string
	client *http.Client
}

// newAPI makes a client that trusts only the given authority and identifies itself by a certificate.
func newAPI(url string, ca []byte, user keyPair) (*api, error) {
	cert, err := tls.X509KeyPair(user.cert, user.key)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13},
	}
	return &api{url: url, client: &http.Client{Transport: transport, Timeout: 10 * time.Second}}, nil
}

// do sends a request and decodes a JSON answer into result, where one is wanted. A refusal is an error with its text.
func (a *api) do(ctx context.Context, method, path string, body, result any) error {
	content, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, a.url+path, bytes.NewReader(content))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	if method == http.MethodPatch {
		request.Header.Set("Content-Type", "application/merge-patch+json")
	}
	response, err := a.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= http.StatusBadRequest {
		return &refusal{
			status: response.StatusCode,
			text:   fmt.Sprintf("%s %s: %s: %s", method, path, response.Status, strings.TrimSpace(string(text))),
		}
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(text, result)
}

// get reads an object.
func (a *api) get(ctx context.Context, path string, result any) error {
	return a.do(ctx, http.MethodGet, path, nil, result)
}

// create writes a new object.
func (a *api) create(ctx context.Context, path string, object any) error {
	return a.do(ctx, http.MethodPost, path, object, nil)
}

// merge changes those fields of an object that are given.
func (a *api) merge(ctx context.Context, path string, fields any) error {
	return a.do(ctx, http.MethodPatch, path, fields, nil)
}

// delete deletes an object.
func (a *api) delete(ctx context.Context, path string) error {
	return a.do(ctx, http.MethodDelete, path, object{}, nil)
}

// refusal is the API server's answer to a request that it does not grant.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

// statusOf is the HTTP status of a refusal, and 0 for every other error.
func statusOf(err error) int {
	var r *refusal
	if errors.As(err, &r) {
		return r.status
	}
	return 0
}

// waitFor looks at a condition until it holds. The error is the cause of ctx's end, or after the timeout what was
// waited for and what the last look said.
func waitFor(ctx context.Context, what string, timeout time.Duration, condition func(context.Context) error) error {
	deadline := time.Now().Add(timeout)
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		err := condition(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: not within %s: %w", what, timeout, err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}
