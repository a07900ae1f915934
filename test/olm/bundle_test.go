// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package olm

import (
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	operatorsv1alpha1 "github.com/operator-framework/api/pkg/operators/v1alpha1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// packageName is the operator's in catalogs, and csvOf a version's name in them.
const packageName = "nsm-operator"

func csvOf(version string) string { return packageName + ".v" + version }

// The files of a bundle that the scenes change.
const (
	csvFile = "manifests/nsm-operator.clusterserviceversion.yaml"
	crdFile = "manifests/nsm.networkservicemesh.io_nsms.yaml"
)

// bundle is a directory as operator-sdk makes it.
type bundle struct {
	name      string
	directory string
}

// current is the bundle of this tree as it is.
func current() bundle {
	GinkgoHelper()
	return ofTree("bundle")
}

// bridge is that by which OLM gets to it from the published 1.8.0.
func bridge() bundle {
	GinkgoHelper()
	return ofTree("bridge")
}

func ofTree(name string) bundle {
	GinkgoHelper()
	b := bundle{directory: filepath.Join(root, name)}
	csv := read[operatorsv1alpha1.ClusterServiceVersion](b.directory, csvFile)
	b.name = csv.Name
	return b
}

// next is a later version than this tree's: the first, the second.
func next(n uint64) string {
	GinkgoHelper()
	version := read[operatorsv1alpha1.ClusterServiceVersion](current().directory, csvFile).Spec.Version
	version.Minor += n
	return version.String()
}

// release is what the bundle of this tree would be in another version, with the
// image of that version.
func release(version string) bundle {
	GinkgoHelper()
	from := current()
	to := from.copy(csvOf(version))
	old := read[operatorsv1alpha1.ClusterServiceVersion](from.directory, csvFile).Spec.Version.String()
	replace := strings.NewReplacer(from.name, to.name, operatorImages+"v"+old, operatorImages+"v"+version, "version: "+old, "version: "+version)
	path := filepath.Join(to.directory, csvFile)
	text, err := os.ReadFile(path)
	Expect(err).NotTo(HaveOccurred())
	Expect(os.WriteFile(path, []byte(replace.Replace(string(text))), 0o600)).To(Succeed())
	return to
}

// copy is a bundle that can be changed.
func (b bundle) copy(name string) bundle {
	GinkgoHelper()
	to := bundle{name: name, directory: filepath.Join(GinkgoT().TempDir(), name)}
	Expect(os.CopyFS(to.directory, os.DirFS(b.directory))).To(Succeed())
	return to
}

// changeCSV changes the bundle's CSV.
func (b bundle) changeCSV(change func(*operatorsv1alpha1.ClusterServiceVersion)) bundle {
	GinkgoHelper()
	changeFile(b.directory, csvFile, change)
	return b
}

// changeCRD changes the bundle's definition of NSMs.
func (b bundle) changeCRD(change func(*apiextensionsv1.CustomResourceDefinition)) bundle {
	GinkgoHelper()
	changeFile(b.directory, crdFile, change)
	return b
}

func changeFile[T any](directory, file string, change func(*T)) {
	GinkgoHelper()
	object := read[T](directory, file)
	change(&object)
	text, err := yaml.Marshal(object)
	Expect(err).NotTo(HaveOccurred())
	Expect(os.WriteFile(filepath.Join(directory, file), text, 0o600)).To(Succeed())
}

func read[T any](directory, file string) T {
	GinkgoHelper()
	text, err := os.ReadFile(filepath.Join(directory, file))
	Expect(err).NotTo(HaveOccurred())
	var object T
	Expect(yaml.UnmarshalStrict(text, &object)).To(Succeed(), file)
	return object
}
