// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package support_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/networkservicemesh/nsm-operator/internal/support"
)

// options of a test: nothing depends on how long something takes.
func options() support.Options {
	limits := support.DefaultLimits()
	limits.Request = limits.Time
	return support.Options{Version: "v2.0.0", Progress: GinkgoWriter, Limits: limits}
}

// gather runs it, and unpacks the archive: it is always valid.
func gather(ctx context.Context, config *rest.Config, options support.Options) (map[string]string, support.Outcome) {
	GinkgoHelper()
	var archive bytes.Buffer
	outcome, err := support.Gather(ctx, config, options, &archive)
	Expect(err).NotTo(HaveOccurred())
	Expect(int64(archive.Len())).To(BeNumerically("<=", options.Limits.Archive))
	files := unpack(Default, &archive)
	Expect(files).To(HaveKey("errors.txt"))
	Expect(files).To(HaveKey("manifest.jsonl"))
	Expect(files).To(HaveKey("support.log"))
	Expect(files["version"]).To(Equal("networkservicemesh/nsm-operator\nv2.0.0\n"))
	Expect(files["index.html"]).To(HaveSuffix("</html>\n"))
	expectNoSecret(files)
	manifestOf(Default, files)
	return files, outcome
}

// asked is a line of manifest.jsonl.
type asked struct {
	Request, File, Problem string
	Bytes, Masked          int
	Seconds                float64
	Cut                    bool
}

// manifestOf an archive: all that was asked for. It is true of every file that is there.
func manifestOf(g Gomega, files map[string]string) (all []asked) {
	var named []string
	for line := range strings.Lines(files["manifest.jsonl"]) {
		decoder := json.NewDecoder(strings.NewReader(line))
		decoder.DisallowUnknownFields()
		var one asked
		g.Expect(decoder.Decode(&one)).To(Succeed(), line)
		g.Expect(one.Request).NotTo(BeEmpty(), line)
		all = append(all, one)
		if one.File == "" {
			g.Expect(one.Bytes).To(BeZero(), line)
			continue
		}
		named = append(named, one.File)
		content := files[one.File]
		g.Expect(one.Bytes).To(Equal(len(content)), line)
		if !one.Cut {
			g.Expect(one.Masked).To(Equal(strings.Count(content, "<masked:")), line)
		}
	}
	rest := slices.DeleteFunc(slices.Sorted(maps.Keys(files)), func(file string) bool {
		return slices.Contains([]string{"errors.txt", "index.html", "manifest.jsonl", "support.log", "version"}, file)
	})
	g.Expect(named).To(ConsistOf(rest), "all other files are there for a request")
	return all
}

// unpack an archive. The directory in it is left out of the names.
func unpack(g Gomega, archive io.Reader) map[string]string {
	unzipped, err := gzip.NewReader(archive)
	g.Expect(err).NotTo(HaveOccurred())
	files := map[string]string{}
	for reader := tar.NewReader(unzipped); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		g.Expect(err).NotTo(HaveOccurred())
		content, err := io.ReadAll(reader)
		g.Expect(err).NotTo(HaveOccurred())
		_, name, found := strings.Cut(header.Name, "/")
		g.Expect(found).To(BeTrue())
		files[name] = string(content)
	}
}

func expectNoSecret(files map[string]string) {
	GinkgoHelper()
	for name, content := range files {
		for _, secret := range []string{"pl4nted", jwt[:30], base64.StdEncoding.EncodeToString([]byte("pl4nted-secret"))} {
			for line := range strings.Lines(content) {
				Expect(line).NotTo(ContainSubstring(secret), name)
			}
		}
	}
}

// labelled are the objects of a stream with the label of what the operator is made of.
func labelled(stream string) []string {
	GinkgoHelper()
	var objects []string
	for document := range strings.SplitSeq(strings.TrimPrefix(stream, "---\n"), "\n---\n") {
		var object metav1.PartialObjectMetadata
		Expect(yaml.Unmarshal([]byte(document), &object)).To(Succeed())
		if object.Labels["app.kubernetes.io/name"] == "nsm-operator" {
			objects = append(objects, object.Kind+" "+object.Namespace+"/"+object.Name)
		}
	}
	return objects
}

