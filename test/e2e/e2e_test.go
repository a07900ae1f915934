// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package e2e walks the path of "make run": a local control plane with
// simulated nodes, the operator beside it with exactly the rights that it is
// shipped with, and the sample NSM.
package e2e

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	"github.com/onsi/gomega/gexec"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/networkservicemesh/nsm-operator/test/apiserver"
	"github.com/networkservicemesh/nsm-operator/test/parallel"
)

const (
	namespace = "nsm"
	oldSample = "config/samples/nsm_v1alpha1_nsm.yaml"
	newSample = "config/samples/nsm_v1beta1_nsm.yaml"
)

var (
	// root of the repository.
	root string
	// directory of the local cluster.
	directory string
	// launcher is the process that "make run" starts.
	launcher *gexec.Session
	config   *rest.Config
	admin    client.Client
	// resources that can be listed, and how.
	resources discovery.DiscoveryInterface
	objects   metadata.Interface
	anything  dynamic.Interface
)

func TestEndToEnd(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(time.Minute)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	EnforceDefaultTimeoutsWhenUsingContexts()
	ctrl.SetLogger(GinkgoLogr)
	// Three would keep two cores so busy that a leader's Lease is renewed too late, now and
	// then. What takes longest begins first, by its SpecPriority.
	parallel.RunSpecs(t, "End to end", 2)
}

var _ = Describe("make run", Ordered, ContinueOnFailure, SpecPriority(1), func() {
	BeforeAll(start)

	It("ends with one registry, and a manager and a forwarder on each node, all Ready", func(ctx SpecContext) {
		pods := podsOf(ctx)
		Expect(count(pods)).To(Equal(map[string]int{"nsm-registry": 1, "nsmgr": 3, "vpp": 3}))
		for _, pod := range pods {
			Expect(pod.Status.Phase).To(Equal(corev1.PodRunning), pod.Name)
			Expect(isReady(&pod)).To(BeTrue(), pod.Name)
		}
		Expect(nodesOf(pods, "nsmgr")).To(HaveLen(3))
		Expect(nodesOf(pods, "vpp")).To(HaveLen(3))
		Eventually(launcher).Should(gbytes.Say("nsm.networkservicemesh.io/nsm-sample"), "it shows what runs")
	})

	It("brings back what somebody deletes or changes", func(ctx SpecContext) {
		nsmgr := daemonSet(ctx, "nsmgr")
		Expect(admin.Delete(ctx, nsmgr)).To(Succeed())
		Eventually(func() bool {
			again := &appsv1.DaemonSet{}
			err := admin.Get(ctx, client.ObjectKeyFromObject(nsmgr), again)
			return err == nil && again.UID != nsmgr.UID
		}).Should(BeTrue())

		vpp := daemonSet(ctx, "vpp")
		image := vpp.Spec.Template.Spec.Containers[0].Image
		vpp.Spec.Template.Spec.Containers[0].Image = "example.com/other"
		Expect(admin.Update(ctx, vpp)).To(Succeed())
		Eventually(func() string { return daemonSet(ctx, "vpp").Spec.Template.Spec.Containers[0].Image }).Should(Equal(image))
		waitAvailable(ctx)
	})

	It("leaves nothing of the mesh when the NSM is deleted", func(ctx SpecContext) {
		Expect(ours(ctx)).NotTo(BeEmpty(), "the test can see what there is")
		kubectl(ctx, "delete", "nsm", "nsm-sample", "-n", namespace, "--timeout=3m")
		expectNothingOurs(ctx)
	})

	It("runs the mesh again when the NSM comes back", func(ctx SpecContext) {
		kubectl(ctx, "apply", "-f", oldSample)
		waitAvailable(ctx)
		Expect(count(podsOf(ctx))).To(HaveKeyWithValue("nsm-registry", 1))
	})

	It("leaves nothing when the namespace is deleted", func(ctx SpecContext) {
		kubectl(ctx, "delete", "namespace", namespace, "--timeout=3m")
		expectNothingOurs(ctx)
	})

	It("has what some of the samples need", func(ctx SpecContext) {
		kubectl(ctx, "apply", "-f", "config/mesh/namespace.yaml")
		kubectl(ctx, "apply", "-f", "test/e2e/testdata/crds.yaml", "-f", federationCRD)
		awaitDefinitions(ctx)
		kubectl(ctx, "label", "node", "node-1", "feature.node.kubernetes.io/network-sriov.capable=true")
	})

	DescribeTable("runs each sample", append([]any{runSample}, tableOfSamples()...)...)

	It("runs the sample of the new version too", func(ctx SpecContext) {
		kubectl(ctx, "apply", "-f", newSample)
		waitAvailable(ctx)
		// The pods of the sample before may still be ending.
		Eventually(func() map[string]int { return count(podsOf(ctx)) }).WithContext(ctx).Should(And(
			HaveKeyWithValue("nsm-registry", 1), HaveKeyWithValue("nsmgr", 3), HaveKeyWithValue("forwarder-vpp", 3)))
	})

	DescribeTable("runs the ICMP responder's chart beside the mesh", installChart,
		Entry("in its namespace", namespace, "privileged", "restricted=false", NodeTimeout(10*time.Minute)),
		Entry("where Pod Security is restricted", "blue", "restricted", "restricted=true,sockets.mount=CSI,meshNamespace="+namespace, NodeTimeout(10*time.Minute)),
	)

	It("does not take for ready a forwarder that has not registered", func(ctx SpecContext) {
		forwarders := func(registers string) {
			kubectl(ctx, "patch", "nsm", "nsm-sample", "-n", namespace, "--type=merge", "-p",
				`{"spec":{"forwarders":[{"type":"vpp","podAnnotations":{"localcluster/registers":"`+registers+`"}}]}}`)
		}
		forwarders("false")
		Eventually(reading(ctx, nsmResource, namespace, "nsm-sample", `{.status.forwarders} {.status.conditions[?(@.type=="ForwardersReady")].message}`)).
			Should(MatchRegexp(`0/3 DaemonSet nsm/forwarder-vpp: a pod is ready and not registered: .* \(on node node-1\)`))
		forwarders("true")
		waitAvailable(ctx)
	})

	It("needs no more rights than it is shipped with, and has nothing to complain about", func() {
		for line := range strings.Lines(managerLog()) {
			if strings.Contains(line, "because it is being terminated") {
				continue // an event about an NSM that went with its namespace
			}
			Expect(line).NotTo(Or(ContainSubstring("forbidden"), ContainSubstring(`"level":"error"`), ContainSubstring("ERROR")))
		}
		Expect(managerLog()).To(ContainSubstring("Starting workers"), "this is the log")
	})

	It("leaves nothing when the resource's definition is deleted", func(ctx SpecContext) {
		kubectl(ctx, "delete", "crd", "nsms.nsm.networkservicemesh.io", "--timeout=3m")
		expectNothingOurs(ctx)
	})

	It("ends with Ctrl-C, and no process is left", func() {
		Expect(processes()).To(HaveLen(7), "launcher, etcd, API server, controller manager, scheduler, kwok, operator")
		launcher.Interrupt()
		Eventually(launcher).Should(gexec.Exit(0))
		Expect(processes()).To(BeEmpty())
	})
})

