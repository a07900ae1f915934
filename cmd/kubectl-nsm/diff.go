// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/apply"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/release"
	"github.com/networkservicemesh/nsm-operator/internal/report"
)

func newDiff(o *options) *cobra.Command {
	var file, version string
	var all bool
	command := &cobra.Command{
		Use:   "diff [NAME]",
		Short: "Show what would change, object by object",
		Long: "Show what would change, object by object and field by field, before it does.\n\n" +
			"Without a flag it compares meshes with what this version of the plugin makes of their NSMs: that is what an operator of the same version " +
			"would change. -f does so with an NSM that is not applied yet, --release with another release of NSM. Fields of others, and defaults of the " +
			"API server, are no difference. Nothing is sent to the API server but reads. Secrets are left out.\n\n" +
			"It ends with 1 if there is a difference.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			ctx, cancel := o.within(command.Context())
			defer cancel()
			c, err := o.connect(ctx)
			if err != nil {
				return err
			}
			if all {
				c.namespace = ""
			}
			nsms, err := o.wantedNSMs(ctx, c, file, args)
			if err != nil {
				return err
			}
			if err := o.warnOfVersions(ctx, c); err != nil {
				return err
			}
			return o.printDiff(ctx, c, nsms, version)
		},
	}
	command.Flags().StringVarP(&file, "filename", "f", "", "compare with the NSMs of this file; - for the standard input")
	command.Flags().StringVar(&version, "release", "", "compare with this release of NSM, such as "+release.Newest().String())
	o.addAllNamespaces(command, &all)
	command.MarkFlagsMutuallyExclusive("all-namespaces", "filename")
	o.addOutput(command, "json", "yaml")
	return command
}

// wantedNSMs are those of a file, as they would be once applied, or those that there are.
func (o *options) wantedNSMs(ctx context.Context, c *cluster, file string, names []string) ([]nsmv1beta1.NSM, error) {
	if file == "" {
		return c.nsms(ctx, names)
	}
	nsms, err := o.readNSMs(ctx, file, c.namespace)
	for i := range nsms {
		nsm := &nsms[i]
		live, err := c.nsm(ctx, client.ObjectKeyFromObject(nsm))
		switch {
		case apierrors.IsNotFound(err):
			continue
		case err != nil:
			return nil, c.explainNSM(err, "get nsm "+nsm.Namespace+"/"+nsm.Name)
		}
		wanted := nsm.Spec
		// Defaulting has written it, and applying a file without it does not take it away.
		wanted.Version = cmp.Or(wanted.Version, live.Spec.Version)
		live.Spec, live.Generation = wanted, live.Generation+1
		*nsm = *live
	}
	return nsms, err
}

func (o *options) printDiff(ctx context.Context, c *cluster, nsms []nsmv1beta1.NSM, version string) error {
	var meshes []report.MeshDiff
	for i := range nsms {
		nsm := &nsms[i]
		if version != "" {
			nsm.Spec.Version = version
			nsm.Generation++
		}
		found, err := c.diff(ctx, nsm)
		if err != nil {
			return err
		}
		meshes = append(meshes, found)
	}
	diff := report.NewDiff(meshes, c.notSeen)
	if err := o.print(diff, diff.Text); err != nil {
		return err
	}
	if !diff.IsEmpty() {
		return errFinding
	}
	return nil
}

// diff compares what an NSM asks for with what there is.
func (c *cluster) diff(ctx context.Context, nsm *nsmv1beta1.NSM) (report.MeshDiff, error) {
	in, err := c.inputOf(ctx, nsm)
	if err != nil {
		return report.MeshDiff{}, err
	}
	if problem := mesh.Invalid(in); problem != "" {
		return report.MeshDiff{}, fmt.Errorf("NSM %s/%s: %s", nsm.Namespace, nsm.Name, problem)
	}
	diff := report.MeshDiff{Namespace: nsm.Namespace, Name: nsm.Name, From: nsm.Status.Version, To: in.Release.String()}
	if before, err := release.Parse(nsm.Status.Version); err == nil && diff.From != diff.To {
		diff.Warnings = release.Warnings(before, in.Release)
	}
	if caveat := in.Release.Caveat(); caveat != "" {
		diff.Warnings = append(diff.Warnings, in.Release.String()+caveat)
	}
	wanted := objectsOf(in, mesh.Components(in))
	applier := apply.New(c.WithWatch, c.WithWatch)
	for _, object := range wanted {
		change, err := c.changeOf(ctx, applier, in.NSM, object)
		switch {
		case err != nil:
			return diff, err
		case change == nil:
			diff.Unchanged++
		default:
			diff.Objects = append(diff.Objects, *change)
		}
	}
	gone, err := c.unwanted(ctx, in, wanted)
	diff.Objects = append(diff.Objects, gone...)
	return diff, err
}

