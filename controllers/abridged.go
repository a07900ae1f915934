// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"context"
	"reflect"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/conversion"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// There may be many NSMs, and each may be large. The operator acts on few of them:
// most of many are in the way of each other. So the cache keeps a small NSM as it
// is, and of a large one only an outline. The rest of a large one is read from the
// API server when the loop acts on it, once for each change, and held as long as
// the loop acts on it.

const (
	// mostCached is how much memory, in bytes, the spec and conversion's annotation
	// of an NSM may take in the cache.
	mostCached = 8 << 10
	// abridgedMark begins the value that conversion's annotation has in the cache where
	// the NSM is abridged. A hash of the true value follows, so that a change of it
	// wakes the loop. Somebody who writes such a value gains nothing: the NSM is read
	// from the API server, as any abridged one, and there the value means nothing.
	abridgedMark = "abridged:"
	// nsmPage is how many NSMs are held at a time while they are listed.
	nsmPage = 50
)

// abridge is the transform of NSMs in the cache. It may be called twice for an object,
// as client-go does.
func abridge(cached any) (any, error) {
	nsm, isNSM := cached.(*nsmv1beta1.NSM)
	if !isNSM {
		return cached, nil
	}
	value := nsm.Annotations[conversion.Annotation]
	isLarge := sizeOf(reflect.ValueOf(&nsm.Spec))+len(value) > mostCached
	// Nothing asks for the rest of the metadata. Finalizers are written as a whole.
	nsm.ManagedFields, nsm.Labels, nsm.OwnerReferences = nil, nil, nil
	kept := map[string]string{}
	if mesh.MayTakeOver(nsm) {
		kept[mesh.TakeOverAnnotation] = mesh.TakeOverValue
	}
	// A longer one is no release.
	if target := nsm.Annotations[mesh.UpgradeAnywayAnnotation]; target != "" && len(target) < 64 {
		kept[mesh.UpgradeAnywayAnnotation] = target
	}
	if value != "" {
		kept[conversion.Annotation] = value
	}
	if isLarge {
		mark := abridgedMark + mesh.Fingerprint([]byte(value))
		kept[conversion.Annotation] = mark
		outline := mesh.Outline(&nsm.Spec, true)
		if sizeOf(reflect.ValueOf(&outline))+len(mark) > mostCached {
			outline = mesh.Outline(&nsm.Spec, false)
		}
		nsm.Spec = outline
	}
	nsm.Annotations = nil
	if len(kept) > 0 {
		nsm.Annotations = kept
	}
	return nsm, nil
}

func isAbridged(nsm *nsmv1beta1.NSM) bool {
	return strings.HasPrefix(nsm.Annotations[conversion.Annotation], abridgedMark)
}

// sizeOf is about how much memory a value takes, with all that it points to.
func sizeOf(value reflect.Value) int {
	size := int(value.Type().Size())
	switch value.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !value.IsNil() {
			size += sizeOf(value.Elem())
		}
	case reflect.String:
		size += value.Len()
	case reflect.Struct:
		for _, field := range value.Fields() {
			size += sizeOf(field) - int(field.Type().Size())
		}
	case reflect.Slice:
		element := value.Type().Elem()
		size += value.Cap() * int(element.Size())
		if element.Kind() == reflect.Uint8 {
			break
		}
		for i := range value.Len() {
			size += sizeOf(value.Index(i)) - int(element.Size())
		}
	case reflect.Map:
		if value.Len() == 0 {
			break
		}
		// A map has room for eight entries at least, and may be half empty.
		entry := int(value.Type().Key().Size()) + int(value.Type().Elem().Size())
		size += max(8, 2*value.Len()) * entry
		for entries := value.MapRange(); entries.Next(); {
			size += sizeOf(entries.Key()) + sizeOf(entries.Value()) - entry
		}
	default: // a number, which has nothing else
	}
	return size
}

// version tells versions of what the cache leaves out of an NSM apart.
type version struct {
	uid        types.UID
	generation int64
	mark       string
}

func versionIn(nsm *nsmv1beta1.NSM) version {
	return version{uid: nsm.UID, generation: nsm.Generation, mark: nsm.Annotations[conversion.Annotation]}
}

// rest is what the cache leaves out of an NSM.
type rest struct {
	version
	spec nsmv1beta1.NSMSpec
	// annotation is conversion's; "" for none.
	annotation string
}

// complete fills in what the cache leaves out of an NSM. It reports whether there still
// is such an NSM to act on: otherwise the loop will be woken.
func (r *NSMReconciler) complete(ctx context.Context, nsm *nsmv1beta1.NSM) (bool, error) {
	remembered := r.memories.of(nsm)
	if !isAbridged(nsm) {
		remembered.uncached = nil
		return true, nil
	}
	if remembered.uncached != nil && remembered.uncached.version == versionIn(nsm) {
		remembered.uncached.fill(nsm)
		return true, nil
	}
	live := &nsmv1beta1.NSM{}
	if err := r.direct.Get(ctx, client.ObjectKeyFromObject(nsm), live); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	if live.UID != nsm.UID || live.DeletionTimestamp != nil {
		return false, nil
	}
	found := &rest{spec: live.Spec, annotation: live.Annotations[conversion.Annotation]}
	cached := live.DeepCopy()
	if _, err := abridge(cached); err != nil {
		return false, err
	}
	found.version = versionIn(cached)
	remembered.uncached = found
	// It may be newer than what is cached, in all of it.
	*nsm = *cached
	found.fill(nsm)
	return true, nil
}

func (r *rest) fill(nsm *nsmv1beta1.NSM) {
	nsm.Spec = *r.spec.DeepCopy()
	delete(nsm.Annotations, conversion.Annotation)
	if r.annotation != "" {
		metav1.SetMetaDataAnnotation(&nsm.ObjectMeta, conversion.Annotation, r.annotation)
	}
}

// newInformer lists NSMs in small pages, which are abridged before the next one is
// read. That matters with API servers that do not stream lists (before Kubernetes
// 1.34 as a rule): the list of ten thousand NSMs may take more memory than the
// operator has.
func newInformer(from toolscache.ListerWatcher, kind runtime.Object, resync time.Duration, indexers toolscache.Indexers) toolscache.SharedIndexInformer {
	if _, isNSM := kind.(*nsmv1beta1.NSM); isNSM {
		lister := toolscache.ToListerWatcherWithContext(from)
		from = &toolscache.ListWatch{
			ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
				return listInPages(ctx, lister, options)
			},
			WatchFuncWithContext: lister.WatchWithContext,
		}
	}
	return toolscache.NewSharedIndexInformer(from, kind, resync, indexers)
}

func listInPages(ctx context.Context, from toolscache.ListerWithContext, options metav1.ListOptions) (runtime.Object, error) {
	// The API server's own cache, which a version would be for, knows no pages.
	options.ResourceVersion, options.ResourceVersionMatch, options.Limit = "", "", nsmPage
	all := &nsmv1beta1.NSMList{}
	for {
		listed, err := from.ListWithContext(ctx, options)
		if err != nil {
			return nil, err
		}
		page, isPage := listed.(*nsmv1beta1.NSMList)
		if !isPage {
			return listed, nil
		}
		for i := range page.Items {
			if _, err := abridge(&page.Items[i]); err != nil {
				return nil, err
			}
		}
		all.Items, all.ListMeta = append(all.Items, page.Items...), page.ListMeta
		if options.Continue = page.Continue; options.Continue == "" {
			return all, nil
		}
	}
}
