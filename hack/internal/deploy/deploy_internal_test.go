// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package deploy

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/yaml"

	"github.com/networkservicemesh/nsm-operator/internal/installation"
)

const repository = "../../.."

// chosen are settings that are all right, from the directory of this package.
func chosen(t *testing.T) *Settings {
	t.Helper()
	dependOn(t, filepath.Join(repository, "config"))
	return &Settings{
		Image: "example.com/nsm-operator:v1", Namespace: "mesh", Spire: spireLab, Storage: "pvc", TrustDomain: "example.org",
		Kubelet: "/var/lib/k0s/kubelet", CSI: true, Timeout: time.Minute, Config: filepath.Join(repository, "config"),
		Kustomize: filepath.Join(repository, "bin", "kustomize"), Out: filepath.Join(t.TempDir(), "dist", "install.yaml"),
	}
}

// dependOn opens all files of a directory, so that go test sees what kustomize reads.
func dependOn(t *testing.T, directory string) {
	t.Helper()
	err := filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		_, err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// useCluster makes a server the cluster of the current kubeconfig.
func useCluster(t *testing.T, url string) {
	t.Helper()
	config := clientcmdapi.NewConfig()
	config.Clusters["one"] = &clientcmdapi.Cluster{Server: url}
	config.Contexts["one"] = &clientcmdapi.Context{Cluster: "one"}
	config.CurrentContext = "one"
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", path)
}

func TestSettingsAreChecked(t *testing.T) {
	g := NewWithT(t)
	g.Expect(chosen(t).Check()).To(Succeed())
	for want, change := range map[string]func(*Settings){
		"SPIRE=helm: must be one of lab, external":                   func(s *Settings) { s.Spire = "helm" },
		"SPIRE_STORAGE=disk: must be one of pvc, hostPath, emptyDir": func(s *Settings) { s.Storage = "disk" },
		"IMG=UPPER: ":        func(s *Settings) { s.Image = "UPPER" },
		"NAMESPACE=a.b: ":    func(s *Settings) { s.Namespace = "a.b" },
		"TRUST_DOMAIN=a b: ": func(s *Settings) { s.TrustDomain = "a b" },
		"SPIRE_REGISTRY=mirror: must be a registry": func(s *Settings) { s.Registry = "mirror" },
		"KUBELET_DIR=var: must be an absolute path": func(s *Settings) { s.Kubelet = "var" },
		"TIMEOUT=0s: ":             func(s *Settings) { s.Timeout = 0 },
		"kustomize is not there: ": func(s *Settings) { s.Kustomize = "/nowhere" },
	} {
		s := chosen(t)
		change(s)
		g.Expect(s.Check()).To(MatchError(ContainSubstring(want)))
	}
}

func TestUnreachableClusterIsRefused(t *testing.T) {
	g := NewWithT(t)
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	useCluster(t, server.URL)
	for name, command := range map[string]func(context.Context, *Settings) error{"up": Up, "down": Down} {
		g.Expect(command(t.Context(), chosen(t))).To(MatchError(ContainSubstring("the cluster at "+server.URL+" does not answer")), name)
	}
}

func TestSilentClusterHoldsNothingUp(t *testing.T) {
	g := NewWithT(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/version" {
			_, _ = fmt.Fprint(w, `{"gitVersion":"v1.33.0"}`)
			return
		}
		<-r.Context().Done()
	}))
	defer server.Close()
	useCluster(t, server.URL)
	s := chosen(t)
	s.Timeout = 100 * time.Millisecond
	c, err := Connect(s)
	g.Expect(err).NotTo(HaveOccurred())
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for name, ask := range map[string]func() error{
		"up":   func() error { return c.checkRights(ctx, s) },
		"down": func() error { return c.checkVolumes(ctx, installation.Member{}, false) },
	} {
		g.Expect(ask()).To(MatchError(context.DeadlineExceeded), name)
	}
	g.Expect(ctx.Err()).To(Succeed(), "it was the requests' own limit")
}

