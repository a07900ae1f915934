// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/rand"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mask"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/preflight"
	"github.com/networkservicemesh/nsm-operator/internal/report"
)

const (
	// trialTime is how long a mesh is tried, unless --timeout says so.
	trialTime = 3 * time.Minute
	// removalTime is how long it may take to remove what a trial made, whatever has ended it.
	removalTime = 90 * time.Second
	// podTime is how long a pod may take to end before the others are removed.
	podTime = 20 * time.Second
	// trialPause is that between two looks.
	trialPause = time.Second
	// mostLog of a container that is read.
	mostLog = 1 << 20
)

// trial is one of a mesh while it runs.
type trial struct {
	*cluster
	mesh.Trial

	input mesh.Input
	// ownsNamespace: it is made for the trial, and goes with it.
	ownsNamespace bool
	// missing are the objects that are still to be made, in this order.
	missing []mesh.Object
	// seen last.
	seen preflight.Trial
	// isFinal: the API server has refused what waiting does not mend.
	isFinal bool
	// hidden is what may not be read, and why: it is not asked for again.
	hidden map[string]string
	// tell the user something that is not the result.
	tell func(format string, args ...any)
}

// tryMeshes has a client ping an endpoint through each mesh.
func (o *options) tryMeshes(ctx context.Context, c *cluster, facts *preflight.Facts, flags *checkFlags) error {
	patience := trialTime
	if flags.hasTimeout {
		patience = cmp.Or(o.timeout, 24*time.Hour)
	}
	for i := range facts.Meshes {
		in := facts.Meshes[i].Input
		if in.NSM.UID == "" {
			return fmt.Errorf("there is no NSM to try in namespace %s: -n chooses another one", in.NSM.Namespace)
		}
		t := newTrial(c, in, flags, patience)
		t.tell = o.warn
		err := t.run(ctx, patience)
		if err != nil {
			if len(t.seen.Left) > 0 {
				err = fmt.Errorf("%w; still there: %s", err, strings.Join(t.seen.Left, ", "))
			}
			return err
		}
		facts.Trials = append(facts.Trials, t.seen)
	}
	return nil
}

func newTrial(c *cluster, in mesh.Input, flags *checkFlags, patience time.Duration) *trial {
	name := "nsm-check-" + rand.String(5)
	t := &trial{cluster: c, input: in, Trial: mesh.Trial{
		Namespace: cmp.Or(flags.activeNamespace, name), Name: name, EndpointImage: flags.endpointImage, ConnectOnly: flags.connectOnly,
		Patience: patience / 2, Life: patience + removalTime,
	}}
	if t.ownsNamespace = flags.activeNamespace == ""; t.ownsNamespace {
		t.missing = append(t.missing, mesh.TrialNamespace(in, t.Trial))
	}
	t.missing = append(t.missing, mesh.TrialObjects(in, t.Trial)...)
	t.hidden = map[string]string{}
	t.seen = preflight.Trial{Mesh: in.NSM.Namespace + "/" + in.NSM.Name, ConnectOnly: flags.connectOnly}
	return t
}

// run tries the mesh and removes all that it has made, whatever happens: an error of the
// API server or an interruption, too.
func (t *trial) run(ctx context.Context, patience time.Duration) error {
	all := slices.Clone(t.missing)
	t.tell("trying mesh %s in namespace %s for %s at most", t.seen.Mesh, t.Namespace, patience)
	if images := ptr.Deref(t.input.NSM.Spec.Images, nsmv1beta1.ImagesSpec{}); t.ownsNamespace && len(images.PullSecrets) > 0 {
		t.tell("warning: the mesh pulls its images with Secrets of its namespace, which namespace %s does not have: --active-namespace names one that does", t.Namespace)
	}
	within, cancel := context.WithTimeout(ctx, patience)
	err := t.await(within)
	cancel()
	removing, cancel := context.WithTimeout(context.WithoutCancel(ctx), removalTime)
	defer cancel()
	t.seen.Left = t.remove(removing, all)
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	return err
}