// changeOf an object; nil for none, or where it cannot be seen.
func (c *cluster) changeOf(ctx context.Context, applier *apply.Applier, nsm *nsmv1beta1.NSM, object mesh.Object) (*report.ObjectChange, error) {
	kind, err := apiutil.GVKForObject(object, c.Scheme())
	if err != nil {
		return nil, err
	}
	change := &report.ObjectChange{
		APIVersion: kind.GroupVersion().String(), Kind: kind.Kind, Namespace: object.GetNamespace(), Name: object.GetName(),
	}
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(kind)
	if err := c.Get(ctx, client.ObjectKeyFromObject(object), live); apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		change.Change = report.ChangeCreate
		return change, nil
	} else if err != nil {
		return nil, c.unlessHiddenOnce(err, "get "+kind.Kind)
	}
	if may, whose := claim(live, nsm); !may {
		if mesh.IsShared(kind) {
			return nil, nil
		}
		change.Change, change.Message = report.ChangeNone, "it is not the mesh's ("+whose+"), and stays as it is"
		return change, nil
	}
	typed, err := c.typed(live, kind)
	if err != nil {
		return nil, err
	}
	action, fields, err := applier.Difference(object, typed)
	if action == "" || err != nil {
		return nil, err
	}
	change.Change = report.ChangeUpdate
	if action == apply.Recreated {
		change.Change = report.ChangeRecreate
	}
	for _, field := range fields {
		change.Fields = append(change.Fields, report.FieldChange{Path: field.Path, From: field.From, To: field.To})
	}
	return change, nil
}

// claim reports whether an object is the mesh's, or may become so, and else whose it is.
func claim(live mesh.Object, nsm *nsmv1beta1.NSM) (may bool, whose string) {
	if mesh.IsOf(live, nsm) {
		return true, ""
	}
	if mesh.MayTakeOver(nsm) && mesh.IsFromManifests(live) {
		return true, ""
	}
	return mesh.Claim(live, nsm)
}

// unwanted are the objects of a mesh that have no place in it.
func (c *cluster) unwanted(ctx context.Context, in mesh.Input, wanted []mesh.Object) ([]report.ObjectChange, error) {
	var gone []report.ObjectChange
	for _, kind := range mesh.KindsOn(in.Platform) {
		gvk, err := apiutil.GVKForObject(kind, c.Scheme())
		if err != nil {
			return nil, err
		}
		if isKept(gvk) {
			continue
		}
		list := mesh.EmptyMetadataList(gvk)
		options := []client.ListOption{client.MatchingLabels(mesh.OwnerLabels(in.NSM))}
		if isNamespaced, err := c.IsObjectNamespaced(kind); err == nil && isNamespaced && gvk.Kind != "RoleBinding" {
			options = append(options, client.InNamespace(in.NSM.Namespace))
		}
		if err := c.unlessHiddenOnce(c.List(ctx, list, options...), "list "+gvk.Kind); err != nil {
			return nil, err
		}
		for i := range list.Items {
			live := &list.Items[i]
			if mesh.IsOf(live, in.NSM) && !mesh.IsImagePull(live) && !c.isAmong(wanted, gvk, live) {
				gone = append(gone, report.ObjectChange{
					Change: report.ChangeDelete, APIVersion: gvk.GroupVersion().String(), Kind: gvk.Kind, Namespace: live.Namespace, Name: live.Name,
				})
			}
		}
	}
	return gone, nil
}

// isKept tells of kinds of which nobody but the operator knows what goes: Secrets are
// not read, records are its own notes, and cluster-info makes its ConfigMap itself.
func isKept(kind schema.GroupVersionKind) bool {
	return kind.Kind == "Secret" || kind.Kind == "ControllerRevision" || kind.Kind == "ConfigMap"
}

func (c *cluster) isAmong(wanted []mesh.Object, kind schema.GroupVersionKind, live client.Object) bool {
	for _, object := range wanted {
		of, err := apiutil.GVKForObject(object, c.Scheme())
		if err == nil && of == kind && client.ObjectKeyFromObject(object) == client.ObjectKeyFromObject(live) {
			return true
		}
	}
	return false
}