func TestOldKubernetesIsRefused(t *testing.T) {
	g := NewWithT(t)
	asked := []string{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.Path)
		_, _ = fmt.Fprint(w, `{"major":"1","minor":"30","gitVersion":"v1.30.9-gke.1"}`)
	}))
	defer server.Close()
	useCluster(t, server.URL)
	g.Expect(Up(t.Context(), chosen(t))).To(MatchError("the cluster runs Kubernetes v1.30.9-gke.1; the operator needs 1.31.0 or newer"))
	g.Expect(asked).To(ConsistOf("GET /version"), "it asks for nothing else, and changes nothing")
}

func TestOpenShiftIsRefused(t *testing.T) {
	g := NewWithT(t)
	group := "apps"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/version":
			_, _ = fmt.Fprint(w, `{"gitVersion":"v1.33.0"}`)
		case "/api":
			_, _ = fmt.Fprint(w, `{"kind":"APIVersions","versions":["v1"]}`)
		case "/apis":
			_, _ = fmt.Fprintf(w, `{"kind":"APIGroupList","apiVersion":"v1","groups":[{"name":%q,"versions":[]}]}`, group)
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	useCluster(t, server.URL)
	c, err := Connect(chosen(t))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(c.checkOpenShift(t.Context(), chosen(t))).To(Succeed())
	group = "security.openshift.io"
	g.Expect(c.checkOpenShift(t.Context(), chosen(t))).To(MatchError(ContainSubstring("run this again with SPIRE=external")))
}

// The kubelets' directory is what all nodes show, unless the caller says it.
func TestKubeletsAreFound(t *testing.T) {
	g := NewWithT(t)
	versions := []string{"v1.33.1+k0s"}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/version":
			_, _ = fmt.Fprint(w, `{"gitVersion":"v1.33.0"}`)
		case "/api":
			_, _ = fmt.Fprint(w, `{"kind":"APIVersions","versions":["v1"]}`)
		case "/apis":
			_, _ = fmt.Fprint(w, `{"kind":"APIGroupList","apiVersion":"v1","groups":[]}`)
		case "/api/v1":
			_, _ = fmt.Fprint(w, `{"kind":"APIResourceList","groupVersion":"v1","resources":[{"name":"nodes","kind":"Node","verbs":["list"]}]}`)
		case "/api/v1/nodes":
			list := corev1.NodeList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "NodeList"}}
			for _, version := range versions {
				node := corev1.Node{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{corev1.LabelOSStable: "linux"}}}
				node.Status.NodeInfo.KubeletVersion = version
				list.Items = append(list.Items, node)
			}
			_ = json.NewEncoder(w).Encode(list)
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	useCluster(t, server.URL)
	c, err := Connect(chosen(t))
	g.Expect(err).NotTo(HaveOccurred())
	found := func(said string) string {
		s := chosen(t)
		s.Kubelet = said
		g.Expect(c.findKubelets(t.Context(), s)).To(Succeed())
		return s.Kubelet
	}
	g.Expect(found("")).To(Equal("/var/lib/k0s/kubelet"))
	g.Expect(found("/k")).To(Equal("/k"))
	versions = []string{"v1.33.1", "v1.33.1+k0s", "v1.33.1"}
	g.Expect(found("/k")).To(Equal("/k"))
	s := chosen(t)
	s.Kubelet = ""
	g.Expect(c.findKubelets(t.Context(), s)).To(MatchError(ContainSubstring("/var/lib/k0s/kubelet and /var/lib/kubelet: say which one with KUBELET_DIR")))
}

