// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package perf

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

const (
	older, newer = "v1.17.0", "v1.18.0"
	// operatorAccount is whose requests are counted.
	operatorAccount = "system:serviceaccount:nsm-operator-system:nsm-operator"
	// mostRounds of changes by the operator and by hand there are.
	mostRounds = 5
	// changeTakes at most so long on the largest cluster.
	changeTakes = 20 * time.Minute
)

// scale is a mesh on a cluster of some size.
type scale struct {
	*cluster
	table *results
	nodes int
	// byWorkload is what each workload took by hand, in the last change.
	byWorkload []string
}

// BenchmarkScale measures a mesh on clusters of growing size (NODES="3 100": of those): its
// installation, a change of release, and the same change of images by hand.
func BenchmarkScale(b *testing.B) {
	if b.N > 1 {
		b.Skip("once says it: -benchtime 1x")
	}
	ctrl.SetLogger(zap.New(zap.WriteTo(&bytes.Buffer{})))
	sizes := os.Getenv("NODES")
	if sizes == "" {
		sizes = "3 100 1000"
	}
	table := &results{}
	defer table.print()
	for size := range strings.FieldsSeq(sizes) {
		nodes, err := strconv.Atoi(size)
		must(b, err)
		b.Run(size+"-nodes", func(b *testing.B) {
			b.Cleanup(func() { b.ReportMetric(0, "ns/op") })
			flags := []string{"--nodes", size, "--audit", operatorAccount}
			(&scale{cluster: startCluster(b, flags...), table: table, nodes: nodes}).measure(b)
		})
	}
}

func (s *scale) measure(b *testing.B) {
	b.Helper()
	kubeconfig := s.operatorKubeconfig(b)
	m := s.startManagerAs(b, kubeconfig)
	install := s.count(b, m, "install", func() time.Duration {
		return s.change(b, func() { must(b, s.client.Create(b.Context(), s.mesh(older))) }, older)
	})
	s.add(b, "install", "", seconds(install))
	s.add(b, "memory of the operator (resident)", "", fmt.Sprintf("%d MiB", m.residentMiB(b)))

	first := s.count(b, m, "change of release, images first", func() time.Duration { return s.changeTo(b, newer, true) })
	// By turns, since a machine with other work is now slower and now faster.
	var changes, byHand []time.Duration
	for range min(mostRounds, 1+500/s.nodes) { // they are short on small clusters
		back := s.changeTo(b, older, false)
		m.stop(b)
		byHand = append(byHand, s.byHand(b, older, newer), s.byHand(b, newer, older))
		m = s.startManagerAs(b, kubeconfig)
		s.settle(b)
		changes = append(changes, back, s.changeTo(b, newer, false))
	}
	s.count(b, m, "change of release", func() time.Duration { return s.changeTo(b, older, false) })
	s.add(b, "memory of the operator (resident)", "", fmt.Sprintf("%d MiB", m.residentMiB(b)))
	for _, stage := range s.stages(b) {
		s.add(b, "  that change, "+stage, "", "")
	}
	m.stop(b)
	for _, workload := range s.byWorkload {
		s.add(b, "  by hand, "+workload, "", "")
	}

	hand := median(byHand)
	s.add(b, fmt.Sprintf("the same change of images by hand, median of %d", len(byHand)), "", seconds(hand))
	s.add(b, fmt.Sprintf("change of release, median of %d", len(changes)), "<= 1.05 (1,000), 1.2 times",
		fmt.Sprintf("%s: %s times", seconds(median(changes)), ratio(changes, byHand)))
	s.add(b, "change of release, images first", "", fmt.Sprintf("%s: %.2f times", seconds(first), first.Seconds()/hand.Seconds()))
}

func (s *scale) add(b *testing.B, what, goal, measured string) {
	b.Helper()
	s.table.add(fmt.Sprintf("%4d nodes: %s", s.nodes, what), goal, measured)
}

