// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package deploy

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"github.com/distribution/reference"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/preflight"
)

// exitAbsent is what the check of an image ends with where its registry says that there
// is no such image.
const exitAbsent = 3

var (
	kindNSM         = schema.GroupVersionKind{Group: "nsm.networkservicemesh.io", Version: "v1beta1", Kind: "NSM"}
	kindCRD         = schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: kindDefinition}
	kindCSIDriver   = storagev1.SchemeGroupVersion.WithKind("CSIDriver")
	kindStatefulSet = appsv1.SchemeGroupVersion.WithKind("StatefulSet")
	kindDaemonSet   = appsv1.SchemeGroupVersion.WithKind("DaemonSet")
	kindDeployment  = appsv1.SchemeGroupVersion.WithKind("Deployment")
	kindConfigMap   = corev1.SchemeGroupVersion.WithKind("ConfigMap")
	kindClaim       = corev1.SchemeGroupVersion.WithKind("PersistentVolumeClaim")
)

// preflight finds whatever would stop the installation half way, before anything is
// applied. It says all that it finds.
func (c *Cluster) preflight(ctx context.Context, s *Settings) error {
	checks := []func(context.Context, *Settings) error{c.checkRights, c.checkOLM, c.checkImage}
	if s.Spire == spireLab {
		checks = append(checks, c.checkOpenShift, c.checkForeignSpire, c.checkStorage, c.checkTrustDomain)
	}
	var wrong []error
	for _, check := range checks {
		wrong = append(wrong, check(ctx, s))
	}
	if err := errors.Join(wrong...); err != nil {
		return fmt.Errorf("nothing was changed.\n%w", err)
	}
	return nil
}

func (c *Cluster) checkVersion() error { return preflight.CheckKubernetes(c.version.GitVersion) }

// checkRights asks for those of a cluster administrator: whoever installs roles has to
// have all that is in them.
func (c *Cluster) checkRights(ctx context.Context, _ *Settings) error {
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "*", Group: "*", Resource: "*"},
	}}
	if err := c.Create(ctx, review); err != nil {
		return fmt.Errorf("asking what you may do: %w", err)
	}
	if !review.Status.Allowed {
		return errors.New(preflight.NoAdministrator)
	}
	return nil
}

// findKubelets finds the kubelets' directory for SPIRE's CSI driver, unless the caller has
// said it.
func (c *Cluster) findKubelets(ctx context.Context, s *Settings) error {
	if s.Kubelet != "" || s.Spire != spireLab || !s.CSI {
		return nil
	}
	var nodes corev1.NodeList
	if err := c.List(ctx, &nodes); err != nil {
		return fmt.Errorf("listing nodes, for the kubelets' directory: %w", err)
	}
	var found []string
	for i := range nodes.Items {
		if directory := mesh.KubeletDirectoryOf(&nodes.Items[i]); directory != "" && !slices.Contains(found, directory) {
			found = append(found, directory)
		}
	}
	if len(found) > 1 {
		slices.Sort(found)
		return fmt.Errorf("nothing was changed. The kubelets of the nodes keep their files in different directories, %s: say which one with KUBELET_DIR",
			strings.Join(found, " and "))
	}
	s.Kubelet = strings.Join(found, "")
	return nil
}

// checkOLM leaves an operator alone that OLM looks after.
func (c *Cluster) checkOLM(ctx context.Context, _ *Settings) error {
	var deployments appsv1.DeploymentList
	if err := c.List(ctx, &deployments, client.MatchingFields{"metadata.name": operatorName}, client.HasLabels{"olm.owner"}); err != nil {
		return err
	}
	for i := range deployments.Items {
		found := &deployments.Items[i]
		return fmt.Errorf("OLM has installed the operator in namespace %s, as %s: upgrade it with OLM, "+
			"or delete its Subscription and ClusterServiceVersion first", found.Namespace, found.Labels["olm.owner"])
	}
	return nil
}

func (c *Cluster) checkOpenShift(context.Context, *Settings) error {
	groups, err := c.discovery.ServerGroups()
	if err != nil {
		return err
	}
	for i := range groups.Groups {
		if groups.Groups[i].Name == "security.openshift.io" {
			return errors.New("this is OpenShift, whose security context constraints do not let the lab's SPIRE run: " +
				"install the Zero Trust Workload Identity Manager (docs/openshift.md) and run this again with SPIRE=external")
		}
	}
	return nil
}

// checkForeignSpire leaves a SPIRE alone that is there already: two of them would
// serve the same socket.
func (c *Cluster) checkForeignSpire(ctx context.Context, s *Settings) error {
	for _, kind := range []schema.GroupVersionKind{kindDaemonSet, kindStatefulSet, kindDeployment} {
		workloads, err := c.list(ctx, kind)
		if err != nil {
			return err
		}
		for i := range workloads {
			if !isOurs(&workloads[i]) && runsSpire(&workloads[i]) {
				return fmt.Errorf("there is a SPIRE already, which this did not install: %s. "+
					"Run this again with SPIRE=external; docs/spire.md says what a mesh needs of it", nameOf(&workloads[i]))
			}
		}
	}
	driver, err := c.find(ctx, kindCSIDriver, "", driverSpire)
	if err == nil && driver != nil && s.CSI && !isOurs(driver) {
		err = errors.New("there is a CSIDriver csi.spiffe.io already, which this did not install: leave SPIRE_CSI out, or run this again with SPIRE=external")
	}
	return err
}

