package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// fullVersion is what --kubernetes takes: a release with its patch.
var fullVersion = regexp.MustCompile(`^v1\.\d+\.\d+$`)

// unpublished is the version that Kubernetes' go.mod gives its staging modules.
const unpublished = "v0.0.0"

// module is what the go command tells of a module, and of its go.mod.
type module struct {
	Path, Version, GoMod, Error string
}

// goMod is the part of a go.mod file that counts here.
type goMod struct {
	Go      string
	Require []module
}

// pinOther writes a module that pins another Kubernetes release into <out>/src, where the build then finds it. All
// versions but that one follow from it, so that there is nothing to commit. The checksum database vouches for them.
func (b *builder) pinOther() error {
	if !fullVersion.MatchString(b.kubernetes) {
		return fmt.Errorf("--kubernetes: %q is not a release such as v1.31.14", b.kubernetes)
	}
	b.src = filepath.Join(b.out, "src")
	if err := os.MkdirAll(b.src, 0o755); err != nil {
		return fmt.Errorf("directory for the pinned versions: %w", err)
	}
	path := filepath.Join(b.src, "go.mod")
	// It is written last, and the directory is that of one release.
	if _, err := os.Stat(filepath.Join(b.src, "go.sum")); err == nil {
		return nil
	}
	content, err := otherGoMod(b.src, b.kubernetes)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		return err
	}
	// It adds the other requirements to go.mod, and all of go.sum.
	list := append([]string{"list", "-mod=mod", "-deps", "-f", ""}, packages(ofKubernetes(binaries()))...)
	_, err = goOutput(b.src, list...)
	return err
}

// otherGoMod is the go.mod file for a Kubernetes release. Kubernetes' own replaces its staging modules by directories,
// which exist in its repository alone; here they are the published modules of the same release.
func otherGoMod(dir, version string) ([]byte, error) {
	of := kubernetes + "@" + version
	downloaded, err := downloadModules(dir, of)
	if err != nil {
		return nil, err
	}
	if downloaded[0].Error != "" {
		return nil, errors.New(downloaded[0].Error)
	}
	out, err := goOutput(dir, "mod", "edit", "-json", downloaded[0].GoMod)
	if err != nil {
		return nil, err
	}
	var mod goMod
	if err := json.Unmarshal(out, &mod); err != nil {
		return nil, fmt.Errorf("go.mod of %s: %w", of, err)
	}
	var names []string
	for _, required := range mod.Require {
		if required.Version == unpublished {
			names = append(names, required.Path)
		}
	}
	staging, err := stagingVersions(dir, version, names)
	if err != nil {
		return nil, err
	}
	var content bytes.Buffer
	fmt.Fprintf(&content, "// Made by \"localcluster build --kubernetes %s\".\nmodule compat\n\ngo %s\n\nrequire %s %s\n", version, mod.Go, kubernetes, version)
	for _, m := range staging {
		fmt.Fprintf(&content, "\nreplace %s => %[1]s %s", m.Path, m.Version)
	}
	return append(content.Bytes(), '\n'), nil
}

// stagingVersions finds the published version of each staging module: v0.X.Y for v1.X.Y. Some lack a patch release; then
// it is the one before.
func stagingVersions(dir, version string, staging []string) ([]module, error) {
	minor, last := splitVersion(version)
	var found []module
	for patch := last; patch >= 0 && len(staging) > 0; patch-- {
		var query []string
		for _, path := range staging {
			query = append(query, fmt.Sprintf("%s@v0.%s.%d", path, minor, patch))
		}
		modules, err := downloadModules(dir, query...)
		if err != nil {
			return nil, err
		}
		staging = nil
		for _, m := range modules {
			if m.Error == "" {
				found = append(found, m)
			} else {
				staging = append(staging, m.Path)
			}
		}
	}
	if len(staging) > 0 {
		return nil, fmt.Errorf("no release v0.%s.x of %s", minor, strings.Join(staging, ", "))
	}
	return found, nil
}

// splitVersion returns the 31 and the 14 of v1.31.14.
func splitVersion(version string) (minor string, patch int) {
	parts := strings.Split(version, ".")
	patch, _ = strconv.Atoi(parts[2]) // digits: fullVersion has matched
	return parts[1], patch
}

// downloadModules has the go command fetch modules. One that cannot be had is no error: it says so itself.
func downloadModules(dir string, versions ...string) ([]module, error) {
	out, err := goOutput(dir, append([]string{"mod", "download", "-json"}, versions...)...)
	if len(out) == 0 && err != nil {
		return nil, err
	}
	var modules []module
	for decoder := json.NewDecoder(bytes.NewReader(out)); decoder.More(); {
		var m module
		if err := decoder.Decode(&m); err != nil {
			return nil, fmt.Errorf("reading go mod download: %w", err)
		}
		modules = append(modules, m)
	}
	return modules, nil
}

// linkRest takes the programs that are not part of Kubernetes from where they are built.
func (b *builder) linkRest() error {
	for _, bin := range binaries() {
		if bin.module == kubernetes {
			continue
		}
		link := filepath.Join(b.out, bin.name)
		if err := os.Remove(link); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if err := os.Link(filepath.Join(b.rest, bin.name), link); err != nil {
			return fmt.Errorf("%s is to be built first: %w", bin.name, err)
		}
	}
	return nil
}

// ofKubernetes are the binaries that Kubernetes consists of.
func ofKubernetes(all []binary) []binary {
	return slices.DeleteFunc(all, func(bin binary) bool { return bin.module != kubernetes })
}

func packages(all []binary) []string {
	var names []string
	for _, bin := range all {
		names = append(names, bin.pkg)
	}
	return names
}
