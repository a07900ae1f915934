// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package repository_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// workflowStep is a step of a job on GitHub.
type workflowStep struct {
	ID              string            `json:"id"`
	Name            string            `json:"name"`
	Uses            string            `json:"uses"`
	Run             string            `json:"run"`
	If              string            `json:"if"`
	ContinueOnError any               `json:"continue-on-error"`
	With            map[string]any    `json:"with"`
	Env             map[string]string `json:"env"`
}

// workflowJob is a job on GitHub.
type workflowJob struct {
	Needs    string         `json:"needs"`
	Steps    []workflowStep `json:"steps"`
	Strategy struct {
		Matrix struct {
			Command []string `json:"command"`
		} `json:"matrix"`
	} `json:"strategy"`
}

// jobsOf a workflow.
func jobsOf(t *testing.T, name string) map[string]workflowJob {
	t.Helper()
	var workflow struct {
		Jobs map[string]workflowJob `json:"jobs"`
	}
	if err := yaml.Unmarshal([]byte(read(t, ".github/workflows/"+name)), &workflow); err != nil {
		t.Fatal(err)
	}
	return workflow.Jobs
}

// pushed are the images of a release: their repositories, by the target that pushes each.
var pushed = map[string]string{
	"release-image-push": "nsm-operator", "must-gather-push": "nsm-operator-must-gather",
	"bundle-push": "nsm-operator-bundle", "bridge-push": "nsm-operator-bundle", "catalog-push": "nsm-operator-catalog",
}

// registry of the released images.
const registry = "ghcr.io/networkservicemesh/"

// digestOf the image that a target pushes, in these tests.
func digestOf(target string) string {
	number := slices.Index(slices.Sorted(maps.Keys(pushed)), target) + 1
	return "sha256:" + strings.Repeat(fmt.Sprint(number), 64)
}

// imageOf a target, by its digest.
func imageOf(target string) string { return registry + pushed[target] + "@" + digestOf(target) }

// releaseRun is a run of the job that publishes, with stand-ins for all programs that it calls.
type releaseRun struct {
	directory string
	outputs   map[string]string
	// calls of the stand-ins and of attestations, in their order.
	calls []string
}

// standIn is a program that says how it was called, and does what case has for that.
const standIn = `#!/bin/bash
echo "$(basename "$0") $*" >>"$CALLS"
case "$(basename "$0") $*" in
%s
esac
`

