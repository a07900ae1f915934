// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package deploy

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

const (
	operatorNamespace = "nsm-operator-system"
	operatorName      = "nsm-operator"
	spireNamespace    = "spire"

	kindDefinition = "CustomResourceDefinition"
	kindNamespace  = "Namespace"

	// labelMadeBy and madeByDeploy mark what is not the operator's and was made by this
	// program, so that it is removed by it, and nothing else is.
	labelMadeBy  = "app.kubernetes.io/managed-by"
	madeByDeploy = "make-deploy"
	// annotationStorage of SPIRE's server is the storage that it was installed with.
	annotationStorage = "nsm.networkservicemesh.io/spire-storage"
)

type objects []*unstructured.Unstructured

// manifests are what is applied, in the order in which it is.
type manifests struct {
	// spireDefinitions, spire and spireAgents are empty without a SPIRE of our own.
	spireDefinitions, spire, spireAgents objects
	definitions, operator                objects
	// mesh is the namespace of a mesh.
	mesh objects
}

// render has kustomize build the manifests, and applies the settings to them.
func render(ctx context.Context, s *Settings) (*manifests, error) {
	m := &manifests{}
	if s.Spire == spireLab {
		if err := m.renderSpire(ctx, s); err != nil {
			return nil, err
		}
	}
	all, err := s.build(ctx, "default")
	if err != nil {
		return nil, err
	}
	for _, object := range all {
		if object.GetKind() == kindDefinition {
			m.definitions = append(m.definitions, object)
			continue
		}
		setImage(object, s.Image)
		m.operator = append(m.operator, object)
	}
	if m.mesh, err = s.build(ctx, "mesh"); err != nil {
		return nil, err
	}
	for _, object := range m.mesh {
		if object.GetKind() == kindNamespace {
			object.SetName(s.Namespace)
		} else {
			object.SetNamespace(s.Namespace)
		}
	}
	return m, nil
}

func (m *manifests) renderSpire(ctx context.Context, s *Settings) error {
	var err error
	if m.spireDefinitions, err = s.build(ctx, "spire", "crd"); err != nil {
		return err
	}
	all, err := s.build(ctx, "spire", s.storageDirectory())
	if err != nil {
		return err
	}
	for _, option := range []struct {
		directory string
		isWanted  bool
	}{{"csi", s.CSI}, {"federation", s.Federation}} {
		if !option.isWanted {
			continue
		}
		more, err := s.build(ctx, "spire", option.directory)
		if err != nil {
			return err
		}
		all = append(all, more...)
	}
	for _, object := range all {
		setRegistry(object, s.Registry)
		switch {
		case object.GetKind() == "ConfigMap" && object.GetName() == "spire-settings":
			_ = unstructured.SetNestedField(object.Object, s.TrustDomain, "data", "trustDomain")
		case object.GetKind() == "DaemonSet":
			setKubeletDirectory(object, cmp.Or(s.Kubelet, mesh.UsualKubeletDirectory))
			m.spireAgents = append(m.spireAgents, object)
			continue
		}
		m.spire = append(m.spire, object)
	}
	return nil
}

// all of them, in their order.
func (m *manifests) all() objects {
	var all objects
	for _, some := range []objects{m.spireDefinitions, m.definitions, m.spire, m.spireAgents, m.mesh, m.operator} {
		all = append(all, some...)
	}
	return all
}

// build runs kustomize on a directory below that of the manifests.
func (s *Settings) build(ctx context.Context, directory ...string) (objects, error) {
	path := filepath.Join(append([]string{s.Config}, directory...)...)
	var stdout, stderr bytes.Buffer
	command := exec.CommandContext(ctx, s.Kustomize, "build", path)
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("kustomize build %s: %w: %s", path, err, strings.TrimSpace(stderr.String()))
	}
	return decode(&stdout)
}

// decode reads the objects of a stream of YAML documents.
func decode(stream io.Reader) (objects, error) {
	var all objects
	decoder := yaml.NewYAMLOrJSONDecoder(stream, 4096)
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(object)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		if len(object.Object) > 0 {
			all = append(all, object)
		}
	}
}

// setImage sets the image of the operator's Deployment.
func setImage(object *unstructured.Unstructured, image string) {
	if image != "" && object.GetKind() == "Deployment" {
		eachContainer(object, func(container map[string]any) { container["image"] = image })
	}
}

// setRegistry takes all images of a workload from one registry, by their names alone.
func setRegistry(object *unstructured.Unstructured, registry string) {
	if registry == "" {
		return
	}
	eachContainer(object, func(container map[string]any) {
		image := fmt.Sprint(container["image"])
		container["image"] = registry + image[strings.LastIndex(image, "/"):]
	})
}

// setKubeletDirectory moves all paths below the usual directory of the kubelet to
// another one, on the node and in the containers alike: the kubelet sends full paths.
func setKubeletDirectory(object *unstructured.Unstructured, directory string) {
	moved := func(text string) string {
		return strings.ReplaceAll(text, mesh.UsualKubeletDirectory, strings.TrimSuffix(directory, "/"))
	}
	eachContainer(object, func(container map[string]any) {
		args, _, _ := unstructured.NestedStringSlice(container, "args")
		for i := range args {
			args[i] = moved(args[i])
		}
		_ = unstructured.SetNestedStringSlice(container, args, "args")
		mounts, _, _ := unstructured.NestedSlice(container, "volumeMounts")
		for _, mount := range mounts {
			if mount, isMap := mount.(map[string]any); isMap {
				mount["mountPath"] = moved(fmt.Sprint(mount["mountPath"]))
			}
		}
		_ = unstructured.SetNestedSlice(container, mounts, "volumeMounts")
	})
	volumes, _, _ := unstructured.NestedSlice(object.Object, "spec", "template", "spec", "volumes")
	for _, volume := range volumes {
		if volume, isMap := volume.(map[string]any); isMap {
			if path, found, _ := unstructured.NestedString(volume, "hostPath", "path"); found {
				_ = unstructured.SetNestedField(volume, moved(path), "hostPath", "path")
			}
		}
	}
	_ = unstructured.SetNestedSlice(object.Object, volumes, "spec", "template", "spec", "volumes")
}

// eachContainer changes the containers of a workload, those that only begin it included.
func eachContainer(object *unstructured.Unstructured, change func(container map[string]any)) {
	for _, kind := range []string{"initContainers", "containers"} {
		fields := []string{"spec", "template", "spec", kind}
		containers, isThere, _ := unstructured.NestedSlice(object.Object, fields...)
		if !isThere {
			continue
		}
		for _, container := range containers {
			if container, isMap := container.(map[string]any); isMap {
				change(container)
			}
		}
		_ = unstructured.SetNestedSlice(object.Object, containers, fields...)
	}
}

// Installer writes what up would apply into one file.
func Installer(ctx context.Context, s *Settings) error {
	m, err := render(ctx, s)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	// Namespaces and definitions come first, so that all else finds them.
	for _, early := range []bool{true, false} {
		for _, object := range m.all() {
			if isEarly := object.GetKind() == kindNamespace || object.GetKind() == kindDefinition; isEarly != early {
				continue
			}
			content, err := sigsyaml.Marshal(object.Object)
			if err != nil {
				return err
			}
			text.WriteString("---\n")
			text.Write(content)
		}
	}
	if err := os.MkdirAll(filepath.Dir(s.Out), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(s.Out, text.Bytes(), 0o644); err != nil {
		return err
	}
	fmt.Printf("%s: apply it with kubectl apply --server-side -f %s\n", s.Out, s.Out)
	return nil
}