// A release that is not published yet is told apart from a registry that cannot be asked.
func TestImageThatCannotBeThereIsRefused(t *testing.T) {
	g := NewWithT(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/version":
			_, _ = fmt.Fprint(w, `{"gitVersion":"v1.33.0"}`)
		case "/api":
			_, _ = fmt.Fprint(w, `{"kind":"APIVersions","versions":["v1"]}`)
		case "/apis":
			_, _ = fmt.Fprint(w, `{"kind":"APIGroupList","apiVersion":"v1","groups":[]}`)
		case "/api/v1":
			_, _ = fmt.Fprint(w, `{"kind":"APIResourceList","groupVersion":"v1","resources":[{"name":"nodes","kind":"Node","verbs":["list"]}]}`)
		case "/api/v1/nodes":
			_, _ = fmt.Fprint(w, `{"kind":"NodeList","apiVersion":"v1","items":[{"metadata":{"name":"a"},"status":{"images":[{"names":["docker.io/library/loaded:latest"]}]}}]}`)
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	useCluster(t, server.URL)
	for _, one := range []struct{ image, released, exit, want string }{
		{"loaded", "", "3", ""}, // a node has it
		{"example.com/a:v1", "", "0", ""},
		{"example.com/a:v1", "", "3", "is on no node, and not in its registry"},
		{"example.com/a:v1", "", "1", ""}, // the cluster may reach it
		{"example.com/a:v1", "example.com/a:v1", "1", "may not be published yet"},
	} {
		s := chosen(t)
		s.Image, s.DefaultImage, s.ImageCheck = one.image, one.released, filepath.Join(t.TempDir(), "check")
		g.Expect(os.WriteFile(s.ImageCheck, []byte("#!/bin/sh\necho said\nexit "+one.exit+"\n"), 0o700)).To(Succeed())
		c, err := Connect(s)
		g.Expect(err).NotTo(HaveOccurred())
		err = c.checkImage(t.Context(), s)
		if one.want == "" {
			g.Expect(err).NotTo(HaveOccurred(), "%+v", one)
		} else {
			g.Expect(err).To(MatchError(ContainSubstring(one.want)), "%+v", one)
		}
	}
}

// The one file has everything, with the settings, and can be read from top to bottom.
func TestInstaller(t *testing.T) {
	g := NewWithT(t)
	s := chosen(t)
	g.Expect(s.Kustomize).To(BeAnExistingFile(), "run make test, which builds it")
	g.Expect(Installer(t.Context(), s)).To(Succeed())
	file, err := os.Open(s.Out)
	g.Expect(err).NotTo(HaveOccurred())
	defer file.Close()
	all, err := decode(file)
	g.Expect(err).NotTo(HaveOccurred())

	names := map[string]*unstructured.Unstructured{}
	late := ""
	for _, object := range all {
		g.Expect(names).NotTo(HaveKey(nameOf(object)))
		names[nameOf(object)] = object
		if object.GetKind() != kindNamespace && object.GetKind() != kindDefinition {
			late = nameOf(object)
		} else {
			g.Expect(late).To(BeEmpty(), "%s comes after it", nameOf(object))
		}
	}
	for _, name := range []string{
		"Namespace mesh", "RoleBinding mesh/nsm-operator-pod-security", "Deployment nsm-operator-system/nsm-operator",
		"CustomResourceDefinition nsms.nsm.networkservicemesh.io", "CustomResourceDefinition clusterspiffeids.spire.spiffe.io",
		"StatefulSet spire/spire-server", "PersistentVolumeClaim spire/spire-data", "DaemonSet spire/spire-agent",
		"ValidatingWebhookConfiguration spire-controller-manager-webhook", "CSIDriver csi.spiffe.io",
	} {
		g.Expect(names).To(HaveKey(name))
	}
	domain, _, _ := unstructured.NestedString(names["ConfigMap spire/spire-settings"].Object, "data", "trustDomain")
	g.Expect(domain).To(Equal("example.org"))
	driver, err := yaml.Marshal(names["DaemonSet spire/spiffe-csi-driver"].Object)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(driver)).NotTo(ContainSubstring("/var/lib/kubelet"))
	for _, moved := range []string{
		"mountPath: /var/lib/k0s/kubelet/pods", "path: /var/lib/k0s/kubelet/pods",
		"--kubelet-registration-path=/var/lib/k0s/kubelet/plugins/csi.spiffe.io/csi.sock",
	} {
		g.Expect(string(driver)).To(ContainSubstring(moved))
	}
	eachContainer(names["Deployment nsm-operator-system/nsm-operator"], func(container map[string]any) {
		g.Expect(container["image"]).To(Equal(s.Image))
	})

	t.Log("with SPIRE=external there is nothing of it")
	s.Spire = spireExternal
	m, err := render(t.Context(), s)
	g.Expect(err).NotTo(HaveOccurred())
	for _, object := range m.all() {
		g.Expect(nameOf(object)).NotTo(ContainSubstring("spire"))
	}
}

