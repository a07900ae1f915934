// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package repository_test

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/networkservicemesh/nsm-operator/test/release"
)

var (
	version = release.Version()
	bridge  = release.BridgeVersion()
)

// bundlesOf the community's catalogs, by their versions.
func bundlesOf() map[string][]string {
	if !release.HasBridge() {
		return map[string][]string{"community-operators": {version}, "community-operators-prod": {version}}
	}
	return map[string][]string{"community-operators": {version}, "community-operators-prod": {version, bridge}}
}

// updatesFromBridge is what leads from the bridge to a bundle.
var updatesFromBridge = regexp.MustCompile(`\n(  replaces: |    olm\.skipRange: ).*`)

// filesBelow a directory: their content, by their path in it.
func filesBelow(t *testing.T, directory string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		name, _ := filepath.Rel(directory, path)
		files[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// Each community catalog gets a folder that its pipeline takes as it is: what a bundle
// replaces is in the catalog, and people review.
func TestCommunityFolders(t *testing.T) {
	t.Parallel()
	directory := filepath.Join(t.TempDir(), "community")
	script := exec.CommandContext(t.Context(), "hack/community.sh", version, directory)
	if release.HasBridge() {
		script.Args = append(script.Args, bridge)
	}
	script.Dir = root
	if output, err := script.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	bundles := map[string]map[string]string{
		version: filesBelow(t, filepath.Join(root, "bundle")), bridge: filesBelow(t, filepath.Join(root, "bridge")),
	}
	for catalog, wanted := range bundlesOf() {
		found := filesBelow(t, filepath.Join(directory, catalog, "operators", "nsm-operator"))
		if found["ci.yaml"] != read(t, "config/community/ci.yaml") {
			t.Errorf("%s: ci.yaml is %q", catalog, found["ci.yaml"])
		}
		delete(found, "ci.yaml")
		for _, of := range wanted {
			for name, text := range bundles[of] {
				if catalog == "community-operators" && release.HasBridge() {
					text = updatesFromBridge.ReplaceAllString(text, "")
				}
				if path := filepath.Join(of, name); found[path] != text {
					t.Errorf("%s: %s is not what the bundle has", catalog, path)
				} else {
					delete(found, path)
				}
			}
		}
		for name := range found {
			t.Errorf("%s has %s as well", catalog, name)
		}
	}
	catalogs, err := os.ReadDir(directory)
	if err != nil || len(catalogs) != 2 {
		t.Errorf("%d folders: %v", len(catalogs), err)
	}
}

// A listed reviewer's pull request is merged without anybody else: maintainers are listed, and no bot.
func TestReviewersAreMaintainers(t *testing.T) {
	t.Parallel()
	var ci struct {
		Reviewers []string `json:"reviewers"`
	}
	if err := yaml.Unmarshal([]byte(read(t, "config/community/ci.yaml")), &ci); err != nil {
		t.Fatal(err)
	}
	var maintainers []string
	for _, row := range regexp.MustCompile(`(?m)^\| ([A-Za-z0-9-]+) \|`).FindAllStringSubmatch(read(t, "MAINTAINERS.md"), -1) {
		if row[1] != "---" {
			maintainers = append(maintainers, row[1])
		}
	}
	if len(maintainers) == 0 || !slices.Equal(ci.Reviewers, maintainers) {
		t.Errorf("ci.yaml lists %v, and MAINTAINERS.md %v", ci.Reviewers, maintainers)
	}
	for _, name := range maintainers {
		if strings.Contains(name, "bot") {
			t.Errorf("%s is no person", name)
		}
	}
}

// What the release job drafts is made here as well, for one architecture.
func TestReleaseFiles(t *testing.T) {
	t.Parallel()
	for _, directory := range []string{"config", "charts", "bundle", "bridge"} {
		filesBelow(t, filepath.Join(root, directory)) // so that go test knows what this depends on
	}
	digest := "sha256:" + strings.Repeat("0", 64)
	// The bundle is current: check-generated says so.
	command := exec.CommandContext(t.Context(), "make", "-s", "-o", "bundle", "release-files", "ARCHES="+runtime.GOARCH, "PLUGIN_SYSTEMS=linux", "DIGEST="+digest)
	command.Dir = root
	command.Env = append(os.Environ(), "MAKEFLAGS=")
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	files := filesBelow(t, filepath.Join(root, "dist", "release"))
	plugin := fmt.Sprintf("kubectl-nsm_linux_%s.tar.gz", runtime.GOARCH)
	chart := "nsm-operator-" + version + ".tgz"
	expectChecksums(t, files)

	image := "ghcr.io/networkservicemesh/nsm-operator:v" + version + "@" + digest
	if installer := files["nsm-operator.yaml"]; !strings.Contains(installer, "image: "+image+"\n") || !strings.Contains(installer, "kind: CustomResourceDefinition\n") ||
		!strings.Contains(installer, "/spire-server:") {
		t.Errorf("the installer does not name %s, or has no definitions, or not the lab's SPIRE", image)
	}
	if values := unpack(t, files[chart])["nsm-operator/values.yaml"]; !strings.Contains(values, `digest: "`+digest+`"`) {
		t.Errorf("the chart does not name %s", digest)
	}
	base := regexp.MustCompile(`(?m)^FROM (.*):(.*) AS must-gather$`).FindStringSubmatch(read(t, "Dockerfile"))
	expectSBOM(t, files, "nsm-operator", "nsm-operator-"+runtime.GOARCH, "sigs.k8s.io/controller-runtime")
	expectSBOM(t, files, "kubectl-nsm", "kubectl-nsm_linux_"+runtime.GOARCH, "k8s.io/cli-runtime")
	expectSBOM(t, files, "nsm-operator-must-gather", "nsm-operator-must-gather-"+runtime.GOARCH, "k8s.io/cli-runtime", base[1])
	if !json.Valid([]byte(files["grafana-dashboard.json"])) {
		t.Error("the dashboard is no JSON")
	}
	expectIn(t, files["community-operators.tar.gz"], "community/community-operators/operators/nsm-operator/ci.yaml")
	for _, of := range bundlesOf()["community-operators-prod"] {
		expectIn(t, files["community-operators.tar.gz"], "community/community-operators-prod/operators/nsm-operator/"+of+"/metadata/annotations.yaml")
	}
	expectIn(t, files[plugin], "./kubectl-nsm", "./LICENSE")
	if sum := fmt.Sprintf("%x", sha256.Sum256([]byte(files[plugin]))); !strings.Contains(files["nsm.krew.yaml"], sum) {
		t.Errorf("the krew manifest does not have the checksum of %s", plugin)
	}
	responder := slices.ContainsFunc(keys(files), func(name string) bool { return regexp.MustCompile(`^icmp-responder-.*\.tgz$`).MatchString(name) })
	if len(files) != 11 || !responder {
		t.Errorf("the release has %v", keys(files))
	}
}

// expectSBOM of a name, with packages in it, and that of the operator's own module in this version.
func expectSBOM(t *testing.T, files map[string]string, name, file string, packages ...string) {
	t.Helper()
	var document struct {
		SPDXVersion string `json:"spdxVersion"`
		Name        string `json:"name"`
		Packages    []struct {
			Name    string `json:"name"`
			Version string `json:"versionInfo"`
		} `json:"packages"`
	}
	if err := json.Unmarshal([]byte(files[file+".spdx.json"]), &document); err != nil {
		t.Errorf("%s: %v", file, err)
	}
	found := map[string]string{}
	for _, one := range document.Packages {
		found[one.Name] = one.Version
	}
	if document.SPDXVersion != "SPDX-2.3" || document.Name != name+"-"+version || found[module] != "v"+version {
		t.Errorf("%s: %s of %s, with %d packages", file, document.SPDXVersion, document.Name, len(found))
	}
	for _, one := range packages {
		if found[one] == "" {
			t.Errorf("%s does not list %s", file, one)
		}
	}
}

func keys(files map[string]string) []string {
	var names []string
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// expectChecksums of all files but that of the checksums.
func expectChecksums(t *testing.T, files map[string]string) {
	t.Helper()
	sums := strings.Split(strings.TrimSpace(files["SHA256SUMS"]), "\n")
	if len(sums) != len(files)-1 {
		t.Errorf("%d checksums of %d files", len(sums), len(files)-1)
	}
	for _, line := range sums {
		sum, name, _ := strings.Cut(line, "  ")
		if is := fmt.Sprintf("%x", sha256.Sum256([]byte(files[name]))); is != sum {
			t.Errorf("%s has the checksum %s, and %s is said", name, is, sum)
		}
	}
}

// unpack a compressed archive: its files, by their names in it.
func unpack(t *testing.T, archive string) map[string]string {
	t.Helper()
	unzipped, err := gzip.NewReader(strings.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for reader := tar.NewReader(unzipped); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = string(text)
	}
}

func expectIn(t *testing.T, archive string, names ...string) {
	t.Helper()
	files := unpack(t, archive)
	for _, name := range names {
		if files[name] == "" {
			t.Errorf("%s is not there: %v", name, keys(files))
		}
	}
}