// requests of a user, as the API server has seen them.
func requests(user string) []string {
	GinkgoHelper()
	text, err := os.ReadFile(auditLog)
	Expect(err).NotTo(HaveOccurred())
	var all []string
	for line := range strings.Lines(string(text)) {
		if !strings.HasSuffix(line, "\n") {
			break // it is being written
		}
		var event struct {
			Verb      string
			User      struct{ Username string }
			ObjectRef struct{ Resource, Subresource string }
		}
		Expect(json.Unmarshal([]byte(line), &event)).To(Succeed())
		if event.User.Username == user {
			all = append(all, strings.TrimRight(event.Verb+" "+event.ObjectRef.Resource+"/"+event.ObjectRef.Subresource, "/ "))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

var _ = Describe("Gathering", func() {
	It("has all of a mesh and of the operator, and no secret", func(ctx SpecContext) {
		files, outcome := gather(ctx, access("helper", "system:masters"), options())
		Expect(files["errors.txt"]).To(MatchRegexp(`^metrics of operators/nsm-operator-1, through the API server: .*; you may read them, and https://.*/docs/support.md#metrics has the commands`))
		Expect(strings.Count(files["errors.txt"], "\n")).To(Equal(1), files["errors.txt"])
		Expect(outcome).To(Equal(support.Complete))
		Expect(slices.Sorted(maps.Keys(files))).To(ContainElements(
			"cluster/clusterspiffeids.spire.spiffe.io.yaml", "cluster/crd-nsms.nsm.networkservicemesh.io.yaml", "cluster/nodes.yaml", "cluster/version.yaml",
			"namespaces/nsm/configmaps.yaml", "namespaces/nsm/deployments.apps.yaml", "namespaces/nsm/events.yaml",
			"namespaces/nsm/logs/nsmgr-1/nsmgr.log", "namespaces/nsm/logs/nsmgr-1/nsmgr.previous.log",
			"namespaces/nsm/networkserviceendpoints.networkservicemesh.io.yaml", "namespaces/nsm/networkservices.networkservicemesh.io.yaml",
			"namespaces/nsm/nsms.v1alpha1.yaml", "namespaces/nsm/nsms.v1beta1.yaml", "namespaces/nsm/pods.yaml", "pods.txt",
			"operator/namespaces/operators/deployments.apps.yaml", "operator/namespaces/operators/pods.yaml",
			"operator/namespaces/operators/logs/nsm-operator-1/manager.log", "operator/namespaces/operators/logs/nsm-operator-1/manager.previous.log",
		))
		By("showing what is no secret")
		var text strings.Builder
		for _, name := range slices.Sorted(maps.Keys(files)) {
			text.WriteString(files[name])
		}
		for _, seen := range []string{
			"seen-argument", "seen-reference", "seen event", "seen-service", "seen-endpoint", "seen-id", "seen end of the log",
			"seen log of /containerLogs/nsm/nsmgr-1/nsmgr", "seen previous log of /containerLogs/operators/nsm-operator-1/manager",
			`"DB_PASSWORD","value":"<masked:12>"`,
		} {
			Expect(text.String()).To(ContainSubstring(seen))
		}
		Expect(files["index.html"]).To(And(ContainSubstring("nsm/mesh v1.18.0"), ContainSubstring("nsmgr: its log says"), ContainSubstring(`href="pods.txt"`)))
		Expect(files["cluster/crd-nsms.nsm.networkservicemesh.io.yaml"]).NotTo(ContainSubstring("openAPIV3Schema"))
		Expect(manifestOf(Default, files)).To(HaveEach(And(HaveField("Cut", false), HaveField("Problem", ""))))

		By("leaving out nothing that has the operator's label")
		var ofOperator strings.Builder
		for _, name := range slices.Sorted(maps.Keys(files)) {
			if strings.HasPrefix(name, "operator/") && strings.HasSuffix(name, ".yaml") {
				ofOperator.WriteString(files[name])
			}
		}
		found := labelled(ofOperator.String())
		for _, directory := range []string{"manager", "prometheus", "local"} {
			wanted := labelled(server.Kubectl(ctx, "kustomize", filepath.Join(root, "config", directory)))
			Expect(wanted).NotTo(BeEmpty())
			Expect(found).To(ContainElements(wanted))
		}

		By("asking for no Secret, and for nothing but to read")
		asked := requests("helper")
		Expect(asked).To(ContainElements("list nsms", "list configmaps", "get pods/log", "get pods/proxy"))
		for _, request := range asked {
			Expect(request).To(Or(MatchRegexp(`^(get|list)\b`), Equal("create selfsubjectaccessreviews")))
			Expect(request).NotTo(ContainSubstring("secrets"))
		}
	})

	It("says which right the operator's metrics take", func(ctx SpecContext) {
		server.Kubectl(ctx, "create", "clusterrole", "reads-objects", "--verb=get,list", "--resource=*.*,pods,pods/log,pods/proxy")
		server.Kubectl(ctx, "create", "clusterrolebinding", "reads-objects", "--clusterrole=reads-objects", "--user=reader")
		reader := access("reader")
		// The API server takes a moment to notice a right.
		trouble := func() string {
			files, _ := gather(ctx, reader, options())
			return files["errors.txt"]
		}
		Eventually(trouble).Should(ContainSubstring("metrics of operators/nsm-operator-1, through the API server: the operator serves them only to those who say who they are, " +
			"and the API server passes no token on; you may not read them either: the right to get the path /metrics is missing, which the ClusterRole nsm-operator-metrics-reader has"))
		By("and once there is that right")
		server.Kubectl(ctx, "create", "clusterrolebinding", "reads-metrics", "--clusterrole=nsm-operator-metrics-reader", "--user=reader")
		Eventually(trouble).Should(ContainSubstring("; you may read them, and https://"))
	})

	It("gathers of many nodes those with trouble, some of the others, and those that are asked for", func(ctx SpecContext) {
		crowd(ctx, 6)
		helper := access("helper", "system:masters")
		few := options()
		few.Namespace, few.Limits.Nodes, few.Limits.HealthyNodes = "crowd", 5, 2
		nodesOf := func(change func(*support.Options)) (nodes []string, files map[string]string) {
			chosen := few
			change(&chosen)
			files, _ = gather(ctx, helper, chosen)
			for _, found := range regexp.MustCompile(`(?m)^  nodeName: crowd-(\d)$`).FindAllStringSubmatch(files["namespaces/crowd/pods.yaml"], -1) {
				nodes = append(nodes, found[1])
			}
			for name := range files {
				if _, log, isLog := strings.Cut(name, "namespaces/crowd/logs/nsmgr-"); isLog {
					Expect(nodes).To(ContainElement(log[:1]), name)
				}
			}
			slices.Sort(nodes)
			return nodes, files
		}
		By("taking the pod that is not ready, the node that is not, and two others")
		nodes, files := nodesOf(func(*support.Options) {})
		Expect(nodes).To(Equal([]string{"0", "1", "3", "5"}))
		Expect(files["errors.txt"]).To(ContainSubstring("pods and logs of 2 nodes were left out: those of nodes with something that is not ready are there, and those of 2 others; " +
			"pods.txt names all. --node chooses nodes, --all-nodes takes all\n"))
		for n := range 6 {
			Expect(files["pods.txt"]).To(MatchRegexp(`nsmgr-%d +crowd-%d `, n, n))
			Expect(files["cluster/nodes.yaml"]).To(ContainSubstring("name: crowd-%d\n", n))
		}
		By("taking those that are asked for, and all")
		nodes, _ = nodesOf(func(o *support.Options) { o.Nodes = []string{"crowd-2", "crowd-4"} })
		Expect(nodes).To(Equal([]string{"2", "4"}))
		all := []string{"0", "1", "2", "3", "4", "5"}
		nodes, _ = nodesOf(func(o *support.Options) { o.AllNodes = true })
		Expect(nodes).To(Equal(all))
		nodes, files = nodesOf(func(o *support.Options) { o.Limits.Nodes = 6 })
		Expect(nodes).To(Equal(all))
		Expect(files["errors.txt"]).NotTo(ContainSubstring("were left out"))
	})

	It("has aliases of nodes and addresses", func(ctx SpecContext) {
		helper := access("helper", "system:masters")
		hidden := options()
		var err error
		hidden.Aliases, err = support.ReadAliases(ctx, helper)
		Expect(err).NotTo(HaveOccurred())
		files, outcome := gather(ctx, helper, hidden)
		Expect(outcome).To(Equal(support.Complete))
		for name, content := range files {
			Expect(name+content).NotTo(MatchRegexp(`\bnode-1\b|198\.19\.0\.`), name)
		}
		Expect(hidden.Aliases.List()).To(HavePrefix("NODE_1 node-1"))
		Expect(files["pods.txt"]).To(MatchRegexp(`nsmgr-1 +NODE_1 `))
		Expect(files["cluster/nodes.yaml"]).To(And(ContainSubstring("name: NODE_1"), MatchRegexp(`address: ADDRESS_\d+`)))
		Expect(files["namespaces/nsm/pods.yaml"]).To(MatchRegexp(`podIP: ADDRESS_\d+`))
	})

	It("gathers with the rights to view one namespace, and says what it may not see", func(ctx SpecContext) {
		server.Kubectl(ctx, "create", "rolebinding", "viewer", "--clusterrole=view", "--user=viewer", "-n", "nsm")
		server.Kubectl(ctx, "wait", "--for=jsonpath={.rules[?(@.resources[0]==\"nsms\")].verbs[0]}=get", "clusterrole/view", "--timeout=1m")
		viewer := access("viewer")
		here := options()
		here.Fallback = "nsm"
		// The API server takes a moment to notice a right.
		Eventually(func() string {
			files, _ := gather(ctx, viewer, here)
			return files["index.html"]
		}).Should(ContainSubstring("nsm/mesh v1.18.0"))
		for _, namespace := range []string{"", "nsm"} {
			here.Namespace = namespace
			files, outcome := gather(ctx, viewer, here)
			Expect(outcome).To(Equal(support.Partial))
			Expect(files["index.html"]).To(ContainSubstring("nsm/mesh v1.18.0"))
			for _, name := range []string{"nsms.v1beta1.yaml", "pods.yaml", "deployments.apps.yaml", "networkserviceendpoints.networkservicemesh.io.yaml", "events.yaml"} {
				Expect(files).To(HaveKey("namespaces/nsm/" + name))
			}
			Expect(files["namespaces/nsm/logs/nsmgr-1/nsmgr.log"]).To(ContainSubstring("seen end of the log"))
			Expect(files["errors.txt"]).To(And(
				MatchRegexp(`list clusterspiffeids.spire.spiffe.io: .* is forbidden`), MatchRegexp(`the operator: no Deployment with the label .* was seen`)))
			Expect(manifestOf(Default, files)).To(ContainElement(And(
				HaveField("Request", "list clusterspiffeids.spire.spiffe.io"), HaveField("File", ""), HaveField("Problem", ContainSubstring("is forbidden")))))
		}
		Expect(requests("viewer")).NotTo(ContainElement(ContainSubstring("secrets")))
	})

	It("stays within one namespace", func(ctx SpecContext) {
		elsewhere := options()
		elsewhere.Namespace = "default"
		files, _ := gather(ctx, access("helper", "system:masters"), elsewhere)
		for name := range files {
			Expect(name).NotTo(HavePrefix("namespaces/nsm/"))
		}
		Expect(files).To(And(HaveKey("operator/namespaces/operators/pods.yaml"), HaveKey("namespaces/operators/events.yaml")))
	})

	It("asks for the newest lines of a log, and for none that are older than it is told", func(ctx SpecContext) {
		var asked sync.Map
		call := func(log *url.URL) { asked.Store(log.Path, log.Query()) }
		onLog.Store(&call)
		defer onLog.Store(nil)
		recent := options()
		recent.Since = &metav1.Time{Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
		gather(ctx, access("helper", "system:masters"), recent)
		query, isAsked := asked.Load("/containerLogs/nsm/nsmgr-1/nsmgr")
		Expect(isAsked).To(BeTrue())
		Expect(query).To(And(HaveKeyWithValue("sinceTime", []string{"2026-01-02T03:04:05Z"}), HaveKeyWithValue("tailLines", []string{"50000"})))
		Expect(query).NotTo(HaveKey("limitBytes"), "it keeps the oldest")
	})

	It("leaves a valid archive when it is interrupted", func(ctx SpecContext) {
		interrupted, interrupt := context.WithCancel(ctx)
		defer interrupt()
		call := func(*url.URL) { interrupt() }
		onLog.Store(&call)
		defer onLog.Store(nil)
		files, outcome := gather(interrupted, access("helper", "system:masters"), options())
		Expect(outcome).To(Equal(support.Partial))
		Expect(files).To(HaveKey("namespaces/nsm/pods.yaml"))
		Expect(files["errors.txt"]).To(ContainSubstring("log of nsm/nsmgr-1 nsmgr: interrupted"))
		Expect(manifestOf(Default, files)).To(ContainElement(HaveField("Problem", "interrupted")))
	})

	It("leaves a valid archive when the time is up", func(ctx SpecContext) {
		hasty := options()
		hasty.Limits.Time = 1
		files, outcome := gather(ctx, access("helper", "system:masters"), hasty)
		Expect(outcome).To(Equal(support.Nothing))
		Expect(files["errors.txt"]).To(ContainSubstring("logs: the time is up"))
	})

	It("keeps the newest lines of a log, and within the size of the archive", func(ctx SpecContext) {
		small := options()
		small.Limits.Log = 200
		files, outcome := gather(ctx, access("helper", "system:masters"), small)
		Expect(outcome).To(Equal(support.Partial))
		Expect(files["namespaces/nsm/logs/nsmgr-1/nsmgr.log"]).To(And(HaveSuffix("seen end of the log\n"), Not(ContainSubstring("seen log of"))))
		Expect(files["errors.txt"]).To(MatchRegexp(`log of nsm/nsmgr-1 nsmgr: cut: the newest \d+ of \d+ bytes are there`))
		Expect(manifestOf(Default, files)).To(ContainElements(
			And(HaveField("File", "namespaces/nsm/logs/nsmgr-1/nsmgr.log"), HaveField("Cut", true)),
			And(HaveField("File", "namespaces/nsm/pods.yaml"), HaveField("Cut", false))))

		small = options()
		small.Limits.Archive = 48 << 10
		files, outcome = gather(ctx, access("helper", "system:masters"), small)
		Expect(outcome).To(Equal(support.Partial))
		Expect(files["errors.txt"]).To(ContainSubstring("log of nsm/nsmgr-1 nsmgr, of its previous run: left out: the archive is as large as it may be"))
		Expect(files).To(HaveKey("namespaces/nsm/pods.yaml"))
		Expect(manifestOf(Default, files)).To(ContainElement(And(
			HaveField("Request", "log of nsm/nsmgr-1 nsmgr, of its previous run"), HaveField("File", ""), HaveField("Problem", HavePrefix("left out: ")))))
	})

	It("leaves a valid archive when the API server is dead, or dies", func(ctx SpecContext) {
		dead := access("helper", "system:masters")
		dead.Host = "https://127.0.0.1:1"
		files, outcome := gather(ctx, dead, options())
		Expect(outcome).To(Equal(support.Nothing))
		Expect(files["errors.txt"]).To(ContainSubstring("ask what the API server serves: "))

		dying := access("helper", "system:masters")
		var answers atomic.Int32
		dying.Wrap(func(next http.RoundTripper) http.RoundTripper {
			return roundTripper(func(request *http.Request) (*http.Response, error) {
				if answers.Add(1) > 20 {
					return nil, errors.New("no route to host")
				}
				return next.RoundTrip(request)
			})
		})
		files, outcome = gather(ctx, dying, options())
		Expect(outcome).To(Equal(support.Partial))
		Expect(files).To(HaveKey("namespaces/nsm/nsms.v1beta1.yaml"))
		Expect(files["errors.txt"]).To(ContainSubstring("logs: the API server does not answer any more"))
	})
})

type roundTripper func(*http.Request) (*http.Response, error)

func (r roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }
