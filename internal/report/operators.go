// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/distribution/reference"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/utils/ptr"
)

// Operators are the installations of the operator in a cluster, as far as they could be
// read.
type Operators struct {
	// Deployments of the operator, in all namespaces.
	Deployments []appsv1.Deployment
	// Leases tell which replica leads, by namespace.
	Leases map[string]*coordinationv1.Lease
	// Members are the installations that work, as the CRD of NSMs lists them. The others
	// stand by.
	Members []Installation
	// SeesDeployments, SeesLeases and SeesMembers tell what could be read.
	SeesDeployments, SeesLeases, SeesMembers bool
	// NotSeen tells what could not be read, and why.
	NotSeen []string
}

// Installation is one that works.
type Installation struct {
	// Namespace of the operator itself.
	Namespace string
	// WatchNamespaces are the namespaces whose NSMs it acts on; none means all.
	WatchNamespaces []string
	// Version of the operator; "" where it does not tell.
	Version string
}

// actsOn reports whether an installation acts on the NSMs of a namespace.
func (i Installation) actsOn(namespace string) bool {
	return len(i.WatchNamespaces) == 0 || slices.Contains(i.WatchNamespaces, namespace)
}

// Operator is an installation of the operator.
type Operator struct {
	// Namespace of its Deployment.
	Namespace string `json:"namespace"`
	// Name of its Deployment.
	Name string `json:"name"`
	// Image of the operator.
	Image string `json:"image,omitempty"`
	// Version of the operator, such as v2.0.0; missing where it does not tell.
	Version string `json:"version,omitempty"`
	// WatchNamespaces are the namespaces whose NSMs it acts on; missing for all.
	WatchNamespaces []string `json:"watchNamespaces,omitempty"`
	// StandsBy: another installation works in its place.
	StandsBy bool `json:"standsBy,omitempty"`
	// Ready is how many of its pods are ready.
	Ready int32 `json:"ready"`
	// Desired is how many pods it should have.
	Desired int32 `json:"desired"`
	// Leader is the replica that leads; missing for none, or where that is not seen.
	Leader string `json:"leader,omitempty"`
}

// Of are the installations that may act on the NSMs of a namespace: one, unless there is
// none, or it cannot be told which one does.
func (o *Operators) Of(namespace string) []Installation {
	for _, member := range o.Members {
		if member.actsOn(namespace) {
			return []Installation{member} // two that work never act on the same one
		}
	}
	if len(o.Members) > 0 {
		return nil
	}
	var all, ready []Installation
	for i := range o.Deployments {
		member := memberOf(&o.Deployments[i])
		if !member.actsOn(namespace) {
			continue
		}
		all = append(all, member)
		if o.Deployments[i].Status.ReadyReplicas > 0 {
			ready = append(ready, member)
		}
	}
	if len(ready) == 1 {
		return ready // one that stands by is not ready
	}
	return all
}

// watchFlag restricts an operator to some namespaces.
const watchFlag = "--watch-namespaces"

// memberOf a Deployment is what its flags, and the tag of its image, say.
func memberOf(deployment *appsv1.Deployment) Installation {
	member := Installation{Namespace: deployment.Namespace}
	for _, container := range deployment.Spec.Template.Spec.Containers {
		for i, arg := range container.Args {
			value, isFlag := strings.CutPrefix(arg, watchFlag+"=")
			if arg == watchFlag && i+1 < len(container.Args) {
				value, isFlag = container.Args[i+1], true
			}
			if isFlag && value != "" {
				member.WatchNamespaces = strings.Split(value, ",")
			}
		}
		member.Version = cmp.Or(member.Version, versionIn(container.Image))
	}
	return member
}

// versionIn an image's tag; "" for none.
func versionIn(image string) string {
	name, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return ""
	}
	tagged, isTagged := name.(reference.Tagged)
	if !isTagged {
		return ""
	}
	if _, err := version.ParseSemantic(tagged.Tag()); err != nil {
		return ""
	}
	return tagged.Tag()
}