var imageLine = regexp.MustCompile(`(?m)^\s*(?:- )?image: "?([^"\s]+)"?$`)

// A closed network has all images of SPIRE in one registry, whatever they are called in
// their own.
func TestImagesOfSpireComeFromOneRegistry(t *testing.T) {
	g := NewWithT(t)
	s := chosen(t)
	s.Registry = "mirror.example.com:5000/spire"
	for _, storage := range storages {
		s.Storage = storage.name
		m, err := render(t.Context(), s)
		g.Expect(err).NotTo(HaveOccurred())
		images := map[string]bool{}
		for _, object := range append(m.spire, m.spireAgents...) {
			eachContainer(object, func(container map[string]any) { images[fmt.Sprint(container["image"])] = true })
		}
		g.Expect(len(images)).To(BeNumerically(">=", 5), storage.name)
		for image := range images {
			g.Expect(image).To(MatchRegexp(`^mirror\.example\.com:5000/spire/[a-z-]+:v?[0-9]\S*$`))
		}
	}
}

// Other trust domains reach the server's bundle endpoint by a Service on its port.
func TestFederation(t *testing.T) {
	g := NewWithT(t)
	s := chosen(t)
	service := func() *unstructured.Unstructured {
		m, err := render(t.Context(), s)
		g.Expect(err).NotTo(HaveOccurred())
		for _, object := range m.spire {
			if object.GetKind() == "Service" && object.GetName() == "spire-federation" {
				return object
			}
		}
		return nil
	}
	g.Expect(service()).To(BeNil(), "unless it is asked for")
	s.Federation = true
	found := service()
	g.Expect(found).NotTo(BeNil())
	g.Expect(isOurs(found)).To(BeTrue(), "undeploy removes it")
	text, err := yaml.Marshal(found.Object)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(text)).To(And(ContainSubstring("type: LoadBalancer"), ContainSubstring("port: 8443")))
	config, err := os.ReadFile(filepath.Join(repository, "config", "spire", "base", "server.conf"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(config)).To(MatchRegexp(`bundle_endpoint \{\s+address = "0\.0\.0\.0"\s+port = 8443\s`))
}