// isOurs reports whether an object was made by this program.
func isOurs(object client.Object) bool { return object.GetLabels()[labelMadeBy] == madeByDeploy }

// runsSpire reports whether a workload runs SPIRE's server or agent.
func runsSpire(workload *unstructured.Unstructured) bool {
	runs := false
	eachContainer(workload.DeepCopy(), func(container map[string]any) {
		switch preflight.ProgramOf(fmt.Sprint(container["image"])) {
		case preflight.SpireServer, preflight.SpireAgent:
			runs = true
		}
	})
	return runs
}

// checkStorage wants a StorageClass for the claim of SPIRE's server, or it would wait
// for ever, and all of NSM with it. What is there already stays where it is.
func (c *Cluster) checkStorage(ctx context.Context, s *Settings) error {
	server, err := c.find(ctx, kindStatefulSet, spireNamespace, spireServer)
	if err != nil {
		return err
	}
	if server != nil && server.GetAnnotations()[annotationStorage] != s.Storage {
		return fmt.Errorf("SPIRE was installed with SPIRE_STORAGE=%s, and its data cannot move to %s: "+
			"say SPIRE_STORAGE=%[1]s, or run make undeploy first", server.GetAnnotations()[annotationStorage], s.Storage)
	}
	if s.Storage != "pvc" {
		return nil
	}
	claim, err := c.find(ctx, kindClaim, spireNamespace, "spire-data")
	if claim != nil || err != nil {
		return err
	}
	var classes storagev1.StorageClassList
	if err := c.List(ctx, &classes); err != nil {
		return err
	}
	if preflight.HasDefault(classes.Items) {
		return nil
	}
	return errors.New("the cluster has no default StorageClass, so that SPIRE's server would wait for its volume for ever: " +
		"make one the default, or set SPIRE_STORAGE=hostPath (the data stays on one node) or SPIRE_STORAGE=emptyDir (it goes with the pod)")
}

// checkTrustDomain: it is part of every identity, so that it cannot change.
func (c *Cluster) checkTrustDomain(ctx context.Context, s *Settings) error {
	there, err := c.find(ctx, kindConfigMap, spireNamespace, "spire-settings")
	if there == nil || err != nil {
		return err
	}
	was, _, _ := unstructured.NestedString(there.Object, "data", "trustDomain")
	if was != "" && was != s.TrustDomain {
		return fmt.Errorf("SPIRE was installed with TRUST_DOMAIN=%s, which cannot change to %s: say TRUST_DOMAIN=%[1]s, or run make undeploy first", was, s.TrustDomain)
	}
	return nil
}

// checkImage finds an image that cannot be pulled. One that a node has is good, whatever
// its registry says. Where that cannot be asked from here, the cluster may still reach it.
func (c *Cluster) checkImage(ctx context.Context, s *Settings) error {
	if s.Image == "" || s.ImageCheck == "" {
		return nil
	}
	onNode, err := c.nodeHasImage(ctx, s.Image)
	if onNode || err != nil {
		return err
	}
	output, err := exec.CommandContext(ctx, s.ImageCheck, "check", s.Image).CombinedOutput()
	said := strings.TrimSpace(string(output))
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &exit) && exit.ExitCode() == exitAbsent:
		return fmt.Errorf("the image %s is on no node, and not in its registry: push it, load it onto the nodes (kind load docker-image), or set IMG to one that is there", s.Image)
	case s.Image == s.DefaultImage:
		return fmt.Errorf("the image %s cannot be found (%s): this release may not be published yet. "+
			"Set IMG to one of your own: make docker-build IMG=..., then push it or load it onto the nodes", s.Image, said)
	default:
		fmt.Printf("The registry of %s cannot be asked from here (%s); the cluster may reach it.\n", s.Image, said)
		return nil
	}
}

func (c *Cluster) nodeHasImage(ctx context.Context, image string) (bool, error) {
	wanted, err := normalized(image)
	if err != nil {
		return false, err
	}
	var nodes corev1.NodeList
	if err := c.List(ctx, &nodes); err != nil {
		return false, err
	}
	for i := range nodes.Items {
		for _, there := range nodes.Items[i].Status.Images {
			if slices.ContainsFunc(there.Names, func(name string) bool {
				name, err := normalized(name)
				return err == nil && name == wanted
			}) {
				return true, nil
			}
		}
	}
	return false, nil
}

// normalized is an image by its whole name, with a registry and a tag.
func normalized(image string) (string, error) {
	name, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return "", err
	}
	return reference.TagNameOnly(name).String(), nil
}