// newReleaseRun is one of a release with these images. A program fails that is called with what
// the pattern of a shell matches.
func newReleaseRun(t *testing.T, targets []string, fails string) *releaseRun {
	t.Helper()
	r := &releaseRun{directory: t.TempDir(), outputs: map[string]string{}}
	cases := []string{`"make release-files"*) mkdir -p dist/release && touch dist/release/{SHA256SUMS,nsm-operator.yaml};;`}
	if fails != "" {
		cases = append([]string{fails + ") exit 1;;"}, cases...)
	}
	for target := range pushed {
		if slices.Contains(targets, target) {
			cases = append(cases, fmt.Sprintf(`*" %s"*) echo building; echo %s;;`, target, digestOf(target)))
		}
	}
	if err := os.Mkdir(filepath.Join(r.directory, "programs"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, program := range []string{"make", "cosign", "gh", "docker", "sudo"} {
		text := fmt.Sprintf(standIn, strings.Join(cases, "\n"))
		if err := os.WriteFile(filepath.Join(r.directory, "programs", program), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// expression of GitHub that names one value.
var expression = regexp.MustCompile(`\$\{\{ ([a-zA-Z_.]+) \}\}`)

// expand the expressions in a text.
func (r *releaseRun) expand(text string) string {
	return expression.ReplaceAllStringFunc(text, func(found string) string { return r.outputs[expression.FindStringSubmatch(found)[1]] })
}

// do a step as GitHub's runner does. Of other people's actions, only the one that attests counts.
func (r *releaseRun) do(t *testing.T, step *workflowStep) error {
	t.Helper()
	if output, isEmpty := strings.CutSuffix(step.If, " != ''"); isEmpty && r.outputs[output] == "" {
		return nil
	}
	if strings.HasPrefix(step.Uses, "actions/attest-build-provenance@") {
		r.calls = append(r.calls, fmt.Sprintf("attest %s@%s %v", step.With["subject-name"], r.expand(fmt.Sprint(step.With["subject-digest"])), step.With["push-to-registry"]))
	}
	if step.Run == "" {
		return nil
	}
	outputs, calls := filepath.Join(r.directory, "outputs"), filepath.Join(r.directory, "calls")
	command := exec.CommandContext(t.Context(), "bash", "-e", "-c", step.Run)
	command.Dir = r.directory
	command.Env = []string{
		"PATH=" + filepath.Join(r.directory, "programs") + ":" + os.Getenv("PATH"), "CALLS=" + calls, "GITHUB_OUTPUT=" + outputs,
		"GITHUB_REF_NAME=v2.0.0", "GITHUB_REPOSITORY=networkservicemesh/nsm-operator", "GITHUB_ACTOR=somebody",
		"GITHUB_WORKFLOW_REF=networkservicemesh/nsm-operator/.github/workflows/release.yaml@refs/tags/v2.0.0",
	}
	for name, value := range step.Env {
		command.Env = append(command.Env, name+"="+r.expand(value))
	}
	said, err := command.CombinedOutput()
	for _, line := range linesOf(t, calls) {
		r.calls = append(r.calls, strings.TrimSpace(line))
	}
	for _, line := range linesOf(t, outputs) {
		name, value, _ := strings.Cut(line, "=")
		r.outputs["steps."+step.ID+".outputs."+name] = value
	}
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", step.Name, err, said)
	}
	return nil
}

// linesOf a file, which is removed.
func linesOf(t *testing.T, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil
	}
	if err == nil {
		err = os.Remove(path)
	}
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

// expectOneAfter another: that there was one such call, after the one at an index. It returns its own.
func (r *releaseRun) expectOneAfter(t *testing.T, at int, call string) int {
	t.Helper()
	is := func(made string) bool { return made == call }
	i := slices.IndexFunc(r.calls, is)
	if i <= at || slices.ContainsFunc(r.calls[max(i, 0)+1:], is) {
		t.Errorf("not once, or too early: %s\n%s", call, strings.Join(r.calls, "\n"))
	}
	return i
}

// The job signs and attests each image that it pushes, by its digest, and verifies both. It drafts
// the release at its very end, with files whose checksums are signed.
func TestReleaseJob(t *testing.T) {
	t.Parallel()
	publish := jobsOf(t, "release.yaml")["publish"]
	const signer = " --certificate-oidc-issuer https://token.actions.githubusercontent.com" +
		" --certificate-identity https://github.com/networkservicemesh/nsm-operator/.github/workflows/release.yaml@refs/tags/v2.0.0"
	withoutBridge := slices.DeleteFunc(slices.Sorted(maps.Keys(pushed)), func(target string) bool { return target == "bridge-push" })
	for name, targets := range map[string][]string{"with the bridge": slices.Sorted(maps.Keys(pushed)), "after it": withoutBridge} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReleaseRun(t, targets, "")
			for i := range publish.Steps {
				if err := r.do(t, &publish.Steps[i]); err != nil {
					t.Fatal(err)
				}
			}
			last := -1
			for _, target := range targets {
				image := imageOf(target)
				signed := r.expectOneAfter(t, 0, "cosign sign --yes "+image)
				last = max(last, r.expectOneAfter(t, signed, "cosign verify "+image+signer))
				attested := r.expectOneAfter(t, 0, "attest "+image+" true")
				last = max(last, r.expectOneAfter(t, attested, "gh attestation verify oci://"+image+" --repo networkservicemesh/nsm-operator"))
			}
			const list, bundle = "dist/release/SHA256SUMS", "dist/release/SHA256SUMS.sigstore.json"
			files := r.expectOneAfter(t, 0, fmt.Sprintf("make release-files DIGEST=%s MUST_GATHER_DIGEST=%s", digestOf("release-image-push"), digestOf("must-gather-push")))
			signed := r.expectOneAfter(t, files, "cosign sign-blob --yes --bundle "+bundle+" "+list)
			last = max(last, r.expectOneAfter(t, signed, "cosign verify-blob --bundle "+bundle+signer+" "+list))
			notes := r.expectOneAfter(t, last, "make -s release-notes")
			drafted := r.expectOneAfter(t, notes, "gh release create v2.0.0 --draft --verify-tag --title v2.0.0 --notes-file dist/notes.md "+list+" dist/release/nsm-operator.yaml")
			if drafted != len(r.calls)-1 {
				t.Errorf("something happens after the release was drafted:\n%s", strings.Join(r.calls[drafted+1:], "\n"))
			}
			// Each image is pushed once, and nothing else is signed or attested.
			for kind, pattern := range map[string]string{"pushed": `^make -s [a-z-]+-push`, "signed": `^cosign sign `, "attested": `^attest `} {
				made := slices.DeleteFunc(slices.Clone(r.calls), func(call string) bool { return !regexp.MustCompile(pattern).MatchString(call) })
				want := len(targets)
				if kind == "pushed" {
					want = len(pushed) // the target for the bridge knows that there is none
				}
				if len(made) != want {
					t.Errorf("%s: %d images, not %d:\n%s", kind, len(made), want, strings.Join(made, "\n"))
				}
			}
		})
	}
}

// Nothing is drafted where a step before has failed, and nothing is pushed where a test has.
func TestReleaseJobEndsWhereSomethingFails(t *testing.T) {
	t.Parallel()
	publish := jobsOf(t, "release.yaml")["publish"]
	if publish.Needs != "test" {
		t.Errorf("publishing waits for the job %q", publish.Needs)
	}
	for i := range publish.Steps {
		step := &publish.Steps[i]
		isOfBridge := step.If == "steps.push.outputs.bridge != ''" && strings.Contains(fmt.Sprint(step.With["subject-digest"]), "outputs.bridge")
		if step.ContinueOnError != nil || (step.If != "" && !isOfBridge) {
			t.Errorf("step %q: if: %q, continue-on-error: %v", step.Name, step.If, step.ContinueOnError)
		}
	}
	failures := []string{
		`"make release-files"*`, `"cosign sign "*`, `"cosign verify "*`, `"gh attestation verify "*`, `"cosign sign-blob "*`, `"cosign verify-blob "*`,
		`"make -s release-notes"*`,
	}
	for target := range pushed {
		failures = append(failures, `"make -s `+target+`"*`)
	}
	for _, fails := range failures {
		t.Run(fails, func(t *testing.T) {
			t.Parallel()
			r := newReleaseRun(t, slices.Sorted(maps.Keys(pushed)), fails)
			var failed error
			for i := 0; i < len(publish.Steps) && failed == nil; i++ {
				failed = r.do(t, &publish.Steps[i])
			}
			if failed == nil || slices.ContainsFunc(r.calls, func(call string) bool { return strings.HasPrefix(call, "gh release ") }) {
				t.Errorf("it goes on:\n%s", strings.Join(r.calls, "\n"))
			}
		})
	}
}

// makeIn runs a target of the Makefile in a directory of its own, and returns what it prints.
func makeIn(t *testing.T, changelog string, args ...string) (string, error) {
	t.Helper()
	directory := t.TempDir()
	if err := os.WriteFile(filepath.Join(directory, "CHANGELOG.md"), []byte(changelog), 0o600); err != nil {
		t.Fatal(err)
	}
	makefile, err := filepath.Abs(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "make", append([]string{"-s", "-f", makefile, "-I", filepath.Dir(makefile)}, args...)...)
	command.Dir, command.Env = directory, append(os.Environ(), "MAKEFLAGS=")
	output, err := command.CombinedOutput()
	return string(output), err
}

// The notes of a release are what the changelog says of it, and of no other; where it says
// nothing, there is no release.
func TestReleaseNotes(t *testing.T) {
	t.Parallel()
	const changelog = "# Changelog\n\n## 2.1.0 (not yet released)\n\nSoon.\n\n## 2.0.0 (2026-12-01)\n\nA new operator.\n\n### Added\n\n- All.\n\n## 1.9.0 (2025-12-01)\n\n## 1.8.0 (2024-12-01)\n\n- Old.\n"
	for version, want := range map[string]string{
		"2.1.0": "\nSoon.\n\n", "2.0.0": "\nA new operator.\n\n### Added\n\n- All.\n\n", "1.9.0": "", "1.8.0": "\n- Old.\n", "2.0": "",
	} {
		notes, err := makeIn(t, changelog, "release-notes", "VERSION="+version)
		if want == "" {
			if err == nil {
				t.Errorf("%s: the notes are %q", version, notes)
			}
		} else if notes != want || err != nil {
			t.Errorf("%s: the notes are %q, not %q: %v", version, notes, want, err)
		}
	}
	if notes, err := makeIn(t, read(t, "CHANGELOG.md"), "release-notes"); err != nil || !strings.Contains(notes, "\n- ") || strings.Contains(notes, "\n## ") {
		t.Errorf("the notes of this version: %v\n%s", err, notes)
	}
}

// A tag is released that is the version of its tree, once the changelog has the day.
func TestReleaseCheck(t *testing.T) {
	t.Parallel()
	steps := jobsOf(t, "release.yaml")["test"].Steps
	isCheck := func(step workflowStep) bool { return step.Run == `make release-check TAG="$GITHUB_REF_NAME"` }
	isTest := func(step workflowStep) bool { return step.Run == "make test" }
	if !slices.ContainsFunc(steps, isCheck) || !slices.ContainsFunc(steps, isTest) {
		t.Error("the release job does not check the tag, or does not run the tests")
	}
	const dated, undated = "# Changelog\n\n## 2.0.0 (2026-12-01)\n\n- All.\n", "# Changelog\n\n## 2.0.0 (not yet released)\n\n- All.\n"
	for _, test := range []struct{ tag, changelog, says string }{
		{"v2.0.0", dated, ""},
		{"v2.0.1", dated, `the tag "v2.0.1" is not v2.0.0`},
		{"2.0.0", dated, `the tag "2.0.0" is not v2.0.0`},
		{"", dated, `the tag "" is not v2.0.0`},
		{"v2.0.0", undated, `no heading "## 2.0.0 (<date>)"`},
		{"v2.0.0", strings.ReplaceAll(dated, "2.0.0", "2.0.0-rc1"), `no heading "## 2.0.0 (<date>)"`},
	} {
		output, err := makeIn(t, test.changelog, "release-check", "VERSION=2.0.0", "TAG="+test.tag)
		if (err == nil) != (test.says == "") || !strings.Contains(output, test.says) {
			t.Errorf("tag %q: %v: %s", test.tag, err, output)
		}
	}
}

// Each image with a program in it is pushed for both architectures. The bundles have none.
func TestReleasedImagesAreForBothArchitectures(t *testing.T) {
	t.Parallel()
	for target, asks := range map[string]string{
		"release-image-push": " amd64=dist/manager-amd64 arm64=dist/manager-arm64\n",
		"must-gather-push":   "docker buildx build --platform linux/amd64,linux/arm64 --provenance=false --push --target must-gather ",
		"catalog-push":       "docker buildx build --platform linux/amd64,linux/arm64 --provenance=false --push -f catalog.Dockerfile ",
	} {
		makes := exec.CommandContext(t.Context(), "make", "--dry-run", target)
		makes.Dir, makes.Env = root, append(os.Environ(), "MAKEFLAGS=")
		output, err := makes.CombinedOutput()
		if err != nil || !strings.Contains(string(output), asks) {
			t.Errorf("%s does not say %q: %v\n%s", target, asks, err, output)
		}
	}
}