// An API server that reaches no pods leads to a firewall, and not to a log.
func TestFirewallIsNamed(t *testing.T) {
	g := NewWithT(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/version":
			_, _ = fmt.Fprint(w, `{"gitVersion":"v1.33.0"}`)
		case "/api":
			_, _ = fmt.Fprint(w, `{"kind":"APIVersions","versions":["v1"]}`)
		case "/apis":
			_, _ = fmt.Fprint(w, `{"kind":"APIGroupList","apiVersion":"v1","groups":[{"name":"discovery.k8s.io","versions":[{"groupVersion":"discovery.k8s.io/v1","version":"v1"}],"preferredVersion":{"groupVersion":"discovery.k8s.io/v1","version":"v1"}}]}`)
		case "/apis/discovery.k8s.io/v1":
			_, _ = fmt.Fprint(w, `{"kind":"APIResourceList","groupVersion":"discovery.k8s.io/v1","resources":[{"name":"endpointslices","kind":"EndpointSlice","namespaced":true,"verbs":["list"]}]}`)
		case "/apis/discovery.k8s.io/v1/namespaces/nsm-operator-system/endpointslices":
			_, _ = fmt.Fprint(w, `{"kind":"EndpointSliceList","apiVersion":"discovery.k8s.io/v1","items":[{"ports":[{"port":10250}]}]}`)
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	useCluster(t, server.URL)
	c, err := Connect(chosen(t))
	g.Expect(err).NotTo(HaveOccurred())
	err = c.Within(100*time.Millisecond).Await(t.Context(), "NSMs", func(context.Context) (string, error) {
		return `conversion webhook for nsm.networkservicemesh.io/v1alpha1, Kind=NSM failed: Post "https://nsm-operator-service.nsm-operator-system.svc:443/convert?timeout=30s": dial tcp 10.0.0.7:10250: i/o timeout`, nil
	})
	g.Expect(err).To(MatchError(And(ContainSubstring("does not reach Service nsm-operator-system/nsm-operator-service"), ContainSubstring("firewall"),
		ContainSubstring("port 10250 of its pods"), ContainSubstring("docs/requirements.md"))))
	err = c.Within(100*time.Millisecond).Await(t.Context(), "NSMs", func(context.Context) (string, error) { return "the operator says no", nil })
	g.Expect(err).To(MatchError(Not(ContainSubstring("firewall"))))
}

// images that are installed. One more has to be mirrored and trusted by everybody: none is
// here for a database, or to wait for something.
var images = []string{
	"docker.io/library/busybox", // gives a directory of the node to a server that is not root
	"example.com/nsm-operator",
	"ghcr.io/spiffe/spiffe-csi-driver",
	"ghcr.io/spiffe/spire-agent",
	"ghcr.io/spiffe/spire-controller-manager",
	"ghcr.io/spiffe/spire-server",
	"registry.k8s.io/sig-storage/csi-node-driver-registrar",
}

// An image without a tag changes overnight, and cannot be mirrored. test/chart looks at those
// of the charts.
func TestEveryImageHasATag(t *testing.T) {
	g := NewWithT(t)
	s := chosen(t)
	count := func(text, where string) int {
		found := imageLine.FindAllStringSubmatch(text, -1)
		for _, match := range found {
			g.Expect(match[1]).To(MatchRegexp(`^[a-z0-9.-]+\.[a-z]+/\S+:v?[0-9]\S*$`), where)
		}
		return len(found)
	}
	deployed, found := 0, map[string]bool{}
	for _, storage := range storages {
		s.Storage = storage.name
		m, err := render(t.Context(), s)
		g.Expect(err).NotTo(HaveOccurred())
		for _, object := range m.all() {
			text, err := yaml.Marshal(object.Object)
			g.Expect(err).NotTo(HaveOccurred())
			deployed += count(string(text), nameOf(object))
			for _, match := range imageLine.FindAllStringSubmatch(string(text), -1) {
				found[match[1][:strings.LastIndex(match[1], ":")]] = true
			}
		}
	}
	g.Expect(deployed).To(BeNumerically(">", 15), "there are images")
	g.Expect(slices.Sorted(maps.Keys(found))).To(Equal(images))
	// What the bundle has beside the Deployment. "make bundle" writes the image of must-gather.
	for file, least := range map[string]int{"scorecard/config.yaml": 6, "manifests/bases/nsm-operator.clusterserviceversion.yaml": 19} {
		content, err := os.ReadFile(filepath.Join(repository, "config", file))
		g.Expect(err).NotTo(HaveOccurred())
		text := strings.ReplaceAll(string(content), "image: MUST_GATHER\n", "")
		g.Expect(count(text, file)).To(BeNumerically(">=", least), file)
	}
}

// What a storage is said to lose is what its volume loses.
func TestStorages(t *testing.T) {
	g := NewWithT(t)
	s := chosen(t)
	for storage, want := range map[string]struct {
		volume string
		loses  types.GomegaMatcher
	}{
		"pvc":      {`{"name":"data","persistentVolumeClaim":{"claimName":"spire-data"}}`, ContainSubstring("kept until the PersistentVolumeClaim spire/spire-data is deleted, which undeploy does")},
		"hostPath": {`{"name":"data","hostPath":{"path":"/var/lib/nsm-spire-server","type":"DirectoryOrCreate"}}`, And(ContainSubstring("another node starts anew"), ContainSubstring("undeploy leaves /var/lib/nsm-spire-server"))},
		"emptyDir": {`{"name":"data","emptyDir":{}}`, ContainSubstring("lost with the server's pod")},
	} {
		s.Storage = storage
		g.Expect(s.loses()).To(want.loses)
		m, err := render(t.Context(), s)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(dataVolume(g, m.spire, "StatefulSet spire/spire-server")).To(MatchJSON(want.volume))
		hasClaim := slices.ContainsFunc(m.spire, func(object *unstructured.Unstructured) bool {
			return nameOf(object) == "PersistentVolumeClaim spire/spire-data" && isOurs(object)
		})
		g.Expect(hasClaim).To(Equal(storage == "pvc"), "undeploy deletes it")
		g.Expect(dataVolume(g, m.spireAgents, "DaemonSet spire/spire-agent")).To(MatchJSON(`{"name":"data","emptyDir":{}}`),
			"what an agent knows must not outlive the server's data")
	}
}

// dataVolume of a workload, as JSON.
func dataVolume(g *WithT, all objects, name string) string {
	for _, object := range all {
		if nameOf(object) != name {
			continue
		}
		volumes, _, _ := unstructured.NestedSlice(object.Object, "spec", "template", "spec", "volumes")
		for _, volume := range volumes {
			if volume.(map[string]any)["name"] == "data" {
				text, err := json.Marshal(volume)
				g.Expect(err).NotTo(HaveOccurred())
				return string(text)
			}
		}
	}
	return ""
}

// SPIRE's controller manager ends where a kind is missing that it is to reconcile, and
// takes what it ignores as a part of a namespace's name unless that is anchored.
func TestControllerManagersConfiguration(t *testing.T) {
	g := NewWithT(t)
	content, err := os.ReadFile(filepath.Join(repository, "config", "spire", "base", "controller-manager-config.yaml"))
	g.Expect(err).NotTo(HaveOccurred())
	var config struct {
		IgnoreNamespaces []string
		Reconcile        map[string]bool
	}
	g.Expect(yaml.Unmarshal(content, &config)).To(Succeed())
	g.Expect(config.IgnoreNamespaces).To(ContainElement("^spire$"))
	for _, pattern := range config.IgnoreNamespaces {
		g.Expect(pattern).To(MatchRegexp(`^\^.*\$$`))
	}
	g.Expect(config.Reconcile).To(HaveLen(3))
	m, err := render(t.Context(), chosen(t))
	g.Expect(err).NotTo(HaveOccurred())
	names := definitionNames(m.spireDefinitions)
	for kind := range config.Reconcile {
		g.Expect(names).To(ContainElement(strings.ToLower(kind) + ".spire.spiffe.io"))
	}
	// The kinds are those of the release that runs.
	makefile, err := os.ReadFile(filepath.Join(repository, "Makefile"))
	g.Expect(err).NotTo(HaveOccurred())
	kustomization, err := os.ReadFile(filepath.Join(repository, "config", "spire", "base", "kustomization.yaml"))
	g.Expect(err).NotTo(HaveOccurred())
	from := regexp.MustCompile(`spire-controller-manager@v(\S+)`).FindStringSubmatch(string(makefile))
	g.Expect(from).To(HaveLen(2))
	g.Expect(string(kustomization)).To(MatchRegexp(`spire-controller-manager\n +newTag: ` + regexp.QuoteMeta(from[1]) + `\n`))
}

// An agent of SPIRE 1.14 or later stops at a key that it does not know.
func TestAgentStartsOverByItself(t *testing.T) {
	g := NewWithT(t)
	content, err := os.ReadFile(filepath.Join(repository, "config", "spire", "base", "agent.conf"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(content)).To(And(ContainSubstring(`rebootstrap_mode = "always"`), Not(ContainSubstring("retry_bootstrap"))))
}

// A name with the cluster's domain is wrong in a cluster with another one.
func TestAgentFindsTheServerByItsShortName(t *testing.T) {
	g := NewWithT(t)
	content, err := os.ReadFile(filepath.Join(repository, "config", "spire", "base", "agent.conf"))
	g.Expect(err).NotTo(HaveOccurred())
	address := regexp.MustCompile(`(?m)^  server_address = "(.*)"$`).FindStringSubmatch(string(content))
	g.Expect(address).To(HaveLen(2))
	m, err := render(t.Context(), chosen(t))
	g.Expect(err).NotTo(HaveOccurred())
	services := []string{}
	for _, object := range m.spire {
		if object.GetKind() == "Service" {
			services = append(services, object.GetName())
		}
	}
	g.Expect(services).To(ContainElement(address[1]))
	agent := slices.IndexFunc(m.spireAgents, func(object *unstructured.Unstructured) bool { return object.GetName() == "spire-agent" })
	g.Expect(agent).NotTo(Equal(-1))
	policy, _, _ := unstructured.NestedString(m.spireAgents[agent].Object, "spec", "template", "spec", "dnsPolicy")
	g.Expect(policy).To(Equal("ClusterFirstWithHostNet"), "on the node's network, too")
}

func TestSpireIsToldByItsImage(t *testing.T) {
	g := NewWithT(t)
	for image, want := range map[string]bool{
		"ghcr.io/spiffe/spire-agent:1.12.4": true, "mirror:5000/x/spire-server@sha256:" + strings.Repeat("0", 64): true,
		"example.com/aspire-agent:1": false, "nginx": false, "UPPER": false,
	} {
		workload := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"template": map[string]any{
			"spec": map[string]any{"containers": []any{map[string]any{"image": image}}},
		}}}}
		g.Expect(runsSpire(workload)).To(Equal(want), image)
	}
}

