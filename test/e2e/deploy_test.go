// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

// What "make deploy" applies, with the operator running by it: as a pod of its
// Deployment, with its ServiceAccount and roles, behind its Service, from its image.
var _ = Describe("make deploy and make undeploy", Ordered, SpecPriority(2), func() {
	BeforeAll(launchWithPods)

	It("refuses what cannot work before it applies anything", func(ctx SpecContext) {
		before := installed(ctx)
		refuses := func(why types.GomegaMatcher, variables ...string) {
			GinkgoHelper()
			said, err := tryMake(ctx, "deploy", "30s", variables...)
			Expect(err).To(HaveOccurred(), said)
			Expect(said).To(And(ContainSubstring("nothing was changed"), why))
			Expect(installed(ctx)).To(ConsistOf(before))
		}
		By("no default StorageClass")
		refuses(And(ContainSubstring("has no default StorageClass"), ContainSubstring("SPIRE_STORAGE=hostPath"), ContainSubstring("SPIRE_STORAGE=emptyDir")))

		By("an image that its registry does not have")
		registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/v2/" {
				http.NotFound(w, r)
			}
		}))
		defer registry.Close()
		image := strings.TrimPrefix(registry.URL, "http://") + "/nsm-operator:v1"
		refuses(ContainSubstring("the image "+image+" is on no node, and not in its registry"), "IMG="+image, "SPIRE=external")

		By("a SPIRE of somebody else")
		kubectl(ctx, "create", "deployment", "theirs", "--image=example.com/spire-agent:1", "-n", "default")
		refuses(And(ContainSubstring("Deployment default/theirs"), ContainSubstring("SPIRE=external")), "SPIRE_STORAGE=emptyDir")
		kubectl(ctx, "delete", "deployment", "theirs", "-n", "default")
	}, NodeTimeout(10*time.Minute))

	It("says what it waits for when it gives up", func(ctx SpecContext) {
		kubectl(ctx, "create", "namespace", "spire")
		kubectl(ctx, "create", "quota", "none", "--hard=pods=0", "-n", "spire")
		kubectl(ctx, "apply", "-f", write(defaultStorage))
		said, err := tryMake(ctx, "deploy", "15s")
		Expect(err).To(HaveOccurred(), said)
		Expect(said).To(MatchRegexp(`SPIRE's server: not ready after 15s: StatefulSet spire/spire-server`))
		kubectl(ctx, "delete", "quota", "none", "-n", "spire")
	}, NodeTimeout(10*time.Minute))

	It("brings up SPIRE and the operator, and meshes in both versions", func(ctx SpecContext) {
		said := runMake(ctx, "deploy", "SPIRE_CSI=true")
		Expect(said).To(And(
			ContainSubstring("it is kept until the PersistentVolumeClaim spire/spire-data is deleted"),
			MatchRegexp(`(?s)SPIRE's server: ready.*the certificates of SPIRE's server: ready.*SPIRE's agents: ready.*`+
				`the webhook of SPIRE's controller manager: ready.*NSMs in both versions: ready`)), "each after what it needs")
		Expect(kubectl(ctx, "get", "pvc", "spire-data", "-n", "spire", "-o", "jsonpath={.status.phase}")).To(Equal("Bound"))
		for _, sample := range []string{oldSample, newSample} {
			kubectl(ctx, "apply", "-f", sample)
			waitAvailable(ctx)
			Expect(kubectl(ctx, "get", "clusterspiffeids", "-o", "name")).To(ContainSubstring("nsm-nsm-workloads"))
			kubectl(ctx, "delete", "-f", sample, "--timeout=3m")
		}
	}, NodeTimeout(10*time.Minute))

	It("changes nothing the second time", func(ctx SpecContext) {
		Expect(runMake(ctx, "deploy", "SPIRE_CSI=true")).To(MatchRegexp(`Objects: 0 created, 0 changed, \d\d as they were`))
		By("not beside a mesh either")
		kubectl(ctx, "apply", "-f", newSample)
		waitAvailable(ctx)
		Expect(runMake(ctx, "deploy", "SPIRE_CSI=true")).To(MatchRegexp(`Objects: 0 created, 0 changed, \d\d as they were`))
	}, NodeTimeout(10*time.Minute))

	It("refuses settings that would start SPIRE anew", func(ctx SpecContext) {
		said, err := tryMake(ctx, "deploy", "30s", "SPIRE_STORAGE=hostPath", "TRUST_DOMAIN=example.org")
		Expect(err).To(HaveOccurred())
		Expect(said).To(And(ContainSubstring("say SPIRE_STORAGE=pvc"), ContainSubstring("say TRUST_DOMAIN=k8s.nsm")))
	})

	It("has manifests for the other storages that the API server takes", func(ctx SpecContext) {
		for _, storage := range []string{"hostpath", "emptydir"} {
			kubectl(ctx, "apply", "--server-side", "--dry-run=server", "--force-conflicts", "-k", "config/spire/"+storage)
		}
	}, NodeTimeout(time.Minute))

	It("has the pods judged by Pod Security", func(ctx SpecContext) {
		By("the operator's namespace lets in nothing but restricted pods, and they run")
		Expect(kubectl(ctx, "get", "namespace", "nsm-operator-system", "-o", `jsonpath={.metadata.labels.pod-security\.kubernetes\.io/enforce}`)).To(Equal("restricted"))
		Expect(kubectl(ctx, "get", "deployment", "nsm-operator", "-n", "nsm-operator-system", "-o", "jsonpath={.status.readyReplicas}")).To(Equal("2"))
		By("SPIRE's server would be let in, too")
		kubectl(ctx, "create", "namespace", "restricted")
		kubectl(ctx, "label", "namespace", "restricted", "pod-security.kubernetes.io/enforce=restricted")
		pod := func(workload string) string {
			GinkgoHelper()
			spec := kubectl(ctx, "get", workload, "-n", "spire", "-o", "jsonpath={.spec.template.spec}")
			spec = strings.Replace(spec, `"serviceAccountName":`, `"serviceAccountName":"default","was":`, 1)
			return write(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"judged","namespace":"restricted"},"spec":` + spec + `}`)
		}
		kubectl(ctx, "create", "--dry-run=server", "--validate=false", "-f", pod("statefulset/spire-server"))
		By("and its agent would not: this judges")
		_, err := tryKubectl(ctx, "create", "--dry-run=server", "--validate=false", "-f", pod("daemonset/spire-agent"))
		Expect(err).To(MatchError(ContainSubstring("violates PodSecurity")))
		By("the operator on the network of its node is refused for that alone")
		rendered, err := tryHelm(ctx, helm4, "template", "nsm-operator", operatorChart, "--set", "hostNetwork=true", "--show-only", "templates/deployment.yaml")
		Expect(err).NotTo(HaveOccurred())
		var deployment appsv1.Deployment
		Expect(yaml.Unmarshal([]byte(rendered), &deployment)).To(Succeed())
		deployment.Spec.Template.Spec.ServiceAccountName = "default"
		spec, err := json.Marshal(deployment.Spec.Template.Spec)
		Expect(err).NotTo(HaveOccurred())
		_, err = tryKubectl(ctx, "create", "--dry-run=server", "-f",
			write(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"judged","namespace":"restricted"},"spec":`+string(spec)+`}`))
		Expect(err).To(MatchError(MatchRegexp(`violates PodSecurity "restricted:latest": host namespaces \(hostNetwork=true\), hostPort \([^()]*\)\n?$`)))
		kubectl(ctx, "delete", "namespace", "restricted", "--wait=false")
	})

	It("undeploy leaves all in place while a pod mounts a volume of SPIRE's CSI driver", func(ctx SpecContext) {
		kubectl(ctx, "apply", "-f", write(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"client","namespace":"default"},"spec":{"terminationGracePeriodSeconds":0,
			"containers":[{"name":"a","image":"a"}],"volumes":[{"name":"a","csi":{"driver":"csi.spiffe.io","readOnly":true}}]}}`))
		before := installed(ctx)
		said, err := tryMake(ctx, "undeploy", "30s")
		Expect(err).To(HaveOccurred())
		Expect(said).To(And(ContainSubstring("nothing was removed"), ContainSubstring("default/client (csi.spiffe.io)")))
		Expect(installed(ctx)).To(ConsistOf(before))
		kubectl(ctx, "delete", "pod", "client", "-n", "default", "--timeout=3m")
	}, NodeTimeout(10*time.Minute))

	It("undeploy ends with the operator stopped, and says what is left", func(ctx SpecContext) {
		kubectl(ctx, "scale", "deployment", "nsm-operator", "-n", "nsm-operator-system", "--replicas=0")
		Eventually(reading(ctx, podResource, "nsm-operator-system", "", "{.items[*].metadata.name}")).Should(BeEmpty())
		said, err := tryMake(ctx, "undeploy", "15s")
		Expect(err).To(HaveOccurred())
		Expect(said).To(And(
			ContainSubstring("meshes: not gone after 15s"), ContainSubstring("NSM nsm/nsm-sample (its finalizers: nsm.networkservicemesh.io/"),
			ContainSubstring("Nothing else was removed"), ContainSubstring("of which no replica is ready")))
		kubectl(ctx, "get", "statefulset", "spire-server", "-n", "spire")
		kubectl(ctx, "scale", "deployment", "nsm-operator", "-n", "nsm-operator-system", "--replicas=2")
	}, NodeTimeout(10*time.Minute))

	It("undeploy leaves what other people have made", func(ctx SpecContext) {
		const theirs = "nsm:gone:nsmgr"
		kubectl(ctx, "apply", "-f", write(`{"apiVersion":"networkservicemesh.io/v1","kind":"NetworkService","metadata":{"name":"theirs","namespace":"default"},"spec":{"payload":"IP"}}`))
		kubectl(ctx, "apply", "-f", write(`{"apiVersion":"spire.spiffe.io/v1alpha1","kind":"ClusterSPIFFEID","metadata":{"name":"theirs"},"spec":{"spiffeIDTemplate":"spiffe://a/b"}}`))
		kubectl(ctx, "create", "configmap", "theirs", "-n", "nsm")
		kubectl(ctx, "create", "clusterrole", "nsm-of-somebody-else", "--verb=get", "--resource=nodes")
		kubectl(ctx, "label", "clusterrole", "nsm-of-somebody-else", "app.kubernetes.io/managed-by=nsm-operator")
		By("and takes what is left of a mesh that is gone")
		kubectl(ctx, "create", "clusterrole", theirs, "--verb=get", "--resource=nodes")
		kubectl(ctx, "label", "clusterrole", theirs, "app.kubernetes.io/managed-by=nsm-operator",
			"nsm.networkservicemesh.io/name=mesh", "nsm.networkservicemesh.io/namespace=nsm")

		said, err := tryMake(ctx, "undeploy", "3m")
		Expect(err).NotTo(HaveOccurred(), said)
		Expect(said).To(And(
			ContainSubstring("CustomResourceDefinition networkservices.networkservicemesh.io stays: 1 objects of it are left, NetworkService default/theirs"),
			ContainSubstring("CustomResourceDefinition clusterspiffeids.spire.spiffe.io stays"),
			ContainSubstring("Namespace nsm stays: what is in it was not made here: ConfigMap theirs")))
		Eventually(installed).WithArguments(ctx).WithPolling(listing).Should(ConsistOf("namespaces nsm", "crds networkservices.networkservicemesh.io",
			"crds clusterspiffeids.spire.spiffe.io", "clusterroles /nsm-of-somebody-else"))
	}, NodeTimeout(10*time.Minute))

	It("undeploy goes on from what is left, and may be called when nothing is", func(ctx SpecContext) {
		kubectl(ctx, "delete", "networkservice", "theirs", "-n", "default")
		kubectl(ctx, "delete", "clusterspiffeid", "theirs")
		kubectl(ctx, "delete", "configmap", "theirs", "-n", "nsm")
		kubectl(ctx, "delete", "clusterrole", "nsm-of-somebody-else")
		for range 2 {
			said, err := tryMake(ctx, "undeploy", "3m")
			Expect(err).NotTo(HaveOccurred(), said)
			Eventually(installed).WithArguments(ctx).WithPolling(listing).Should(BeEmpty())
		}
	}, NodeTimeout(10*time.Minute))

	It("deploy leaves a namespace alone that was there, and undeploy does", func(ctx SpecContext) {
		kubectl(ctx, "create", "namespace", "theirs")
		runMake(ctx, "deploy", "SPIRE=external", "NAMESPACE=theirs")
		kubectl(ctx, "get", "rolebinding", "nsm-operator-pod-security", "-n", "theirs")
		Expect(installed(ctx)).NotTo(ContainElement(ContainSubstring("spire")), "SPIRE=external")
		By("also when the definition of NSMs is gone before")
		kubectl(ctx, "delete", "crd", "nsms.nsm.networkservicemesh.io", "--timeout=3m")
		said, err := tryMake(ctx, "undeploy", "3m")
		Expect(err).NotTo(HaveOccurred(), said)
		Eventually(installed).WithArguments(ctx).WithPolling(listing).Should(BeEmpty())
		Expect(kubectl(ctx, "get", "namespace", "theirs", "-o", "jsonpath={.metadata.labels}")).NotTo(ContainSubstring("make-deploy"))
		_, err = tryKubectl(ctx, "get", "rolebinding", "nsm-operator-pod-security", "-n", "theirs")
		Expect(err).To(MatchError(ContainSubstring("not found")))
	}, NodeTimeout(10*time.Minute))
})

// installed is what there is of the operator, of its meshes, and of its SPIRE.
func installed(ctx context.Context) []string {
	GinkgoHelper()
	found := ours(ctx)
	for resource, of := range map[string]schema.GroupVersionResource{
		"namespaces":                      corev1.SchemeGroupVersion.WithResource("namespaces"),
		"clusterroles":                    rbacv1.SchemeGroupVersion.WithResource("clusterroles"),
		"clusterrolebindings":             rbacv1.SchemeGroupVersion.WithResource("clusterrolebindings"),
		"crds":                            crdResource,
		"csidrivers":                      storagev1.SchemeGroupVersion.WithResource("csidrivers"),
		"priorityclasses":                 schedulingv1.SchemeGroupVersion.WithResource("priorityclasses"),
		"mutatingwebhookconfigurations":   admissionregistrationv1.SchemeGroupVersion.WithResource("mutatingwebhookconfigurations"),
		"validatingwebhookconfigurations": admissionregistrationv1.SchemeGroupVersion.WithResource("validatingwebhookconfigurations"),
	} {
		list, err := objects.Resource(of).List(ctx, metav1.ListOptions{})
		Expect(err).NotTo(HaveOccurred(), resource)
		for i := range list.Items {
			name := list.Items[i].Name
			isPart := strings.Contains(name, "nsm-operator") || strings.Contains(name, "networkservicemesh.io") ||
				strings.Contains(name, "spire") || strings.Contains(name, "spiffe") || name == "nsm"
			if isPart {
				found = append(found, resource+" "+name)
			}
		}
	}
	return found
}

// runMake makes a target of the Makefile, with variables, and returns what it says.
func runMake(ctx context.Context, target string, variables ...string) string {
	GinkgoHelper()
	output, err := tryMake(ctx, target, "3m", variables...)
	Expect(err).NotTo(HaveOccurred(), output)
	return output
}

// tryMake makes a target of which a step may take so long, which may fail. What that runs
// has been built, as the manager has: Go would look at all sources once more, each time.
func tryMake(ctx context.Context, target, timeout string, variables ...string) (string, error) {
	command := exec.CommandContext(ctx, "make", append([]string{"-s", target, "GO=true", "TIMEOUT=" + timeout}, variables...)...)
	command.Dir = root
	command.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig())
	output, err := command.CombinedOutput()
	GinkgoWriter.Printf("make %s %s\n%s\n", target, strings.Join(variables, " "), output)
	return string(output), err
}

// defaultStorage is a default StorageClass and a volume of it, which nobody has to provide.
const defaultStorage = `
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata:
  name: standard
  annotations: {storageclass.kubernetes.io/is-default-class: "true"}
provisioner: kubernetes.io/no-provisioner
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: spire-data}
spec:
  storageClassName: standard
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteOnce]
  hostPath: {path: /var/lib/spire-data}
`