// mesh that waits for no pods but those that are simulated.
func (s *scale) mesh(version string) *nsmv1beta1.NSM {
	nsm := newMesh()
	nsm.Spec.Version = version
	nsm.Spec.Upgrade = &nsmv1beta1.UpgradeSpec{MaxUnavailable: ptr.To(intstr.FromString("10%")), PrePull: ptr.To(false)}
	return nsm
}

func (s *scale) setVersion(b *testing.B, version string, prePull bool) {
	b.Helper()
	nsm := newMesh()
	must(b, s.client.Get(b.Context(), client.ObjectKeyFromObject(nsm), nsm))
	before := client.MergeFrom(nsm.DeepCopy())
	nsm.Spec.Version, nsm.Spec.Upgrade.PrePull = version, ptr.To(prePull)
	must(b, s.client.Patch(b.Context(), nsm, before))
}

// settle waits until an operator that has started has looked at the mesh: what it reads
// first is no part of a change.
func (s *scale) settle(b *testing.B) {
	b.Helper()
	nsm := newMesh()
	must(b, s.client.Get(b.Context(), client.ObjectKeyFromObject(nsm), nsm))
	before := client.MergeFrom(nsm.DeepCopy())
	nsm.Spec.Upgrade.ProgressDeadline = &metav1.Duration{Duration: time.Hour + time.Duration(nsm.Generation)*time.Second}
	s.change(b, func() { must(b, s.client.Patch(b.Context(), nsm, before)) }, nsm.Spec.Version)
}

// change is the time from a write until the mesh runs a release everywhere.
func (s *scale) change(b *testing.B, write func(), version string) time.Duration {
	b.Helper()
	begin := time.Now()
	write()
	s.wait(b, func(ctx context.Context) bool {
		nsm := newMesh()
		must(b, s.client.Get(ctx, client.ObjectKeyFromObject(nsm), nsm))
		return nsm.Status.Version == version && nsm.Status.ObservedGeneration == nsm.Generation && isAvailable(nsm)
	})
	return time.Since(begin)
}

// changeTo changes the release.
func (s *scale) changeTo(b *testing.B, version string, prePull bool) time.Duration {
	b.Helper()
	return s.change(b, func() { s.setVersion(b, version, prePull) }, version)
}

// count tells how many requests the operator makes during a change, and what it takes to compute.
func (s *scale) count(b *testing.B, m *manager, what string, change func() time.Duration) time.Duration {
	b.Helper()
	before, computed := s.requests(b), m.processorTime(b)
	took := change()
	s.add(b, what+": processor time of the operator", "", seconds(m.processorTime(b)-computed))
	made := s.requests(b)
	for kind := range made {
		made[kind] -= before[kind]
	}
	s.add(b, what+": requests of the operator", "", fmt.Sprintf("%d: %d writes of the status, %d lists of pods", made["all"], made["status"], made["pods"]))
	return took
}

func isAvailable(nsm *nsmv1beta1.NSM) bool {
	for _, condition := range nsm.Status.Conditions {
		if condition.Type == nsmv1beta1.ConditionAvailable {
			return condition.Status == metav1.ConditionTrue
		}
	}
	return false
}

// requests of the operator so far, by kind, as the API server has logged them.
func (s *scale) requests(b *testing.B) map[string]int {
	b.Helper()
	log, err := os.ReadFile(filepath.Join(s.directory, "log", "audit.log"))
	must(b, err)
	made := map[string]int{}
	for line := range bytes.Lines(log) {
		var event struct {
			Verb, Stage string
			ObjectRef   struct{ Resource, Subresource string }
		}
		if json.Unmarshal(line, &event) != nil || event.Stage != "ResponseComplete" || event.Verb == "watch" {
			continue
		}
		made["all"]++
		if event.ObjectRef.Resource == "nsms" && event.ObjectRef.Subresource == "status" {
			made["status"]++
		}
		if event.ObjectRef.Resource == "pods" {
			made["pods"]++
		}
	}
	return made
}

