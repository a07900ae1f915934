// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mask_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/networkservicemesh/nsm-operator/internal/mask"
)

const (
	// jwt is {"alg":"none"}.{"sub":"planted"}.
	jwt = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJwbGFudGVkIn0.c2lnbmF0dXJl"
	key = "-----BEGIN EC PRIVATE KEY-----\n" +
		"MHcCAQEEIPlantedPlantedPlantedPlantedPlantedPlantedPlantedPlant1\n" +
		"oAoGCCqGSM49PlantedPlantedPlantedPlantedPlantedPlantedPlantedPl2\n" +
		"UGxhbnRlZA==\n" +
		"-----END EC PRIVATE KEY-----"
	certificate = "-----BEGIN CERTIFICATE-----\n" +
		"MIIBhTCCASugAwIBAgIQIRi6zePL6mKjOipn+dNuaTAKBggqhkjOPQQDAjASMRAw\n" +
		"DgYDVQQKEwdBY21lIENvMB4XDTE3MTAyMDE5NDMwNloXDTE4MTAyMDE5NDMwNlow\n" +
		"-----END CERTIFICATE-----\n"
)

func encoded(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// quoted writes a text as a string of JSON.
func quoted(text string) string {
	result, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return string(result)
}

// planted are texts with a secret, and what is left of them.
var planted = []struct{ name, text, secret, want string }{
	{"JWT", "peer sent " + jwt + " to us", jwt, "peer sent <masked:56> to us"},
	{"token in JSON", `{"id":"a","token":"opaque-1","expires":3}`, "opaque-1", `{"id":"a","token":"<masked:8>","expires":3}`},
	{"token in JSON within JSON", `{"msg":"{\"token\":\"opaque-1\",\"id\":\"a\"}"}`, "opaque-1", `{"msg":"{\"token\":\"<masked:8>\",\"id\":\"a\"}"}`},
	{"twice within JSON", `"{\\\"token\\\":\\\"opaque-1\\\",\\\"id\\\":\\\"a\\\"}"`, "opaque-1", `"{\\\"token\\\":\\\"<masked:8>\\\",\\\"id\\\":\\\"a\\\"}"`},
	{"a quote within", `{"password":"opa\"que-1","id":"a"}`, `que-1`, `{"password":"<masked:10>","id":"a"}`},
	{"token of protobuf", `path_segments:{name:"nsmgr" token:"opaque-1" expires:{seconds:1}}`, "opaque-1", `path_segments:{name:"nsmgr" token:"<masked:8>" expires:{seconds:1}}`},
	{"token of logfmt", `level=info token=opaque-1 id=a`, "opaque-1", `level=info token=<masked:8> id=a`},
	{"struct of Go", `{Name:a Token:opaque-1 ID:b}`, "opaque-1", `{Name:a Token:<masked:8> ID:b}`},
	{"header", "Authorization: Digest username=planted, response=x", "planted", "Authorization: <masked:35>"},
	{"quoted header", "curl -H 'Authorization: Bearer opaque-1' https://example.com", "opaque-1", "curl -H 'Authorization: <masked:15>' https://example.com"},
	{"header of Go", `map[Accept:[*/*] Authorization:[Bearer opaque-1] Host:[a]]`, "opaque-1", `map[Accept:[*/*] Authorization:[<masked:15>] Host:[a]]`},
	{"bearer", "called with Bearer opaque-1, refused", "opaque-1", "called with Bearer <masked:8>, refused"},
	{"basic", "called with basic dXNlcjpwbGFudGVk", "dXNlcjpwbGFudGVk", "called with basic <masked:16>"},
	{"login in a URL", "GET https://user:plan@ted@example.com/path", "plan@ted", "GET https://<masked:13>@example.com/path"},
	{"token in a URL", "GET https://opaque-1@example.com/path", "opaque-1", "GET https://<masked:8>@example.com/path"},
	{"query of a URL", `GET "https://example.com/path?a=b&access_token=opaque-1&c=d"`, "opaque-1", `GET "https://example.com/path?a=b&access_token=<masked:8>&c=d"`},
	{"private key", "before\n" + key + "\nafter\n", "PlantedPlanted", "before\n<masked:202>\nafter\n"},
	{"private key in JSON", `{"key":` + quoted(key) + `,"id":"a"}`, "PlantedPlanted", `{"key":"<masked:206>","id":"a"}`},
	{"private key without its beginning", key[40:] + "\nafter\n", "PlantedPlanted", "<masked:55>\n<masked:64>\n<masked:12>\n-----END EC PRIVATE KEY-----\nafter\n"},
	{"private key without its end", "a\n" + key[:150], "Planted", "a\n<masked:150>"},
	{"private key in YAML", "a:\n  " + strings.ReplaceAll(key, "\n", "\n  ") + "\nb: c\n", "Planted", "a:\n  <masked:210>\nb: c\n"},
	{"variable in a log", "Config: NSM_DB_PASSWORD_1=opaque-1 NSM_NAME=a", "opaque-1", "Config: NSM_DB_PASSWORD_1=<masked:8> NSM_NAME=a"},
	{"variable of env", "API_KEY=two words\nNAME=a\n", "two words", "API_KEY=<masked:9>\nNAME=a\n"},
	{"variable in JSON", `[{"name":"API_KEY","value":"opaque-1"},{"name":"a","value":"b"}]`, "opaque-1", `[{"name":"API_KEY","value":"<masked:8>"},{"name":"a","value":"b"}]`},
	{"variable of Go", `EnvVar{Name:API_KEY,Value:opaque-1 ValueFrom:nil}`, "opaque-1", `EnvVar{Name:API_KEY,Value:<masked:8> ValueFrom:nil}`},
	{"variable in YAML", "- name: API_KEY\n  value: two words\n- name: a\n  value: b\n", "two words", "- name: API_KEY\n  value: <masked:9>\n- name: a\n  value: b\n"},
	{"YAML", "user: a\npassword: two words\n", "two words", "user: a\npassword: <masked:9>\n"},
	{"flag", "nsmgr --api-token opaque-1 --name a", "opaque-1", "nsmgr --api-token <masked:8> --name a"},
	{"pull secret", `{"auths":{"quay.io":{"auth":"cGxhbnRlZA=="}}}`, "cGxhbnRlZA", `{"auths":{"quay.io":{"auth":"<masked:12>"}}}`},
	{"base64 of a pull secret", encoded(`{"auths":{"quay.io":{"auth":"cGxhbnRlZA=="}}}`), "eyJhdXRocyI6", "<masked:60>"},
	{"base64 of a JWT", "x: " + encoded(jwt), encoded(jwt), "x: <masked:76>"},
	{"base64 of a private key", "x: " + encoded(key), encoded(key)[:40], "x: <masked:272>"},
	{"base64 of a login", "x: " + encoded("https://user:planted@example.com"), encoded("https://user:planted@example.com")[:30], "x: <masked:44>"},
	{"base64 twice", "x: " + encoded(encoded("password=planted-password")), encoded(encoded("password=planted-password"))[:30], "x: <masked:48>"},
	{"compressed", `gzip:H4sIAAAAAAAC/8pIzcnJVyjPL8pJAQQAAP//`, "H4sIAAAA", `gzip:<masked:36>`},
	{"token of OpenShift", "logged in with sha256~AbCdEfGhIjKlMnOpQrStUvWxYz0123456789", "AbCdEfGh", "logged in with <masked:43>"},
}

func TestPlanted(t *testing.T) {
	t.Parallel()
	for _, test := range planted {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(test.text, test.secret) {
				t.Fatal("the text has no such secret")
			}
			got := mask.String(test.text)
			if got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if again := mask.String(got); again != got {
				t.Errorf("masked once more: %s", again)
			}
		})
	}
}

