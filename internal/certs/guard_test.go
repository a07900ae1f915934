// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package certs

import (
	"encoding/json"
	"testing"

	. "github.com/onsi/gomega"
	"gomodules.xyz/jsonpatch/v2"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/utils/ptr"
)

// TestMend: whatever is written, how to convert is right afterwards, and both versions
// are served; a CA that is there is never replaced.
func TestMend(t *testing.T) {
	conversion := func(ca string, change ...func(*apiextensionsv1.CustomResourceConversion)) *apiextensionsv1.CustomResourceConversion {
		made := &apiextensionsv1.CustomResourceConversion{
			Strategy: apiextensionsv1.WebhookConverter,
			Webhook: &apiextensionsv1.WebhookConversion{
				ConversionReviewVersions: []string{"v1"},
				ClientConfig: &apiextensionsv1.WebhookClientConfig{
					CABundle: []byte(ca),
					Service: &apiextensionsv1.ServiceReference{
						Namespace: "home", Name: serviceName, Path: ptr.To(conversionPath), Port: ptr.To[int32](443),
					},
				},
			},
		}
		for _, c := range change {
			c(made)
		}
		return made
	}
	none := &apiextensionsv1.CustomResourceConversion{Strategy: apiextensionsv1.NoneConverter}
	elsewhere := conversion("ours", func(c *apiextensionsv1.CustomResourceConversion) {
		c.Webhook.ClientConfig.Service.Namespace = "elsewhere"
	})
	otherPath := conversion("ours", func(c *apiextensionsv1.CustomResourceConversion) { c.Webhook.ClientConfig.Service.Path = nil })
	byURL := conversion("ours", func(c *apiextensionsv1.CustomResourceConversion) {
		c.Webhook.ClientConfig.URL, c.Webhook.ClientConfig.Service = ptr.To("https://127.0.0.1:9443/convert"), nil
	})
	noClient := conversion("ours", func(c *apiextensionsv1.CustomResourceConversion) { c.Webhook.ClientConfig = nil })
	noWebhook := conversion("ours", func(c *apiextensionsv1.CustomResourceConversion) { c.Webhook = nil })

	type writes = *apiextensionsv1.CustomResourceConversion
	for name, test := range map[string]struct {
		written, stored writes
		want            writes
	}{
		"created without a CA":            {conversion(""), nil, conversion("ours")},
		"without a word":                  {nil, nil, conversion("ours")},
		"without a webhook":               {noWebhook, nil, conversion("ours")},
		"without a client":                {noClient, nil, conversion("ours")},
		"no CA, as in a manifest":         {conversion(""), conversion("ours"), conversion("ours")},
		"no CA, and a newer one stored":   {conversion(""), conversion("newer"), conversion("newer")},
		"another CA":                      {conversion("newer"), conversion("ours"), nil},
		"as it is":                        {conversion("ours"), conversion("ours"), nil},
		"unconverted, as OLM leaves it":   {none, conversion("newer"), conversion("newer")},
		"unconverted for long":            {none, none, conversion("ours")},
		"the Service of another place":    {elsewhere, conversion("newer"), conversion("newer")},
		"stored with the wrong Service":   {conversion(""), elsewhere, conversion("ours")},
		"another path":                    {otherPath, conversion("ours"), conversion("ours")},
		"an operator outside the cluster": {byURL, conversion("ours"), conversion("ours")},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			written, stored := &definition{}, &definition{}
			written.Spec.Conversion, stored.Spec.Conversion = test.written, test.stored
			patch := mend(written, stored, conversion("ours"))
			if test.want == nil {
				g.Expect(patch).To(BeEmpty())
				return
			}
			g.Expect(patch).To(HaveLen(1))
			g.Expect(patch[0].Operation + " " + patch[0].Path).To(Equal("add /spec/conversion"))
			g.Expect(patch[0].Value).To(Equal(test.want))
		})
	}
}

func TestMendServesWhatIsConverted(t *testing.T) {
	g := NewWithT(t)
	var written definition
	g.Expect(json.Unmarshal([]byte(`{"metadata":{"name":"`+crdName+`"},"spec":{"group":"x","versions":[
		{"name":"v1alpha1","served":false,"storage":false},{"name":"v2","served":false},{"name":"v1beta1"}]}}`), &written)).To(Succeed())
	written.Spec.Conversion = ourConversion
	var paths []string
	for _, operation := range mend(&written, &definition{}, ourConversion) {
		g.Expect(operation.Value).To(BeTrue())
		paths = append(paths, operation.Path)
	}
	g.Expect(paths).To(Equal([]string{"/spec/versions/0/served", "/spec/versions/2/served"}))
}

// TestMendStoresTheNewerVersionForGood: whoever goes back to a CRD that stores the older one
// would have what is stored in the newer one converted for ever.
func TestMendStoresTheNewerVersionForGood(t *testing.T) {
	g := NewWithT(t)
	versions := func(storage string) *definition {
		var made definition
		g.Expect(json.Unmarshal([]byte(`{"metadata":{"name":"`+crdName+`"},"spec":{"versions":[
			{"name":"v1alpha1","served":true},{"name":"v1beta1","served":true}]}}`), &made)).To(Succeed())
		for n := range made.Spec.Versions {
			made.Spec.Versions[n].Storage = made.Spec.Versions[n].Name == storage
		}
		made.Spec.Conversion = ourConversion
		return &made
	}
	none := &definition{}
	g.Expect(mend(versions("v1alpha1"), none, ourConversion)).To(BeEmpty())
	g.Expect(mend(versions("v1alpha1"), versions("v1alpha1"), ourConversion)).To(BeEmpty())
	g.Expect(mend(versions("v1beta1"), versions("v1alpha1"), ourConversion)).To(BeEmpty())
	g.Expect(mend(versions("v1alpha1"), versions("v1beta1"), ourConversion)).To(ConsistOf(
		jsonpatch.NewOperation("add", "/spec/versions/0/storage", false), jsonpatch.NewOperation("add", "/spec/versions/1/storage", true),
	))
}

// ourConversion is right as it is.
var ourConversion = &apiextensionsv1.CustomResourceConversion{
	Strategy: apiextensionsv1.WebhookConverter,
	Webhook:  &apiextensionsv1.WebhookConversion{ClientConfig: &apiextensionsv1.WebhookClientConfig{CABundle: []byte("ours")}},
}

func TestKeepAnnotation(t *testing.T) {
	const key = "nsm.networkservicemesh.io/operators"
	ours, others := map[string]string{key: "ours"}, map[string]string{"other": "x"}
	for name, test := range map[string]struct {
		written, stored map[string]string
		want            string
	}{
		"lost":                    {others, ours, `[{"op":"add","path":"/metadata/annotations/nsm.networkservicemesh.io~1operators","value":"ours"}]`},
		"lost with all others":    {nil, ours, `[{"op":"add","path":"/metadata/annotations","value":{"nsm.networkservicemesh.io/operators":"ours"}}]`},
		"there":                   {map[string]string{key: "theirs"}, ours, "null"},
		"not there before either": {nil, others, "null"},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			written, stored := &definition{}, &definition{}
			written.Metadata.Annotations, stored.Metadata.Annotations = test.written, test.stored
			patch, err := json.Marshal(keepAnnotation(written, stored, key))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(string(patch)).To(MatchJSON(test.want))
		})
	}
}
