// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package apiserver runs a real API server for a suite of tests, and in it what
// the operator is shipped with: its definitions, and exactly its rights.
package apiserver

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// OperatorNamespace is the operator's own.
const OperatorNamespace = "nsm-operator-system"

// operatorUser is who the operator is to the API server.
const operatorUser = "system:serviceaccount:" + OperatorNamespace + ":nsm-operator"

// Server is an API server with its etcd, and nothing else: no controller runs
// before StartControllers.
type Server struct {
	// Config is an admin's access.
	Config *rest.Config
	// Kubeconfig is a file with the same access.
	Kubeconfig string
	// Environment that the server was started in.
	Environment *envtest.Environment
	// admin reads CustomResourceDefinitions and asks for rights.
	admin client.Client
	// serves tells which resources there are.
	serves *discovery.DiscoveryClient
}

// patience with processes that start or stop, on a machine that is busy with others.
const patience = 5 * time.Minute

// Start runs an API server until the end of the suite. It may be told more of its
// environment.
func Start(environment *envtest.Environment) *Server {
	GinkgoHelper()
	ctrl.SetLogger(GinkgoLogr)
	environment.BinaryAssetsDirectory = Assets()
	// The clients are the tests themselves: nobody has to be kept from anybody.
	environment.ControlPlane.GetAPIServer().Configure().Set("enable-priority-and-fairness", "false")
	environment.ControlPlaneStartTimeout, environment.ControlPlaneStopTimeout = patience, patience
	environment.CRDInstallOptions.MaxTime, environment.WebhookInstallOptions.MaxTime = patience, patience
	config, err := environment.Start()
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(environment.Stop()).To(Succeed()) })
	kubeconfig := filepath.Join(GinkgoT().TempDir(), "kubeconfig")
	Expect(os.WriteFile(kubeconfig, environment.KubeConfig, 0o600)).To(Succeed())
	server := At(config)
	server.Kubeconfig, server.Environment = kubeconfig, environment
	return server
}

// At is an API server that runs already, for an admin: it has neither a Kubeconfig nor an
// Environment.
func At(config *rest.Config) *Server {
	GinkgoHelper()
	scheme := runtime.NewScheme()
	Expect(errors.Join(apiextensionsv1.AddToScheme(scheme), authorizationv1.AddToScheme(scheme))).To(Succeed())
	admin, err := client.New(config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	unthrottled := rest.CopyConfig(config)
	unthrottled.QPS = -1
	serves, err := discovery.NewDiscoveryClientForConfig(unthrottled)
	Expect(err).NotTo(HaveOccurred())
	return &Server{Config: config, admin: admin, serves: serves}
}

// Assets is the directory of the control plane's binaries.
func Assets() string {
	GinkgoHelper()
	directory := os.Getenv("KUBEBUILDER_ASSETS")
	if directory == "" {
		directory = filepath.Join(root(), "bin", "k8s")
	}
	for _, name := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kubectl"} {
		Expect(filepath.Join(directory, name)).To(BeAnExistingFile(), "run make control-plane first")
	}
	return directory
}

// root of the repository: a test runs in the directory of its package.
func root() string {
	GinkgoHelper()
	directory, err := os.Getwd()
	Expect(err).NotTo(HaveOccurred())
	for {
		if _, err := os.Stat(filepath.Join(directory, "go.mod")); err == nil {
			return directory
		}
		Expect(directory).NotTo(Equal(filepath.Dir(directory)), "go.mod is above every package")
		directory = filepath.Dir(directory)
	}
}

// Kubectl runs the kubectl that was built, as an admin, and returns what it says.
func (s *Server) Kubectl(ctx context.Context, args ...string) string {
	GinkgoHelper()
	output, err := s.tryKubectl(ctx, args...)
	Expect(err).NotTo(HaveOccurred(), output)
	return output
}

func (s *Server) tryKubectl(ctx context.Context, args ...string) (string, error) {
	GinkgoHelper()
	command := exec.CommandContext(ctx, filepath.Join(Assets(), "kubectl"), append([]string{"--kubeconfig", s.Kubeconfig}, args...)...)
	output, err := command.CombinedOutput()
	return string(output), err
}

// Replace objects by those of a manifest, as an admin. kubectl reads each first, and is run
// again if somebody has written it in between, such as the API server a definition's status.
func (s *Server) Replace(ctx context.Context, args ...string) {
	GinkgoHelper()
	Eventually(func() error {
		output, err := s.tryKubectl(ctx, append([]string{"replace"}, args...)...)
		switch {
		case err == nil:
			return nil
		case strings.Contains(output, "the object has been modified"):
			return errors.New(output)
		default:
			return StopTrying(output).Wrap(err)
		}
	}).WithContext(ctx).WithTimeout(patience).Should(Succeed())
}

// StartControllers runs some of Kubernetes' own controllers, until the end of the
// spec or, in a BeforeAll or BeforeSuite, of what that is for.
func (s *Server) StartControllers(ctx context.Context, names ...string) {
	GinkgoHelper()
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	command := exec.CommandContext(running, filepath.Join(Assets(), "kube-controller-manager"),
		"--kubeconfig", s.Kubeconfig, "--controllers", strings.Join(names, ","), "--leader-elect=false", "--secure-port=0")
	Expect(command.Start()).To(Succeed())
	DeferCleanup(func() {
		cancel()
		_ = command.Wait()
	})
}