// byHand changes the images of one workload after the other from those of a release to
// those of another, as the operator does, and waits for each. Nobody else acts on the mesh.
func (s *scale) byHand(b *testing.B, from, to string) time.Duration {
	b.Helper()
	begin := time.Now()
	s.byWorkload = nil
	done := func(workload client.Object, since time.Time) {
		s.byWorkload = append(s.byWorkload, fmt.Sprintf("%s after %s", workload.GetName(), time.Since(since).Round(time.Second)))
	}
	var deployments appsv1.DeploymentList
	must(b, s.client.List(b.Context(), &deployments, client.InNamespace(namespace)))
	for i := range deployments.Items {
		d, since := &deployments.Items[i], time.Now()
		before := client.MergeFrom(d.DeepCopy())
		setImages(&d.Spec.Template.Spec, from, to)
		must(b, s.client.Patch(b.Context(), d, before))
		s.wait(b, func(ctx context.Context) bool {
			must(b, s.client.Get(ctx, client.ObjectKeyFromObject(d), d))
			return d.Status.ObservedGeneration == d.Generation && d.Status.UpdatedReplicas == *d.Spec.Replicas &&
				d.Status.Replicas == *d.Spec.Replicas && d.Status.AvailableReplicas == *d.Spec.Replicas
		})
		done(d, since)
	}
	for _, name := range []string{"nsmgr", "forwarder-vpp"} {
		d, since := &appsv1.DaemonSet{}, time.Now()
		must(b, s.client.Get(b.Context(), client.ObjectKey{Namespace: namespace, Name: name}, d))
		before := client.MergeFrom(d.DeepCopy())
		setImages(&d.Spec.Template.Spec, from, to)
		must(b, s.client.Patch(b.Context(), d, before))
		s.wait(b, func(ctx context.Context) bool {
			must(b, s.client.Get(ctx, client.ObjectKeyFromObject(d), d))
			return d.Status.ObservedGeneration == d.Generation && d.Status.UpdatedNumberScheduled == d.Status.DesiredNumberScheduled &&
				d.Status.NumberAvailable == d.Status.DesiredNumberScheduled
		})
		done(d, since)
	}
	return time.Since(begin)
}

// stages are the operator's own events about those of the last change.
func (s *scale) stages(b *testing.B) []string {
	b.Helper()
	var events corev1.EventList
	must(b, s.client.List(b.Context(), &events, client.InNamespace(namespace)))
	slices.SortFunc(events.Items, func(one, other corev1.Event) int { return one.EventTime.Compare(other.EventTime.Time) })
	var stages []string
	for i := range events.Items {
		if event := &events.Items[i]; event.Reason == "StageEnded" {
			stages = append(stages, event.Message)
		}
	}
	return stages[max(0, len(stages)-3):]
}

func setImages(spec *corev1.PodSpec, from, to string) {
	for i := range spec.Containers {
		spec.Containers[i].Image = strings.ReplaceAll(spec.Containers[i].Image, from, to)
	}
}

// wait looks at a condition, ten times a second, until it holds.
func (s *scale) wait(b *testing.B, holds func(context.Context) bool) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), changeTakes)
	defer cancel()
	for !holds(ctx) {
		<-time.After(100 * time.Millisecond)
	}
}

// operatorKubeconfig lets the operator act under a user of its own, so that its requests
// can be told from those of others.
func (s *scale) operatorKubeconfig(b *testing.B) string {
	b.Helper()
	account := &corev1.ServiceAccount{}
	must(b, s.client.Get(b.Context(), client.ObjectKey{Namespace: "nsm-operator-system", Name: "nsm-operator"}, account))
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "operator-is-admin"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: account.Namespace, Name: account.Name}},
	}
	must(b, s.client.Create(b.Context(), binding))
	token := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: ptr.To[int64](12 * 60 * 60)}}
	must(b, s.client.SubResource("token").Create(b.Context(), account, token))
	config, err := clientcmd.LoadFromFile(s.kubeconfig())
	must(b, err)
	for _, user := range config.AuthInfos {
		user.ClientCertificateData, user.ClientKeyData, user.Token = nil, nil, token.Status.Token
	}
	path := filepath.Join(s.directory, "operator.kubeconfig")
	must(b, clientcmd.WriteToFile(*config, path))
	return path
}
