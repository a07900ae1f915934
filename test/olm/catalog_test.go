// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package olm

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"
	operatorsv1alpha1 "github.com/operator-framework/api/pkg/operators/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// catalogName is that of the CatalogSource.
const catalogName = "operators"

// catalogServer is the one catalog that OLM knows. What is in it changes with each
// serve, as when its image is published again.
type catalogServer struct {
	served   int
	server   *gexec.Session
	contents []byte
	// rendered are bundles as opm renders them, by directory: it takes a second each time.
	rendered map[string][]byte
	// made is what is shipped, as olm-package makes it.
	made []byte
}

// channel of the operator's package: the newest entry comes last.
type channel struct {
	name    string
	entries []entry
}

type entry struct {
	Name     string `json:"name"`
	Replaces string `json:"replaces,omitempty"`
}

// newCatalogServer makes the catalog, with nothing in it that can be installed.
func newCatalogServer(ctx context.Context) *catalogServer {
	GinkgoHelper()
	source := &operatorsv1alpha1.CatalogSource{
		ObjectMeta: metav1.ObjectMeta{Namespace: olmNamespace, Name: catalogName},
		Spec:       operatorsv1alpha1.CatalogSourceSpec{SourceType: operatorsv1alpha1.SourceTypeGrpc, Address: "127.0.0.1:1"},
	}
	Expect(admin.Create(ctx, source)).To(Succeed())
	return &catalogServer{rendered: map[string][]byte{}}
}

// serve publishes bundles, and returns when OLM has the new catalog.
func (c *catalogServer) serve(ctx context.Context, channels []channel, bundles ...bundle) {
	GinkgoHelper()
	c.publish(ctx, c.render(ctx, channels, bundles))
}

// serveShipped does so with the catalog of this release, in which others have the
// published 1.8.0 as well.
func (c *catalogServer) serveShipped(ctx context.Context, old bundle) {
	GinkgoHelper()
	var catalog bytes.Buffer
	for blob := range bytes.SplitSeq(bytes.TrimPrefix(c.make(ctx), []byte("---\n")), []byte("\n---\n")) {
		var channel struct {
			Schema  string           `json:"schema"`
			Package string           `json:"package"`
			Name    string           `json:"name"`
			Entries []map[string]any `json:"entries"`
		}
		Expect(yaml.Unmarshal(blob, &channel)).To(Succeed())
		if channel.Schema == "olm.channel" && channel.Name == "alpha" {
			channel.Entries = append(channel.Entries, map[string]any{"name": old.name})
			var err error
			blob, err = yaml.Marshal(channel)
			Expect(err).NotTo(HaveOccurred())
		}
		fmt.Fprintf(&catalog, "---\n%s\n", blob)
	}
	fmt.Fprintf(&catalog, "---\n%s", c.renderBundle(ctx, old))
	c.publish(ctx, catalog.Bytes())
}

// make the catalog as "make catalog" does, with the manifests in it: see render.
func (c *catalogServer) make(ctx context.Context) []byte {
	GinkgoHelper()
	if c.made == nil {
		out := GinkgoT().TempDir()
		command := exec.CommandContext(ctx, binary("olm-package"), "catalog", "-opm", binary("opm"), "-embed",
			"-from", filepath.Join(root, "catalog", packageName, "catalog.yaml"), "-out", out, bridge().directory, current().directory)
		said, err := command.CombinedOutput()
		Expect(err).NotTo(HaveOccurred(), string(said))
		c.made, err = os.ReadFile(filepath.Join(out, packageName, "catalog.yaml"))
		Expect(err).NotTo(HaveOccurred())
	}
	return c.made
}

func (c *catalogServer) publish(ctx context.Context, text []byte) {
	GinkgoHelper()
	if bytes.Equal(text, c.contents) {
		return
	}
	c.contents = text
	c.served++
	contents := filepath.Join(directory, fmt.Sprintf("catalog-%d", c.served))
	Expect(os.MkdirAll(filepath.Join(contents, packageName), 0o700)).To(Succeed())
	Expect(os.WriteFile(filepath.Join(contents, packageName, "catalog.yaml"), text, 0o600)).To(Succeed())

	port := freePort(ctx)
	earlier := c.server
	c.server = start("opm", binary("opm"), nil, "serve", contents, "--port", strconv.Itoa(port), "--pprof-addr", "",
		"--cache-dir", contents+".cache", "--cache-enforce-integrity=false", "--termination-log", filepath.Join(directory, "opm.end"))
	c.connect(ctx, net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if earlier != nil {
		earlier.Terminate()
	}
}

// connect tells OLM where the catalog is, and waits until OLM has found it.
func (c *catalogServer) connect(ctx context.Context, address string) {
	GinkgoHelper()
	Eventually(func() error {
		dialled, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err == nil {
			err = dialled.Close()
		}
		return err
	}).WithContext(ctx).Should(Succeed(), "opm serves")
	source := &operatorsv1alpha1.CatalogSource{ObjectMeta: metav1.ObjectMeta{Namespace: olmNamespace, Name: catalogName}}
	Expect(admin.Patch(ctx, source, client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"spec":{"address":%q}}`, address)))).To(Succeed())
	Eventually(func(g Gomega) {
		g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(source), source)).To(Succeed())
		g.Expect(source.Status.GRPCConnectionState).NotTo(BeNil())
		g.Expect(source.Status.GRPCConnectionState.Address).To(Equal(address))
		g.Expect(source.Status.GRPCConnectionState.LastObservedState).To(Equal("READY"))
	}).WithContext(ctx).WithTimeout(5 * time.Minute).Should(Succeed())
}

// render makes a file-based catalog. OLM finds the manifests of a bundle in it,
// and so needs no image of the bundle.
func (c *catalogServer) render(ctx context.Context, channels []channel, bundles []bundle) []byte {
	GinkgoHelper()
	var catalog bytes.Buffer
	write := func(blob map[string]any) {
		text, err := yaml.Marshal(blob)
		Expect(err).NotTo(HaveOccurred())
		fmt.Fprintf(&catalog, "---\n%s", text)
	}
	write(map[string]any{"schema": "olm.package", "name": packageName, "defaultChannel": channels[0].name})
	for _, channel := range channels {
		write(map[string]any{"schema": "olm.channel", "package": packageName, "name": channel.name, "entries": channel.entries})
	}
	for _, bundle := range bundles {
		fmt.Fprintf(&catalog, "---\n%s", c.renderBundle(ctx, bundle))
	}
	return catalog.Bytes()
}

func (c *catalogServer) renderBundle(ctx context.Context, b bundle) []byte {
	GinkgoHelper()
	if c.rendered[b.directory] == nil {
		rendered, err := exec.CommandContext(ctx, binary("opm"), "render", b.directory, "-o", "yaml").Output()
		Expect(err).NotTo(HaveOccurred(), b.directory)
		c.rendered[b.directory] = rendered
	}
	return c.rendered[b.directory]
}

func freePort(ctx context.Context) int {
	GinkgoHelper()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	defer listener.Close()
	address, ok := listener.Addr().(*net.TCPAddr)
	Expect(ok).To(BeTrue())
	return address.Port
}