// start runs what "make run" runs, in a directory of its own, until Available.
func start(ctx SpecContext) {
	launch(ctx, `(?m)^Available`, "run", "--manager", "bin/manager", "--config", "config/local", "--sample", oldSample)
}

// launch runs the launcher, in a directory of its own, until it says what it is
// expected to, and to the end of the specs that share it.
func launch(ctx SpecContext, says, command string, args ...string) {
	GinkgoHelper()
	var err error
	root, err = filepath.Abs("../..")
	Expect(err).NotTo(HaveOccurred())
	apiserver.DependOn(filepath.Join(root, "config"))
	bin := filepath.Join(root, "bin")
	for _, built := range []string{"localcluster", "manager", "deploy", "testcluster", "image", "kubectl-nsm", "kustomize", "helm", "helm3"} {
		Expect(filepath.Join(bin, built)).To(BeAnExistingFile(), "run make test-e2e, which builds it")
	}

	directory = GinkgoT().TempDir()
	process := exec.Command(filepath.Join(bin, "localcluster"),
		append([]string{command, "--dir", directory, "--assets", assets()}, args...)...)
	process.Dir = root
	process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	launcher, err = gexec.Start(process, GinkgoWriter, GinkgoWriter)
	Expect(err).NotTo(HaveOccurred())
	started := launcher
	DeferCleanup(func() { started.Interrupt().Wait(2 * time.Minute) })
	Eventually(launcher).WithContext(ctx).WithTimeout(5 * time.Minute).Should(gbytes.Say(says))
	connect()
}

// assets is the directory of the control plane's binaries.
func assets() string {
	GinkgoHelper()
	found := os.Getenv("KUBEBUILDER_ASSETS")
	if found == "" {
		found = filepath.Join(root, "bin", "k8s")
	}
	Expect(filepath.Join(found, "kube-controller-manager")).To(BeAnExistingFile(), "run make control-plane first")
	return found
}

// connect makes the administrator's clients.
func connect() {
	GinkgoHelper()
	var err error
	config, err = clientcmd.BuildConfigFromFlags("", kubeconfig())
	Expect(err).NotTo(HaveOccurred())
	config.QPS, config.WarningHandler = -1, rest.NoWarnings{}
	admin, err = client.New(config, client.Options{})
	Expect(err).NotTo(HaveOccurred())
	resources = discovery.NewDiscoveryClientForConfigOrDie(config)
	objects = metadata.NewForConfigOrDie(config)
	anything = dynamic.NewForConfigOrDie(config)
}

