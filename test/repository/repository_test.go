// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package repository_test checks what no compiler reads: the Dockerfile, the workflows and
// the list of commands.
package repository_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	utilversion "k8s.io/apimachinery/pkg/util/version"
	"sigs.k8s.io/yaml"

	"github.com/networkservicemesh/nsm-operator/internal/preflight"
)

const (
	root   = "../.."
	module = "github.com/networkservicemesh/nsm-operator"
)

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The Dockerfile copies, and .dockerignore lets in, every package that the operator and the plugin are built from.
func TestImageIsBuiltFromAllPackages(t *testing.T) {
	t.Parallel()
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{.ImportPath}}", ".", "./cmd/kubectl-nsm")
	list.Dir = root
	output, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	copied := regexp.MustCompile(`(?m)^COPY ((?:[a-z]+/)+) `).FindAllStringSubmatch(read(t, "Dockerfile"), -1)
	let := regexp.MustCompile(`(?m)^!([a-z/]+)$`).FindAllStringSubmatch(read(t, ".dockerignore"), -1)
	var packages int
	for imported := range strings.FieldsSeq(string(output)) {
		directory, isOurs := strings.CutPrefix(imported, module+"/")
		if !isOurs {
			continue
		}
		packages++
		isUnder := func(found []string) bool {
			return strings.HasPrefix(directory+"/", strings.TrimSuffix(found[1], "/")+"/")
		}
		if !slices.ContainsFunc(copied, isUnder) {
			t.Errorf("the Dockerfile does not copy %s", directory)
		}
		if !slices.ContainsFunc(let, isUnder) {
			t.Errorf(".dockerignore leaves out %s", directory)
		}
	}
	if packages < 10 {
		t.Errorf("%d packages", packages)
	}
}

// docs/design.md shows which packages of internal import which.
func TestImportsAreAsDesigned(t *testing.T) {
	t.Parallel()
	list := exec.CommandContext(t.Context(), "go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./internal/...")
	list.Dir = root
	output, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	var edges []string
	for line := range strings.Lines(string(output)) {
		var of []string
		for imported := range strings.FieldsSeq(line) {
			if name, isOurs := strings.CutPrefix(imported, module+"/internal/"); isOurs {
				of = append(of, name)
			}
		}
		if len(of) > 1 {
			edges = append(edges, fmt.Sprintf("%-12s  %s\n", of[0], strings.Join(of[1:], ", ")))
		}
	}
	if page := "```text\n" + strings.Join(edges, "") + "```\n"; !strings.Contains(read(t, "docs/design.md"), page) {
		t.Errorf("docs/design.md lacks this block:\n%s", page)
	}
}

// The image for must-gather has what oc calls in it, and the operator's stays the one that is built where no other is
// asked for.
func TestImages(t *testing.T) {
	t.Parallel()
	stages := strings.Split(read(t, "Dockerfile"), "\nFROM ")
	if last := stages[len(stages)-1]; !strings.HasPrefix(last, "scratch\n") || !strings.Contains(last, `ENTRYPOINT ["/manager"]`) {
		t.Error("the last image of the Dockerfile is not the operator's")
	}
	at := slices.IndexFunc(stages, func(stage string) bool { return strings.Contains(strings.SplitN(stage, "\n", 2)[0], " AS must-gather") })
	if at < 0 {
		t.Fatal("no image is called must-gather")
	}
	for _, part := range []string{
		"install_weak_deps=0 bash gawk gzip procps-ng rsync tar &&", "for program in awk bash cat df du gzip mkdir pkill rsync sleep sync tar;", " /usr/bin/kubectl-nsm\n", "config/must-gather/gather /usr/bin/gather\n",
	} {
		if !strings.Contains(stages[at], part) {
			t.Errorf("the image for must-gather has no %q", part)
		}
	}
	if info, err := os.Stat(filepath.Join(root, "config", "must-gather", "gather")); err != nil || info.Mode().Perm()&0o111 != 0o111 {
		t.Errorf("config/must-gather/gather cannot be executed: %v", err)
	}
}

// targets of the Makefile, those of other files that it includes left out.
func targets(t *testing.T) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	for _, found := range regexp.MustCompile(`(?m)^\.PHONY: ([a-z0-9-]+)$`).FindAllStringSubmatch(read(t, "Makefile"), -1) {
		all[found[1]] = true
	}
	if len(all) < 20 {
		t.Fatalf("the Makefile has %d targets", len(all))
	}
	return all
}

// Every workflow is YAML, has the rights that it needs and no more, pins each action by commit, and
// runs commands that there are.
func TestWorkflows(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(root, ".github", "workflows", "*.yaml"))
	if err != nil || len(files) < 3 {
		t.Fatal(files, err)
	}
	pinnedAction := regexp.MustCompile(`^[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var workflow struct {
			Permissions map[string]string `json:"permissions"`
			Jobs        map[string]any    `json:"jobs"`
		}
		if err := yaml.Unmarshal(text, &workflow); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if !maps.Equal(workflow.Permissions, map[string]string{"contents": "read"}) || len(workflow.Jobs) == 0 {
			t.Errorf("%s: permissions %v of all jobs, %d jobs", file, workflow.Permissions, len(workflow.Jobs))
		}
		for _, used := range regexp.MustCompile(`(?m)uses: (.*)$`).FindAllStringSubmatch(string(text), -1) {
			if !pinnedAction.MatchString(used[1]) {
				t.Errorf("%s: %q is not pinned by commit, with its version beside it", file, used[1])
			}
		}
		expectTargets(t, file, string(text))
	}
}

// The releases of Kubernetes that docs/requirements.md calls tested are the one that each change is
// tested with, and those of the nightly job.
func TestKubernetesReleasesAreTested(t *testing.T) {
	t.Parallel()
	kubernetes := pinned(t, "hack/localcluster/go.mod", "k8s.io/kubernetes")
	page := read(t, "docs/requirements.md")
	_, section, _ := strings.Cut(page, "\n## Kubernetes releases\n")
	section, _, _ = strings.Cut(section, "\n## ")
	nightly := map[string]bool{}
	for _, command := range jobsOf(t, "nightly.yaml")["nightly"].Strategy.Matrix.Command {
		if release, isOther := strings.CutPrefix(command, "make test-compat K8S=v"); isOther {
			nightly[release] = true
			if _, said, _ := strings.Cut(section, "A nightly job"); !strings.Contains(said, release) {
				t.Errorf("docs/requirements.md does not say that a nightly job tests %s", release)
			}
		}
	}
	if len(nightly) == 0 {
		t.Error("no other release is tested at night")
	}
	tested := map[string]bool{}
	var minors []string
	for _, row := range regexp.MustCompile(`(?m)^\| ([0-9., ]+) \| ([^|]*) \|`).FindAllStringSubmatch(section, -1) {
		for release := range strings.SplitSeq(row[1], ", ") {
			parts := strings.Split(release, ".")
			minors = append(minors, strings.Join(parts[:2], "."))
			isNot := strings.HasPrefix(row[2], "not yet")
			if isAll := row[2] == "everything, with each change"; isAll != (release == kubernetes) {
				t.Errorf("%s: %q, and each change is tested with %s", release, row[2], kubernetes)
			}
			if isNot == (len(parts) == 3) {
				t.Errorf("%s: %q", release, row[2])
			}
			if !isNot && release != kubernetes {
				tested[release] = true
			}
		}
	}
	if !maps.Equal(tested, nightly) {
		t.Errorf("docs/requirements.md says that these are tested: %v, and the nightly job tests %v", tested, nightly)
	}
	// No minor release is left out.
	var want []string
	oldest, newest := utilversion.MustParseGeneric(preflight.OldestKubernetes), utilversion.MustParseGeneric(kubernetes)
	for minor := oldest.Minor(); minor <= newest.Minor(); minor++ {
		want = append(want, fmt.Sprintf("%d.%d", newest.Major(), minor))
	}
	if slices.Sort(minors); !slices.Equal(minors, want) {
		t.Errorf("docs/requirements.md lists %v, not %v", minors, want)
	}
}

// expectTargets checks the targets of make that a text calls for.
func expectTargets(t *testing.T, where, text string) {
	t.Helper()
	for _, command := range regexp.MustCompile(`\bmake(?: -s)?((?: [a-z][a-z0-9-]*)+)`).FindAllStringSubmatch(text, -1) {
		for target := range strings.FieldsSeq(command[1]) {
			if !targets(t)[target] {
				t.Errorf("%s: %q, and there is no target %s", where, strings.TrimSpace(command[0]), target)
			}
		}
	}
}

// A release names the image for must-gather by its digest in each bundle that it makes: whoever
// mirrors a catalog gets that image then, and no other one. In the repository the digest is not
// known, and the tag is there.
func TestReleaseNamesMustGatherByDigest(t *testing.T) {
	t.Parallel()
	const repository = "ghcr.io/networkservicemesh/nsm-operator-must-gather"
	digest := "sha256:" + strings.Repeat("0", 64)
	for flags, want := range map[string]string{
		"": repository + ":v2.0.0", "MUST_GATHER_DIGEST=" + digest: repository + "@" + digest,
		"MUST_GATHER_IMG=localhost:5000/gather:v2.0.0 MUST_GATHER_DIGEST=" + digest: "localhost:5000/gather@" + digest,
	} {
		makes := exec.CommandContext(t.Context(), "make", append([]string{"--dry-run", "bundle", "VERSION=2.0.0"}, strings.Fields(flags)...)...)
		makes.Dir, makes.Env = root, append(os.Environ(), "MAKEFLAGS=")
		output, err := makes.CombinedOutput()
		if err != nil || !strings.Contains(string(output), "hack/bundle.sh 2.0.0 ghcr.io/networkservicemesh/nsm-operator:v2.0.0 "+want+" ") {
			t.Errorf("with %q the bundle does not name %s: %v\n%s", flags, want, err, output)
		}
	}
	release := read(t, ".github/workflows/release.yaml")
	pushed := strings.Index(release, "make -s must-gather-push")
	for _, target := range []string{"make release-files ", "make -s catalog-push "} {
		_, arguments, found := strings.Cut(release[max(pushed, 0):], target)
		line, _, _ := strings.Cut(arguments, "\n")
		if pushed < 0 || !found || !strings.Contains(line, `MUST_GATHER_DIGEST="$GATHER"`) {
			t.Errorf("release.yaml: %q does not get the digest of the image that was pushed before", target)
		}
	}
}

// The commands that the documents show exist.
func TestDocumentsNameCommandsThatExist(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	code := regexp.MustCompile("(?s)```.*?```|`[^`\n]+`")
	for _, page := range append(pages, filepath.Join(root, "README.md")) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range code.FindAllString(string(text), -1) {
			expectTargets(t, path.Base(page), block)
		}
	}
}

// The krew manifest names what the release has, and what krew takes.
func TestKrewManifest(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	platforms := []string{"darwin_arm64", "linux_amd64", "windows_amd64"}
	for _, platform := range platforms {
		if err := os.WriteFile(filepath.Join(directory, "kubectl-nsm_"+platform+".tar.gz"), []byte(platform), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	output, err := exec.CommandContext(t.Context(), filepath.Join(root, "hack", "krew.sh"), "2.0.0", directory).Output()
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct {
		Metadata struct {
			Name string `json:"name"`
		} `json:"metadata"`
		Spec struct {
			Version          string `json:"version"`
			ShortDescription string `json:"shortDescription"`
			Platforms        []struct {
				Selector struct {
					MatchLabels map[string]string `json:"matchLabels"`
				} `json:"selector"`
				URI    string `json:"uri"`
				SHA256 string `json:"sha256"`
				Bin    string `json:"bin"`
			} `json:"platforms"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal(output, &manifest); err != nil {
		t.Fatal(err)
	}
	spec := manifest.Spec
	if manifest.Metadata.Name != "nsm" || spec.Version != "v2.0.0" || len(spec.ShortDescription) == 0 || len(spec.ShortDescription) > 50 {
		t.Errorf("name %q, version %q, short description %q", manifest.Metadata.Name, spec.Version, spec.ShortDescription)
	}
	var found []string
	for _, platform := range spec.Platforms {
		name := platform.Selector.MatchLabels["os"] + "_" + platform.Selector.MatchLabels["arch"]
		found = append(found, name)
		isExe := strings.HasSuffix(platform.Bin, ".exe")
		if !strings.HasSuffix(platform.URI, "/v2.0.0/kubectl-nsm_"+name+".tar.gz") || len(platform.SHA256) != 64 || isExe != strings.HasPrefix(name, "windows") {
			t.Errorf("%+v", platform)
		}
	}
	if !slices.Equal(found, platforms) {
		t.Errorf("platforms %v", found)
	}
}

// Dependabot looks at each module, at the actions and at the images that others are built from.
func TestDependenciesAreUpdated(t *testing.T) {
	t.Parallel()
	var config struct {
		Version int `json:"version"`
		Updates []struct {
			Ecosystem   string   `json:"package-ecosystem"`
			Directory   string   `json:"directory"`
			Directories []string `json:"directories"`
			Schedule    struct {
				Interval string `json:"interval"`
			} `json:"schedule"`
		} `json:"updates"`
	}
	if err := yaml.Unmarshal([]byte(read(t, ".github/dependabot.yml")), &config); err != nil || config.Version != 2 {
		t.Fatal(config, err)
	}
	looked := map[string][]string{}
	for _, update := range config.Updates {
		if update.Schedule.Interval != "weekly" {
			t.Errorf("%s: %q", update.Ecosystem, update.Schedule.Interval)
		}
		for _, directory := range append(update.Directories, update.Directory) {
			if directory != "" {
				looked[update.Ecosystem] = append(looked[update.Ecosystem], directory)
			}
		}
	}
	list := exec.CommandContext(t.Context(), "git", "ls-files", "*go.mod", "*Dockerfile", ".github/workflows/*")
	list.Dir = root
	output, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	files := strings.Fields(string(output))
	if len(files) < 15 {
		t.Errorf("%d files: %v", len(files), files)
	}
	for _, file := range files {
		ecosystem, directory := "gomod", path.Dir("/"+file)
		switch {
		case strings.HasSuffix(file, "Dockerfile"):
			ecosystem = "docker"
		case strings.HasSuffix(file, ".yaml"):
			ecosystem, directory = "github-actions", "/"
		}
		if !slices.ContainsFunc(looked[ecosystem], func(pattern string) bool { is, _ := path.Match(pattern, directory); return is }) {
			t.Errorf("%s is not looked at: %s lists %v", file, ecosystem, looked[ecosystem])
		}
	}
}

// Whoever reports something, or changes something, finds out how.
func TestReportersAreTold(t *testing.T) {
	t.Parallel()
	const home = "https://github.com/networkservicemesh/nsm-operator/"
	linked := regexp.MustCompile(regexp.QuoteMeta(home) + `blob/main/([^\s)#]+)`)
	for _, form := range []string{"bug", "feature"} {
		text := read(t, ".github/ISSUE_TEMPLATE/"+form+".yaml")
		var template struct {
			Name        string `json:"name"`
			Description string `json:"description"`
			Body        []struct {
				Type       string         `json:"type"`
				ID         string         `json:"id"`
				Attributes map[string]any `json:"attributes"`
			} `json:"body"`
		}
		if err := yaml.Unmarshal([]byte(text), &template); err != nil || template.Name == "" || template.Description == "" {
			t.Errorf("%s: name %q, description %q: %v", form, template.Name, template.Description, err)
		}
		asked := map[string]bool{}
		for _, field := range template.Body {
			// GitHub refuses a form otherwise.
			isText := field.Type == "markdown" && field.ID == "" && field.Attributes["value"] != nil
			isField := slices.Contains([]string{"textarea", "input", "dropdown", "checkboxes"}, field.Type) && field.ID != "" && field.Attributes["label"] != nil
			if asked[field.ID] || !isText && !isField {
				t.Errorf("%s: %+v", form, field)
			}
			asked[field.ID] = field.ID != ""
		}
		if len(asked) < 2 {
			t.Errorf("%s asks for nothing", form)
		}
		for _, link := range linked.FindAllStringSubmatch(text, -1) {
			_ = read(t, link[1])
		}
	}
	for page, tells := range map[string]string{
		"SECURITY.md": home + "security/advisories/new", ".github/ISSUE_TEMPLATE/bug.yaml": home + "security/policy", "MAINTAINERS.md": "lazy consensus",
		".github/pull_request_template.md": "docs/contributing.md", "docs/contributing.md": "code-of-conduct.md", "docs/support-policy.md": "security fixes",
		".github/ISSUE_TEMPLATE/config.yml": "contact_links:",
	} {
		if !strings.Contains(read(t, page), tells) {
			t.Errorf("%s does not say %q", page, tells)
		}
	}
}