// await makes what is missing, and looks, until the client has its answer or the time is
// over.
func (t *trial) await(ctx context.Context) error {
	told := ""
	for {
		err := t.make(ctx)
		if err == nil {
			err = t.look(ctx)
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
		waits := t.seen.Waits()
		if waits == "" || t.isFinal {
			return nil
		}
		if waits != told {
			told = waits
			t.tell("waiting: %s", waits)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(trialPause):
		}
	}
}

// make creates what is missing. What the API server cannot do now is tried again. What it
// refuses, or has no place for, is not: a person has to change something first.
func (t *trial) make(ctx context.Context) error {
	for len(t.missing) > 0 {
		err := t.Create(ctx, t.missing[0])
		switch {
		case err == nil, apierrors.IsAlreadyExists(err): // whoever has the name, has it of us: the answer was lost
			t.missing = t.missing[1:]
		case isOfServer(err):
			t.seen.Refused = err.Error()
			t.isFinal = isRefused(err) && !t.comesLater(err)
			return nil
		default:
			return t.explain(err, "create "+describe(t.missing[0]))
		}
	}
	return nil
}

// isRefused tells of an error that stays until a person changes something.
func isRefused(err error) bool { return apierrors.IsForbidden(err) || apierrors.IsNotFound(err) }

// comesLater reports whether a refusal is OpenShift's of a pod whose constraint is still to be
// granted: the operator does so once it sees the namespace, and OpenShift's own controllers
// give that its users.
func (t *trial) comesLater(err error) bool {
	return t.input.Platform.OpenShift && strings.Contains(err.Error(), "security context constraint")
}

// look at the pods, at what they say, and at what the registry has.
func (t *trial) look(ctx context.Context) error {
	seen := preflight.Trial{Mesh: t.seen.Mesh, Refused: t.seen.Refused, ConnectOnly: t.ConnectOnly, Now: t.clock.now()}
	var err error
	if seen.Endpoint, err = t.lookAt(ctx, mesh.TrialEndpoint, mesh.TrialEndpoint); err != nil {
		return err
	}
	if seen.Client, err = t.lookAt(ctx, mesh.TrialClient, mesh.TrialClientSidecar); err != nil {
		return err
	}
	var parts corev1.PodList
	labels := client.MatchingLabels(mesh.OwnerLabels(t.input.NSM))
	if seen.PartsUnseen, err = t.seeList(ctx, &parts, "list pods in namespace "+t.input.NSM.Namespace, client.InNamespace(t.input.NSM.Namespace), labels); err != nil {
		return err
	}
	seen.Parts = parts.Items
	seen.Registered, seen.RegistryUnseen, err = t.isRegistered(ctx)
	if err == nil {
		t.seen = seen
	}
	return err
}

// seeList tells why something could not be read, and returns other errors.
func (t *trial) seeList(ctx context.Context, list client.ObjectList, what string, options ...client.ListOption) (unseen string, err error) {
	if why, isHidden := t.hidden[what]; isHidden {
		return why, nil
	}
	err = t.List(ctx, list, options...)
	isFinal := isRefused(err) || meta.IsNoMatchError(err)
	before := len(t.notSeen)
	err = t.unlessHidden(err, what)
	unseen = strings.Join(t.notSeen[before:], ", ")
	t.notSeen = t.notSeen[:before]
	if isFinal {
		t.hidden[what] = unseen
	}
	return unseen, err
}

// lookAt a pod of the trial, and at the log of the container that asks for an identity.
func (t *trial) lookAt(ctx context.Context, role, container string) (preflight.TrialPod, error) {
	found := preflight.TrialPod{}
	if slices.ContainsFunc(t.missing, func(object mesh.Object) bool { return object.GetLabels()[mesh.LabelComponent] == role }) {
		return found, nil
	}
	pod := &corev1.Pod{}
	err := t.Get(ctx, client.ObjectKey{Namespace: t.Namespace, Name: t.NameOf(role)}, pod)
	if apierrors.IsNotFound(err) {
		return found, nil
	}
	if err != nil {
		return found, t.explain(err, "get pod "+t.NameOf(role))
	}
	found.Pod = pod
	var events corev1.EventList
	ofPod := client.MatchingFields{"involvedObject.name": pod.Name, "type": corev1.EventTypeWarning}
	if _, err := t.seeList(ctx, &events, "list events", client.InNamespace(t.Namespace), ofPod); err != nil {
		return found, err
	}
	found.Warnings = events.Items
	found.Log, found.LogUnseen = t.logOf(ctx, pod, container)
	return found, nil
}

// logOf a container, with secrets masked: NSM logs the tokens of its requests.
func (t *trial) logOf(ctx context.Context, pod *corev1.Pod, container string) (log, unseen string) {
	what := "log of pod " + pod.Name
	if why, isHidden := t.hidden[what]; isHidden {
		return "", why
	}
	core, err := typedcorev1.NewForConfig(t.config)
	if err != nil {
		return "", err.Error()
	}
	options := &corev1.PodLogOptions{Container: container, LimitBytes: ptr.To(int64(mostLog))}
	content, err := core.Pods(pod.Namespace).GetLogs(pod.Name, options).DoRaw(ctx)
	switch {
	case err == nil:
		return mask.String(string(content)), ""
	case apierrors.IsBadRequest(err): // it has none yet
		return "", ""
	default:
		unseen = what + ": " + err.Error()
		if isRefused(err) {
			t.hidden[what] = unseen
		}
		return "", unseen
	}
}

// isRegistered reports whether the registry has a live entry of the endpoint, or why that
// cannot be seen.
func (t *trial) isRegistered(ctx context.Context) (is bool, unseen string, err error) {
	if t.input.NSM.Spec.Registry != nil && t.input.NSM.Spec.Registry.Type == nsmv1beta1.RegistryTypeMemory {
		return false, "a registry of type memory keeps its entries to itself", nil
	}
	list := entryList("NetworkServiceEndpoint")
	unseen, err = t.seeList(ctx, list, "list networkserviceendpoints", client.InNamespace(t.input.NSM.Namespace))
	if err != nil || unseen != "" {
		return false, unseen, err
	}
	for _, endpoint := range report.TopologyOf(&report.Registered{Endpoints: list.Items, Now: t.clock.now()}).Endpoints {
		is = is || slices.Contains(endpoint.Services, t.Name) && !endpoint.Expired
	}
	return is, "", nil
}

func entryList(kind string) *unstructured.UnstructuredList {
	return mesh.EmptyList(registryVersion.WithKind(kind))
}

// remove deletes all that the trial made, the client first, so that its connection is
// closed, and returns what is left when the time is over. What was not made is tried as
// well: the answer to its creation may be what was lost.
func (t *trial) remove(ctx context.Context, all []mesh.Object) []string {
	t.tell("removing what was made for the trial of mesh %s", t.seen.Mesh)
	all = slices.Clone(all)
	slices.Reverse(all)
	for _, object := range all {
		if mesh.KindOf(object) == "Namespace" {
			continue // last, when nobody registers anything any more
		}
		_ = t.Delete(ctx, object.DeepCopyObject().(client.Object)) //nolint:errcheck // a copy is of the same type
		if mesh.KindOf(object) == "Pod" {
			t.awaitEnd(ctx, object, podTime)
		}
	}
	left := t.removeEntries(ctx)
	if t.ownsNamespace {
		_ = t.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: t.Namespace}})
	}
	for _, object := range all {
		if why := t.awaitEnd(ctx, object, removalTime); why != "" {
			left = append(left, describe(object)+" ("+why+")")
		}
	}
	return left
}