// kubeconfig is the file of the administrator.
func kubeconfig() string { return filepath.Join(directory, "kubeconfig") }

// kubectl runs the kubectl that was built, and returns what it says.
func kubectl(ctx context.Context, args ...string) string {
	GinkgoHelper()
	output, err := tryKubectl(ctx, args...)
	Expect(err).NotTo(HaveOccurred())
	return output
}

// tryKubectl runs it where it may fail, with what it says as the error.
func tryKubectl(ctx context.Context, args ...string) (string, error) {
	GinkgoHelper()
	command := exec.CommandContext(ctx, filepath.Join(assets(), "kubectl"), args...)
	command.Dir = root
	command.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig())
	output, err := command.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, output)
	}
	return string(output), nil
}

// awaitDefinitions waits until custom resources of all definitions are served.
func awaitDefinitions(ctx context.Context) {
	GinkgoHelper()
	apiserver.At(config).AwaitDefinitions(ctx)
}

func waitAvailable(ctx context.Context) {
	GinkgoHelper()
	kubectl(ctx, "wait", "--for=condition=Available", "nsm/nsm-sample", "-n", namespace, "--timeout=3m")
}

func podsOf(ctx context.Context) []corev1.Pod {
	GinkgoHelper()
	var list corev1.PodList
	Expect(admin.List(ctx, &list, client.InNamespace(namespace))).To(Succeed())
	return list.Items
}

// count maps the names of workloads to the number of their pods.
func count(pods []corev1.Pod) map[string]int {
	counts := map[string]int{}
	for i := range pods {
		counts[workloadOf(&pods[i])]++
	}
	return counts
}

// workloadOf a pod, as its name tells it: without the random parts.
func workloadOf(pod *corev1.Pod) string {
	name := strings.TrimSuffix(pod.GenerateName, "-")
	if hash := pod.Labels["pod-template-hash"]; hash != "" {
		name = strings.TrimSuffix(name, "-"+hash)
	}
	return name
}

func nodesOf(pods []corev1.Pod, workload string) []string {
	nodes := map[string]bool{}
	for i := range pods {
		if workloadOf(&pods[i]) == workload {
			nodes[pods[i].Spec.NodeName] = true
		}
	}
	return slices.Collect(maps.Keys(nodes))
}

func isReady(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(condition corev1.PodCondition) bool {
		return condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue
	})
}

func daemonSet(ctx context.Context, name string) *appsv1.DaemonSet {
	GinkgoHelper()
	found := &appsv1.DaemonSet{}
	Expect(admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, found)).To(Succeed())
	return found
}

// ours lists every object of every resource type that carries our label.
func ours(ctx context.Context) []string {
	GinkgoHelper()
	_, lists, err := resources.ServerGroupsAndResources()
	Expect(err).NotTo(HaveOccurred())
	found := []string{}
	for _, list := range discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"list"}}, lists) {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		Expect(err).NotTo(HaveOccurred())
		for _, resource := range list.APIResources {
			found = append(found, labelled(ctx, version.WithResource(resource.Name))...)
		}
	}
	return found
}

func labelled(ctx context.Context, resource schema.GroupVersionResource) []string {
	GinkgoHelper()
	list, err := objects.Resource(resource).List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/managed-by=nsm-operator"})
	if apierrors.IsNotFound(err) {
		return nil // a kind whose definition has gone since it was discovered
	}
	Expect(err).NotTo(HaveOccurred(), resource.String())
	var found []string
	for _, item := range list.Items {
		found = append(found, fmt.Sprintf("%s %s/%s", resource.Resource, item.Namespace, item.Name))
	}
	return found
}

func managerLog() string {
	GinkgoHelper()
	text, err := os.ReadFile(filepath.Join(directory, "log", "manager.log"))
	Expect(err).NotTo(HaveOccurred())
	return string(text)
}

// processes lists the launcher, if it runs, and those processes that it notes as
// its children and that run.
func processes() []int {
	GinkgoHelper()
	candidates := []int{launcher.Command.Process.Pid}
	candidates = append(candidates, children...)
	note, err := os.ReadFile(filepath.Join(directory, "pids"))
	if err == nil {
		children = nil
		for line := range strings.Lines(string(note)) {
			var pid int
			_, err := fmt.Sscan(line, &pid)
			Expect(err).NotTo(HaveOccurred())
			children = append(children, pid)
		}
		candidates = append(candidates[:1], children...)
	}
	return slices.DeleteFunc(candidates, func(pid int) bool { return syscall.Kill(pid, 0) != nil })
}

// children of the launcher, as it noted them last.
var children []int