// Verdict on the operators.
type Verdict struct {
	Operators []Operator
	// Broken tells what does not work, Others what is worth a word.
	Broken, Others []string
	// Versions tells of those of another version than the plugin's.
	Versions []string
}

// Judge the operators. Without a version, the plugin is compared with none.
func (o *Operators) Judge(plugin string, now time.Time) Verdict {
	verdict := Verdict{Operators: []Operator{}}
	for i := range o.Deployments {
		operator, broken := o.judge(&o.Deployments[i], now)
		verdict.Operators = append(verdict.Operators, operator)
		if operator.StandsBy {
			verdict.Others = append(verdict.Others, o.standsBy(operator.Namespace))
		} else if broken != "" {
			verdict.Broken = append(verdict.Broken, broken)
		}
	}
	if o.SeesDeployments && len(o.Deployments) == 0 {
		verdict.Broken = append(verdict.Broken,
			"no Deployment of the operator is found: unless it runs outside of the cluster, as with make run, nobody looks after the meshes")
	}
	members := o.Members
	if len(members) == 0 {
		for i := range o.Deployments {
			members = append(members, memberOf(&o.Deployments[i]))
		}
	}
	for _, member := range members {
		if differ(plugin, member.Version) {
			verdict.Versions = append(verdict.Versions, fmt.Sprintf("the operator in namespace %s is %s, and this plugin is %s: "+
				"take the plugin of the operator's version if something looks wrong", member.Namespace, member.Version, plugin))
		}
	}
	return verdict
}

// differ reports whether two versions do. One that is none is not compared.
func differ(a, b string) bool {
	first, errFirst := version.ParseSemantic(a)
	second, errSecond := version.ParseSemantic(b)
	return errFirst == nil && errSecond == nil && !first.EqualTo(second)
}

func (o *Operators) standsBy(namespace string) string {
	var working []string
	for _, member := range o.Members {
		working = append(working, member.Namespace)
	}
	return fmt.Sprintf("the operator in namespace %s stands by, because another installation works in this cluster, in namespace %s: "+
		"remove one of them, or restrict both to different namespaces with %s", namespace, strings.Join(working, ", "), watchFlag)
}

// leaseSlack is how long a Lease may be over until nobody leads: another replica takes
// it within some seconds.
const leaseSlack = time.Minute

// judge an installation, and tell what is broken; "" for nothing.
func (o *Operators) judge(deployment *appsv1.Deployment, now time.Time) (operator Operator, broken string) {
	member := memberOf(deployment)
	at := slices.IndexFunc(o.Members, func(m Installation) bool { return m.Namespace == deployment.Namespace })
	if at >= 0 {
		member.WatchNamespaces, member.Version = o.Members[at].WatchNamespaces, cmp.Or(o.Members[at].Version, member.Version)
	}
	operator = Operator{
		Namespace: deployment.Namespace, Name: deployment.Name, Version: member.Version, WatchNamespaces: member.WatchNamespaces,
		StandsBy: len(o.Members) > 0 && at < 0, Ready: deployment.Status.ReadyReplicas, Desired: ptr.Deref(deployment.Spec.Replicas, 1),
	}
	if containers := deployment.Spec.Template.Spec.Containers; len(containers) > 0 {
		operator.Image = containers[0].Image
	}
	lease := o.Leases[deployment.Namespace]
	leads := lease != nil && ptr.Deref(lease.Spec.HolderIdentity, "") != "" && lease.Spec.RenewTime != nil &&
		now.Before(lease.Spec.RenewTime.Add(time.Duration(ptr.Deref(lease.Spec.LeaseDurationSeconds, 15))*time.Second+leaseSlack))
	name := "the operator in namespace " + deployment.Namespace
	if leads {
		operator.Leader = *lease.Spec.HolderIdentity
	}
	switch {
	case operator.Ready == 0:
		return operator, name + fmt.Sprintf(" has no pod that is ready: meshes run on as they are; kubectl get pods -n %s", deployment.Namespace)
	case o.SeesLeases && !leads:
		return operator, name + " has no leader: meshes run on as they are; its log tells why"
	default:
		return operator, ""
	}
}