// What is in a namespace keeps it from being deleted only if somebody has put it there.
func TestForeignObjectsAreTold(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		kind, namespace, name string
		labels                map[string]string
		owner                 string
		isForeign             bool
	}{
		{kind: "ConfigMap", name: "of-somebody", isForeign: true},
		{kind: "ConfigMap", name: "of-a-team", labels: map[string]string{"app.kubernetes.io/name": "app"}, isForeign: true},
		{kind: "ConfigMap", name: "kube-root-ca.crt"},
		{kind: "Secret", name: "builder-dockercfg-abcde"},
		{kind: "Pod", name: "of-another-object", owner: "ReplicaSet"},
		{kind: "Service", name: "spire-server", labels: map[string]string{labelMadeBy: madeByDeploy}},
		{kind: "ServiceAccount", name: "nsmgr", labels: map[string]string{labelMadeBy: operatorName}},
		{kind: "Lease", namespace: operatorNamespace, name: "nsm-operator"},
		{kind: "Lease", name: "nsm-operator", isForeign: true},
		{kind: "ClusterServiceVersion", name: "other.v1.0.0", isForeign: true},
		{kind: "ClusterServiceVersion", name: "other.v1.0.0", labels: map[string]string{"olm.copiedFrom": "openshift-operators"}},
	} {
		object := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
			Namespace: cmp.Or(test.namespace, "mesh"), Name: test.name, Labels: test.labels,
		}}
		if test.owner != "" {
			object.OwnerReferences = []metav1.OwnerReference{{Kind: test.owner}}
		}
		if is := isForeign(object, test.kind+" "+test.name); is != test.isForeign {
			t.Errorf("%s %s with the labels %v: foreign is %t", test.kind, test.name, test.labels, is)
		}
	}
}
