// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh

import (
	"path"
	"slices"

	corev1 "k8s.io/api/core/v1"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

const (
	// configDirectory holds the configuration files that come from ConfigMaps.
	configDirectory = "/etc/nsm/config"

	sriovConfigVolume    = "sriov-config"
	deviceSelectorVolume = "device-selector"
)

// ConfigFile is a configuration file of a forwarder that comes from a ConfigMap
// in the mesh's namespace.
type ConfigFile struct {
	// Forwarder that reads it, by name.
	Forwarder string
	// Annotation of the forwarder's pods that holds the hash of the file: with
	// another one they are replaced, for a forwarder reads its files when it starts.
	Annotation string
	// ConfigMap and Key hold the file.
	ConfigMap, Key string
}

// HashIn is the hash of the file in its ConfigMap; false where it is not in there.
func (f ConfigFile) HashIn(configMap *corev1.ConfigMap) (hash string, isThere bool) {
	content, isThere := configMap.BinaryData[f.Key]
	if text, isText := configMap.Data[f.Key]; isText {
		content, isThere = []byte(text), true
	}
	return Fingerprint(content), isThere
}

// ConfigFiles lists the configuration files of a mesh that come from ConfigMaps.
func ConfigFiles(spec *nsmv1beta1.NSMSpec) []ConfigFile {
	var files []ConfigFile
	for _, forwarder := range Forwarders(spec) {
		for _, file := range forwarderFiles(forwarderKinds[forwarder.Type], forwarder) {
			if file.source.ConfigMap != nil {
				files = append(files, file.exported(forwarderName(forwarder)))
			}
		}
	}
	return files
}

// configFile is a configuration file of a forwarder and the variable that names it.
type configFile struct {
	volume, env string
	source      nsmv1beta1.FileSource
}

func forwarderFiles(kind forwarderKind, spec nsmv1beta1.ForwarderSpec) []configFile {
	var files []configFile
	if spec.SRIOVConfig != nil {
		files = append(files, configFile{sriovConfigVolume, "NSM_SRIOV_CONFIG_FILE", *spec.SRIOVConfig})
	}
	if spec.DeviceSelector != nil && kind.deviceSelectorEnv != "" {
		files = append(files, configFile{deviceSelectorVolume, kind.deviceSelectorEnv, *spec.DeviceSelector})
	}
	return files
}

func (f configFile) exported(forwarder string) ConfigFile {
	return ConfigFile{
		Forwarder: forwarder, Annotation: "nsm.networkservicemesh.io/" + f.volume + "-hash",
		ConfigMap: f.source.ConfigMap.Name, Key: f.source.ConfigMap.Key,
	}
}

// path of the file in the container.
func (f configFile) path() string {
	if f.source.ConfigMap != nil {
		return path.Join(configDirectory, f.volume, f.source.ConfigMap.Key)
	}
	return f.source.HostPath
}

// mounted is the volume of the file, or nothing where the forwarder has the
// file's directory anyway.
func (f configFile) mounted() (*corev1.Volume, *corev1.VolumeMount) {
	if f.source.ConfigMap != nil {
		volume := corev1.Volume{Name: f.volume, VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: f.source.ConfigMap.Name},
		}}}
		return &volume, &corev1.VolumeMount{Name: f.volume, MountPath: path.Join(configDirectory, f.volume), ReadOnly: true}
	}
	if path.Dir(f.source.HostPath) == nsmDirectory {
		return nil, nil
	}
	volume := hostPath(f.volume, f.source.HostPath, corev1.HostPathFile)
	return &volume, &corev1.VolumeMount{Name: f.volume, MountPath: f.source.HostPath, ReadOnly: true}
}

// addFiles mounts the configuration files into the forwarder's container, and
// notes their hashes on the pods.
func (p part) addFiles(template *corev1.PodTemplateSpec, files []configFile) {
	container := &template.Spec.Containers[0]
	for _, file := range files {
		volume, mount := file.mounted()
		if volume != nil && !isMounted(*container, mount.MountPath) {
			template.Spec.Volumes = append(template.Spec.Volumes, *volume)
			container.VolumeMounts = append(container.VolumeMounts, *mount)
		}
		if file.source.ConfigMap == nil {
			continue
		}
		exported := file.exported(p.name)
		if hash := p.FileHashes[exported]; hash != "" {
			template.Annotations = mergeMaps(template.Annotations, map[string]string{exported.Annotation: hash})
		}
	}
}

// isMounted reports whether a container has the path: two files may be one.
func isMounted(container corev1.Container, path string) bool {
	return slices.ContainsFunc(container.VolumeMounts, func(mount corev1.VolumeMount) bool { return mount.MountPath == path })
}