// What helps is not masked.
func TestHarmless(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"",
		"\n\n",
		"no newline at the end",
		"secretName: admission-webhook-tls\nautomountServiceAccountToken: false\nimagePullSecrets:\n- name: pull\n",
		"- secretKeyRef:\n    key: token\n    name: credentials\n",
		"- name: API_KEY\n  valueFrom:\n    secretKeyRef:\n      name: a\n",
		"NSM_MAX_TOKEN_LIFETIME=10m\n",
		`{"token":"","secret":null,"password":true}`,
		"url: tcp://10.0.0.1:5001\nid: spiffe://k8s.nsm/ns/nsm/pod/nsmgr-x2v9q\n",
		"image: ghcr.io/networkservicemesh/cmd-nsmgr@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n",
		"the server asks for Bearer authentication, not for basic authentication",
		certificate,
		"x: " + encoded(certificate),
		"token: <masked:8>\n",
		"I1129 01:02:03.000000       1 leaderelection.go:257] attempting to acquire leader lease nsm-operator-system/nsm-operator...\n",
	} {
		if got := mask.String(text); got != text {
			t.Errorf("got  %q\nwant %q", got, text)
		}
	}
}

// chunks writes a text in pieces of a length.
func chunks(t *testing.T, text string, length int) string {
	t.Helper()
	var masked bytes.Buffer
	w := mask.NewWriter(&masked)
	for rest := text; rest != ""; {
		n := min(length, len(rest))
		if written, err := io.WriteString(w, rest[:n]); err != nil || written != n {
			t.Fatal(written, err)
		}
		rest = rest[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return masked.String()
}

// Where a secret is split does not matter.
func TestSplit(t *testing.T) {
	t.Parallel()
	for _, test := range planted {
		whole := mask.String(test.text)
		for length := 1; length < len(test.text); length++ {
			if got := chunks(t, test.text, length); got != whole {
				t.Fatalf("%s, in pieces of %d: got %s\nwant %s", test.name, length, got, whole)
			}
		}
	}
}

// A secret is found wherever it is in a long line, and how long it may be itself.
func TestLongLines(t *testing.T) {
	t.Parallel()
	filler := strings.Repeat("word, ", 6000)
	for _, test := range planted {
		if strings.Contains(test.text, "\n") || strings.HasPrefix(test.text, "x: ") || strings.HasPrefix(test.text, "Authorization") {
			continue
		}
		for _, before := range []int{1000, 32740, 32760, 32768, 35990} {
			text := filler[:before] + " " + test.text + " " + filler + filler
			got := chunks(t, text, 10_000)
			if strings.Contains(got, test.secret) {
				t.Errorf("%s: is there after %d bytes", test.name, before)
			}
			if !strings.HasPrefix(got, filler[:before]) || !strings.HasSuffix(got, filler) {
				t.Errorf("%s: what is around it is gone", test.name)
			}
		}
	}
	for _, length := range []int{40_000, 70_000, 300_000} {
		secret := strings.Repeat("s", length)
		for _, text := range []string{`{"token":"` + secret + `"}`, "a " + filler + "Bearer " + secret + "\nnext", "eyJ" + secret} {
			got := mask.String(text)
			if strings.Contains(got, "sssss") || len(got) > len(text)-length+40 {
				t.Errorf("a secret of %d bytes: %d bytes are left", length, len(got))
			}
		}
	}
}

// counter counts what is written at most at a time.
type counter struct{ most, sum int }

func (c *counter) Write(p []byte) (int, error) {
	c.most, c.sum = max(c.most, len(p)), c.sum+len(p)
	return len(p), nil
}

// What has no newline is not kept.
func TestBounded(t *testing.T) {
	t.Parallel()
	out := &counter{}
	w := mask.NewWriter(out)
	for range 1000 {
		if _, err := io.WriteString(w, strings.Repeat("word, ", 1000)); err != nil {
			t.Fatal(err)
		}
	}
	if out.most > 64<<10 || out.sum < 6_000_000-64<<10 {
		t.Errorf("wrote %d bytes before the end, %d at a time", out.sum, out.most)
	}
}

// A key that never ends does not take all that follows.
func TestKeyWithoutEnd(t *testing.T) {
	t.Parallel()
	got := mask.String("-----BEGIN PRIVATE KEY-----\n" + strings.Repeat("a line\n", 10_000))
	if !strings.HasSuffix(got, "a line\n") || len(got) < 30_000 {
		t.Errorf("%d bytes are left", len(got))
	}
}

func TestObject(t *testing.T) {
	t.Parallel()
	object := map[string]any{
		"kind": "Deployment",
		"metadata": map[string]any{
			"managedFields": []any{"x"},
			"annotations": map[string]any{
				"kubectl.kubernetes.io/last-applied-configuration": `{"a":"planted"}`,
				"openshift.io/token-secret.value":                  "planted",
				"example.com/api-token":                            "planted",
				"example.com/json":                                 `{"env":[{"name":"DB_PASSWORD","value":"planted & more"}],"size":1}`,
				"example.com/note":                                 "see https://user:planted@example.com",
			},
		},
		"spec": map[string]any{
			"secretName": "name",
			"env": []any{
				map[string]any{"name": "DB_PASSWORD", "value": "planted"},
				map[string]any{"name": "NSM_MAX_TOKEN_LIFETIME", "value": "10m"},
				map[string]any{"name": "API_KEY", "valueFrom": map[string]any{"secretKeyRef": map[string]any{"key": "token", "name": "name"}}},
			},
			"args": []any{"--token", "planted", "--name", "a", "--password=planted"},
		},
		"items": []any{map[string]any{"kind": "Secret", "data": map[string]any{"x": "cGxhbnRlZA=="}}},
	}
	mask.Object(object)
	got, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"items":[{"data":{"x":"<masked:12>"},"kind":"Secret"}],` +
		`"kind":"Deployment","metadata":{"annotations":{"example.com/api-token":"<masked:7>",` +
		`"example.com/json":"{\"env\":[{\"name\":\"DB_PASSWORD\",\"value\":\"<masked:14>\"}],\"size\":1}",` +
		`"example.com/note":"see https://<masked:12>@example.com"}},` +
		`"spec":{"args":["--token","<masked:7>","--name","a","--password=<masked:7>"],` +
		`"env":[{"name":"DB_PASSWORD","value":"<masked:7>"},{"name":"NSM_MAX_TOKEN_LIFETIME","value":"10m"},` +
		`{"name":"API_KEY","valueFrom":{"secretKeyRef":{"key":"token","name":"name"}}}],"secretName":"name"}}`
	plain := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(string(got))
	if plain != want {
		t.Errorf("got  %s\nwant %s", plain, want)
	}
}

// FuzzWriter has text before and after a secret, and splits it somewhere: the secret is
// gone, and the split does not matter.
func FuzzWriter(f *testing.F) {
	for i, test := range planted {
		f.Add(test.text, "after", i+1)
	}
	f.Add(strings.Repeat("a", 70_000), "\n"+key, 5)
	f.Add("-----BEGIN CERTIFICATE-----\n", "-----END", 40)
	f.Fuzz(func(t *testing.T, before, after string, length int) {
		const secret = "Pl4nted-Pl4nted"
		for _, form := range []string{"\ntoken: %s\n", "\n{\"token\":\"%s\"}\n", "\nAuthorization: Bearer %s\n", "\nGET https://user:%s@example.com/\n"} {
			text := before + fmt.Sprintf(form, secret) + after
			got := mask.String(text)
			if strings.Contains(got, secret) && !strings.Contains(before+after, secret) {
				t.Fatalf("%q is left in %q", secret, got)
			}
			if split := chunks(t, text, max(1, length%1000)); split != got {
				t.Fatalf("split: %q\nwhole: %q", split, got)
			}
		}
	})
}