// Install applies what an operator beside the cluster needs within it.
func (s *Server) Install(ctx context.Context) {
	GinkgoHelper()
	DependOn(filepath.Join(root(), "config"))
	s.Kubectl(ctx, "apply", "--server-side", "-k", filepath.Join(root(), "config", "local"))
	s.AwaitDefinitions(ctx)
	s.AwaitRights(ctx)
}

// AwaitRights waits until the API server knows the rights that the operator is given by a
// Role and by a ClusterRole.
func (s *Server) AwaitRights(ctx context.Context) {
	GinkgoHelper()
	for _, right := range []authorizationv1.ResourceAttributes{
		{Verb: "get", Resource: "secrets", Namespace: OperatorNamespace, Name: "nsm-operator-webhook-cert"},
		{Verb: "update", Group: "apiextensions.k8s.io", Resource: "customresourcedefinitions", Name: "nsms.nsm.networkservicemesh.io"},
	} {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: operatorUser, ResourceAttributes: &right}}
		Eventually(func(g Gomega) {
			asked := review.DeepCopy()
			g.Expect(s.admin.Create(ctx, asked)).To(Succeed())
			g.Expect(asked.Status.Allowed).To(BeTrue(), right.Resource)
		}).WithContext(ctx).WithTimeout(patience).Should(Succeed())
	}
}

// AwaitDefinitions waits until custom resources are served: those of definitions by name,
// or of all that there are. kubectl would wait until they are established, twice: each
// takes half a second, and they are served a moment later.
func (s *Server) AwaitDefinitions(ctx context.Context, names ...string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		definitions := make([]apiextensionsv1.CustomResourceDefinition, len(names))
		for i, name := range names {
			g.Expect(s.admin.Get(ctx, client.ObjectKey{Name: name}, &definitions[i])).To(Succeed())
		}
		if len(names) == 0 {
			var all apiextensionsv1.CustomResourceDefinitionList
			g.Expect(s.admin.List(ctx, &all)).To(Succeed())
			definitions = all.Items
		}
		g.Expect(definitions).NotTo(BeEmpty())
		// It is there that kubectl looks for resources, a moment after they are served.
		_, all, err := s.serves.ServerGroupsAndResourcesWithContext(ctx)
		g.Expect(err).NotTo(HaveOccurred())
		for i := range definitions {
			g.Expect(isEstablished(&definitions[i])).To(BeTrue(), definitions[i].Name)
			s.expectServed(ctx, g, &definitions[i], all)
		}
	}).WithContext(ctx).WithTimeout(patience).Should(Succeed())
}

// expectServed expects that the API server lists the resource in each version, by itself
// and among all.
func (s *Server) expectServed(ctx context.Context, g Gomega, definition *apiextensionsv1.CustomResourceDefinition, all []*metav1.APIResourceList) {
	GinkgoHelper()
	for _, version := range definition.Spec.Versions {
		if !version.Served {
			continue
		}
		served := ContainElement(HaveField("Name", definition.Spec.Names.Plural))
		groupVersion := definition.Spec.Group + "/" + version.Name
		known, err := s.serves.ServerResourcesForGroupVersionWithContext(ctx, groupVersion)
		g.Expect(err).NotTo(HaveOccurred(), definition.Name)
		g.Expect(known.APIResources).To(served, definition.Name)
		g.Expect(all).To(ContainElement(And(HaveField("GroupVersion", groupVersion), HaveField("APIResources", served))), definition.Name)
	}
}

func isEstablished(definition *apiextensionsv1.CustomResourceDefinition) bool {
	return slices.ContainsFunc(definition.Status.Conditions, func(condition apiextensionsv1.CustomResourceDefinitionCondition) bool {
		return condition.Type == apiextensionsv1.Established && condition.Status == apiextensionsv1.ConditionTrue
	})
}

// WaitForDefinitions are the calls of kubectl for that, one after the other, of all
// definitions. One that is quite new has no conditions at all, and with such a one
// kubectl does not wait for a condition but fails.
func WaitForDefinitions() [][]string {
	return [][]string{
		{"wait", "--for=jsonpath={.status.conditions[0].type}", "--timeout=5m", "crd", "--all"},
		{"wait", "--for=condition=Established", "--timeout=5m", "crd", "--all"},
	}
}

// DependOn opens all files of a directory: go test does not take a result for what it
// was when one of them has changed, but it does not see what kubectl reads.
func DependOn(directory string) {
	GinkgoHelper()
	Expect(filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		return file.Close()
	})).To(Succeed())
}

// Operator is the operator's access, never throttled.
func (s *Server) Operator() *rest.Config {
	GinkgoHelper()
	user, err := s.Environment.AddUser(envtest.User{
		Name:   operatorUser,
		Groups: []string{"system:serviceaccounts", "system:serviceaccounts:" + OperatorNamespace},
	}, &rest.Config{QPS: -1})
	Expect(err).NotTo(HaveOccurred())
	return user.Config()
}