// awaitEnd waits until an object is gone, and tells why that is not so, or not known,
// when the time is over.
func (t *trial) awaitEnd(ctx context.Context, object client.Object, patience time.Duration) string {
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	why := "not seen in time"
	for {
		err := t.Get(within, client.ObjectKeyFromObject(object), object.DeepCopyObject().(client.Object)) //nolint:errcheck // a copy is of the same type
		switch {
		case apierrors.IsNotFound(err):
			return ""
		case apierrors.IsForbidden(err):
			return "not seen: forbidden"
		case err == nil:
			why = "it has not ended yet"
		case within.Err() == nil:
			why = "not known: " + err.Error()
		}
		select {
		case <-within.Done():
			return why
		case <-time.After(trialPause / 4):
		}
	}
}

// removeEntries deletes what the endpoint registered, which nobody else does: network
// services stay for ever, and an entry of an endpoint that could not say that it ends.
func (t *trial) removeEntries(ctx context.Context) (left []string) {
	for _, kind := range []string{"NetworkServiceEndpoint", "NetworkService"} {
		list := entryList(kind)
		if err := t.List(ctx, list, client.InNamespace(t.input.NSM.Namespace)); err != nil {
			if !meta.IsNoMatchError(err) && !apierrors.IsNotFound(err) && len(t.missing) == 0 {
				left = append(left, fmt.Sprintf("%ss of %s (not known: %v)", kind, t.Name, err))
			}
			continue
		}
		for i := range list.Items {
			if entry := &list.Items[i]; t.isOurs(entry) {
				if err := t.Delete(ctx, entry); client.IgnoreNotFound(err) != nil {
					left = append(left, fmt.Sprintf("%s (%v)", describe(entry), err))
				}
			}
		}
	}
	return left
}

// isOurs reports whether an entry of the registry is of the trial.
func (t *trial) isOurs(entry *unstructured.Unstructured) bool {
	services, _, _ := unstructured.NestedStringSlice(entry.Object, "spec", "network_service_names")
	return entry.GetName() == t.Name || slices.Contains(services, t.Name)
}

func describe(object mesh.Object) string {
	if object.GetNamespace() == "" {
		return mesh.KindOf(object) + " " + object.GetName()
	}
	return mesh.KindOf(object) + " " + object.GetNamespace() + "/" + object.GetName()
}
