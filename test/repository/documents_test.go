// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package repository_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/networkservicemesh/nsm-operator/internal/release"
	"github.com/networkservicemesh/nsm-operator/test/documents"
)

// fence finds blocks of code: the tag of each, and what is in it.
var fence = regexp.MustCompile("(?ms)^ *```([^\n]*)\n(.*?)^ *```$")

// readPages are the pages for people, by their path.
func readPages(t *testing.T) map[string]string {
	t.Helper()
	pages, err := documents.Pages(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(pages) < 20 {
		t.Fatalf("%d documents", len(pages))
	}
	return pages
}

// Files that others link to: earlier releases had them, or a release has them from now on.
func TestDocumentsThatOthersLinkTo(t *testing.T) {
	t.Parallel()
	for _, page := range []string{
		"docs/development.md", "docs/requirements.md", "docs/openshift_olm_install.md", "docs/openshift_manual_install.md",
		"docs/k8s_olm_install.md", "docs/k8s_manual_install.md", "code-of-conduct.md", "LICENSE",

		"CHANGELOG.md", "MAINTAINERS.md", "SECURITY.md", "docs/contributing.md", "docs/support-policy.md",
		"docs/install.md", "docs/helm.md", "docs/gitops.md", "docs/olm_v1.md", "docs/disconnected.md", "docs/openshift.md", "docs/spire.md",
		"docs/resource.md", "docs/api-reference.md", "docs/upgrading.md", "docs/uninstall.md", "docs/faq.md",
		"docs/kubectl.md", "docs/metrics.md", "docs/performance.md", "docs/runbooks.md", "docs/security.md", "docs/support.md", "docs/test_cluster.md",
		"docs/troubleshooting.md",
	} {
		if len(read(t, page)) < 100 {
			t.Errorf("%s is empty", page)
		}
	}
}

// Somebody who starts at the README finds every page.
func TestEveryPageIsLinked(t *testing.T) {
	t.Parallel()
	pages := readPages(t)
	link := regexp.MustCompile(`\]\(([^)\s#]+)`)
	found, next := map[string]bool{}, []string{"README.md"}
	for len(next) > 0 {
		page := next[0]
		next = next[1:]
		if found[page] {
			continue
		}
		found[page] = true
		for _, to := range link.FindAllStringSubmatch(fence.ReplaceAllString(pages[page], ""), -1) {
			if target := filepath.Join(filepath.Dir(page), to[1]); pages[target] != "" {
				next = append(next, target)
			}
		}
	}
	for page := range pages {
		if !found[page] {
			t.Errorf("no link leads from the README to %s", page)
		}
	}
}

// Whoever meets SPIRE on a page finds out what it is for: by a link, or by a word on certificates and
// identities.
func TestSPIREIsExplained(t *testing.T) {
	t.Parallel()
	explained := regexp.MustCompile(`\]\((?:[^)\s]*/)?(?:spire\.md|openshift\.md#spire|faq\.md#what-is-spire-for)|SPIRE[^.|]*(?:certificate|identit)|(?:certificate|identit)[^.|]*SPIRE`)
	hidden := regexp.MustCompile(`(?s)<!--.*?-->`)
	named := 0
	for page, text := range readPages(t) {
		if !strings.HasPrefix(page, "docs/") && page != "README.md" && page != "charts/nsm-operator/README.md" {
			continue
		}
		if text = hidden.ReplaceAllString(fence.ReplaceAllString(text, ""), ""); !strings.Contains(text, "SPIRE") {
			continue
		}
		named++
		if !explained.MatchString(text) {
			t.Errorf("%s names SPIRE, and does not say what it is for", page)
		}
	}
	if named < 15 {
		t.Errorf("%d pages", named)
	}
}

// pinned is the version of a module that a go.mod of this repository has, without its "v".
func pinned(t *testing.T, file, module string) string {
	t.Helper()
	found := regexp.MustCompile(`(?m)^\t` + regexp.QuoteMeta(module) + ` v([0-9.]+)`).FindStringSubmatch(read(t, file))
	if found == nil {
		t.Fatalf("%s names no version of %s", file, module)
	}
	return found[1]
}

// Each quick start says when it last worked, and with which versions: those that the tests use.
func TestQuickStartsNameTheirVersions(t *testing.T) {
	t.Parallel()
	minor := func(version string) string { return version[:strings.LastIndex(version, ".")] }
	nsm := "NSM " + release.Newest().String()
	kubernetes := "Kubernetes " + pinned(t, "hack/localcluster/go.mod", "k8s.io/kubernetes")
	olm := "OLM " + pinned(t, "hack/tools/olm/go.mod", "github.com/operator-framework/operator-lifecycle-manager")
	helm := fmt.Sprintf("Helm %s and %s", minor(pinned(t, "hack/tools/helm/go.mod", "helm.sh/helm/v4")), minor(pinned(t, "hack/tools/helm/go.mod", "helm.sh/helm/v3")))
	laptop := fmt.Sprintf("NSM %s and %s", release.Oldest(), release.Newest())
	said := regexp.MustCompile(`(?s)\n\n\*([^\n*][^*]*)\*\n`)
	day := regexp.MustCompile(`[Ll]ast worked on (\d+ [A-Z][a-z]+ \d{4}),`)
	// For each page what its statements name, in their order.
	for page, wanted := range map[string][][]string{
		"README.md":                        {{kubernetes, laptop}, {kubernetes, nsm}, {kubernetes, nsm}},
		"docs/k8s_manual_install.md":       {{kubernetes, nsm}},
		"docs/k8s_olm_install.md":          {{kubernetes, nsm, olm}},
		"docs/openshift_manual_install.md": {{kubernetes, nsm}},
		"docs/openshift_olm_install.md":    {{kubernetes, nsm, olm}},
		"docs/helm.md":                     {{kubernetes, helm}},
	} {
		var statements []string
		for _, found := range said.FindAllStringSubmatch(read(t, page), -1) {
			if statement := strings.Join(strings.Fields(found[1]), " "); day.MatchString(statement) {
				statements = append(statements, statement)
			}
		}
		if len(statements) != len(wanted) {
			t.Errorf("%s says %d times when it last worked, not %d: %q", page, len(statements), len(wanted), statements)
			continue
		}
		for i, statement := range statements {
			if _, err := time.Parse("2 January 2006", day.FindStringSubmatch(statement)[1]); err != nil {
				t.Errorf("%s: %s: %v", page, statement, err)
			}
			for _, version := range wanted[i] {
				if !regexp.MustCompile(`\b` + regexp.QuoteMeta(version) + `($|[^0-9.]|\.[^0-9]|\.$)`).MatchString(statement) {
					t.Errorf("%s does not name %s: %s", page, version, statement)
				}
			}
		}
	}
	// What has not been run says what it is based on.
	if is := "the code of operator-controller " + minor(pinned(t, "test/bundle/go.mod", "github.com/operator-framework/operator-controller")); !strings.Contains(read(t, "docs/olm_v1.md"), is) {
		t.Errorf("docs/olm_v1.md is not based on %s", is)
	}
}

// A link within the repository leads to a file, and to a heading in it.
func TestLinksOfDocuments(t *testing.T) {
	t.Parallel()
	pages := readPages(t)
	anchors := map[string][]string{}
	for page, text := range pages {
		anchors[page] = headings(text)
	}
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	links := 0
	for page, text := range pages {
		for _, found := range link.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
			target, heading, _ := strings.Cut(found[1], "#")
			if strings.Contains(target, ":") {
				continue // another site's
			}
			links++
			to := page
			if target != "" {
				to = filepath.Join(filepath.Dir(page), target)
			}
			if _, err := os.Stat(filepath.Join(root, to)); err != nil {
				t.Errorf("%s links to %s: %v", page, found[1], err)
			}
			if heading != "" && !slices.Contains(anchors[to], heading) {
				t.Errorf("%s links to %s: there is no such heading", page, found[1])
			}
		}
	}
	if links < 100 {
		t.Errorf("%d links", links)
	}
}

// headings of a page, as GitHub makes anchors of them.
func headings(text string) []string {
	var all []string
	notInAnchors := regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	for _, found := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		shown := regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`).ReplaceAllString(found[1], "$1")
		all = append(all, strings.ReplaceAll(notInAnchors.ReplaceAllString(strings.ToLower(shown), ""), " ", "-"))
	}
	return all
}

var (
	// elsewhere is a kustomization that lies on another site.
	elsewhere = regexp.MustCompile(`(?:\s(?:-k|--kustomize)[ =]+|\bkustomize (?:build |create --resources )?)['"]?(?:[a-z]+://|git@|git::|[\w-]+(?:\.[\w-]+)+[/:])`)
	// expanded is a URL in which a shell finds something to expand.
	expanded = regexp.MustCompile(`(?:^|[\s=@])[a-z]+://[^\s'"]*[?*\[]`)
	// callsProgram is a command that a reader may copy.
	callsProgram = regexp.MustCompile(`^\s*(?:\$ )?(?:[A-Z_]+=\S* )*(?:sudo )?(?:kubectl|oc|helm|make|git|docker|podman|kind|curl|wget|export|kustomize|cosign|gh|go|flux|argocd) `)
)

// wrongWith a command, which cannot be copied into any shell, or depends on what lies on another
// site: zsh expands an unquoted "?" or "*", and "apply -k" of a URL needs git, and has half a minute.
func wrongWith(command string) string {
	switch {
	case elsewhere.MatchString(command):
		return "a kustomization from another site: use one file of a release"
	case expanded.MatchString(command):
		return "a URL with ? or * that is not quoted"
	case appliesDefinitions(command) && !strings.Contains(command, "--server-side"):
		return "CRDs are applied without --server-side"
	default:
		return ""
	}
}

// withDefinitions are the files and kustomizations, of this repository and of a release, that have
// CRDs in them.
var withDefinitions = regexp.MustCompile(`(?:-f|-k|--filename|--kustomize)[ =]+['"]?(?:\S*/)?(?:install\.yaml|nsm-operator\.yaml|config/(?:default|crd|local|spire)\b|[\w.-]*(?:crd|CustomResourceDefinition)\S*)`)

func appliesDefinitions(command string) bool {
	return regexp.MustCompile(`\b(?:kubectl|oc)\b.* apply\b`).MatchString(command) && withDefinitions.MatchString(command)
}

// Each kind of mistake is found, however it is written.
func TestMistakesInCommandsAreFound(t *testing.T) {
	t.Parallel()
	for command, isWrong := range map[string]bool{
		"kubectl apply -k https://github.com/a/b?ref=v1":                     true,
		"kubectl apply -k 'https://github.com/a/b?ref=v1'":                   true,
		"kubectl apply --kustomize https://github.com/a/b":                   true,
		"kubectl apply -k=github.com/a/b/deploy":                             true,
		"kubectl delete --kustomize=git@github.com:a/b.git":                  true,
		"oc apply -k ssh://git@github.com/a/b":                               true,
		"kustomize build https://github.com/a/b | kubectl apply -f -":        true,
		"kubectl apply -k config/prometheus":                                 false,
		"kubectl apply -k ./config.d/prometheus":                             false,
		"kubectl apply --server-side -k config/default":                      false,
		"curl -LO https://example.com/a?b=c":                                 true,
		"curl -LO 'https://example.com/a?b=c'":                               false,
		"kubectl apply -f https://example.com/*.yaml":                        true,
		"kubectl apply -f dist/install.yaml":                                 true,
		"kubectl apply -k config/default":                                    true,
		"oc apply --filename=config/crd/bases/a.yaml":                        true,
		"kubectl -n a apply -f https://example.com/v2.0.0/nsm-operator.yaml": true,
		"kubectl apply --server-side -f dist/install.yaml":                   false,
		"kubectl create -f config/spire/crd/spire.spiffe.io_a.yaml":          false,
		"kubectl delete -f dist/install.yaml":                                false,
		"kubectl apply -f config/samples/nsm_v1beta1_nsm.yaml":               false,
	} {
		if says := wrongWith(command); (says != "") != isWrong {
			t.Errorf("%s: %q", command, says)
		}
	}
}

// commandsIn a text for people: of its blocks, of its sentences, and of comments in YAML. A command
// over several lines is one.
func commandsIn(path, text string) []string {
	var commands []string
	add := func(code string) {
		for line := range strings.Lines(strings.ReplaceAll(code, "\\\n", " ")) {
			commands = append(commands, strings.TrimSpace(line))
		}
	}
	if strings.HasSuffix(path, ".yaml") || strings.HasSuffix(path, ".yml") {
		var comment strings.Builder
		for line := range strings.Lines(text) {
			said, isComment := strings.CutPrefix(strings.TrimSpace(line), "#")
			if isComment {
				comment.WriteString(said)
			} else {
				comment.WriteString("\n")
			}
		}
		add(comment.String())
		text = regexp.MustCompile(`(?m)^\s*#.*$`).ReplaceAllString(text, "")
	}
	for _, found := range fence.FindAllStringSubmatch(text, -1) {
		if strings.HasPrefix(found[1], "sh") || found[1] == "console" {
			add(found[2])
		}
	}
	for _, found := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		if code := strings.Join(strings.Fields(found[1]), " "); callsProgram.MatchString(code + " ") {
			add(code)
		}
	}
	return commands
}

// Commands can be copied: those of the pages, of what GitHub shows, and of the samples' comments.
func TestCommandsOfDocuments(t *testing.T) {
	t.Parallel()
	texts := readPages(t)
	for _, directory := range []string{".github", "config/samples"} {
		for name, text := range filesBelow(t, filepath.Join(root, directory)) {
			if !strings.HasPrefix(name, "workflows/") {
				texts[filepath.Join(directory, name)] = text
			}
		}
	}
	count := 0
	for path, text := range texts {
		for _, command := range commandsIn(path, text) {
			count++
			if wrong := wrongWith(command); wrong != "" {
				t.Errorf("%s: %s:\n%s", path, wrong, command)
			}
		}
	}
	if count < 500 {
		t.Errorf("%d commands", count)
	}
}

// Each block says what it is: so no commands are left out of the tests by a tag that is missing or
// misspelled, and no output is shown that belongs to no command.
func TestBlocksAreTagged(t *testing.T) {
	t.Parallel()
	tags := regexp.MustCompile(`^(sh (test|pods|olm|bundle|cluster|manual)( exit=[1-9])?|console|yaml|text|mermaid)$`)
	for page, text := range readPages(t) {
		outputs := 0
		for _, found := range fence.FindAllStringSubmatch(text, -1) {
			tag, code := found[1], found[2]
			if !tags.MatchString(tag) {
				t.Errorf("%s: a block is tagged %q; docs/development.md says how\n%s", page, tag, code)
			}
			if tag == "console" {
				outputs++
			}
			for line := range strings.Lines(code) {
				if !strings.HasPrefix(tag, "sh ") && tag != "console" && callsProgram.MatchString(line) {
					t.Errorf("%s: a command in a block that is tagged %q:\n%s", page, tag, line)
				}
			}
		}
		for _, block := range documents.Blocks(text) {
			if block.Says != "" {
				outputs--
			}
		}
		if outputs != 0 {
			t.Errorf("%s has %d blocks of output that follow no commands", page, outputs)
		}
	}
}

// What a command picks out of the tests is there: a focus that matches nothing passes.
func TestWhatIsFocusedOnExists(t *testing.T) {
	t.Parallel()
	focus := regexp.MustCompile(`(?:-ginkgo\.focus[ =]|-bench[ =]|FOCUS=)(?:'([^'\n]+)'|(\w+))`)
	texts := readPages(t)
	maps.Copy(texts, filesBelow(t, filepath.Join(root, ".github", "workflows")))
	var tests strings.Builder
	for _, directory := range []string{"controllers", "internal", "test", "webhooks"} {
		for name, text := range filesBelow(t, filepath.Join(root, directory)) {
			if strings.HasSuffix(name, "_test.go") {
				tests.WriteString(text)
			}
		}
	}
	count := 0
	for path, text := range texts {
		for _, found := range focus.FindAllStringSubmatch(text, -1) {
			count++
			if name := found[1] + found[2]; !strings.Contains(tests.String(), name) {
				t.Errorf("%s: no test is called %q", path, name)
			}
		}
	}
	if count < 4 {
		t.Errorf("%d commands", count)
	}
}

// docs/gitops.md tells with which versions its tests are made.
func TestVersionsOfGitOps(t *testing.T) {
	t.Parallel()
	page := read(t, "docs/gitops.md")
	for _, used := range []struct{ file, module, told string }{
		{"go.mod", "github.com/yuin/gopher-lua", "gopher-lua %s, "},
		{"go.mod", "github.com/fluxcd/cli-utils", "`github.com/fluxcd/cli-utils` %s "},
		{"go.mod", "sigs.k8s.io/cli-utils", "`sigs.k8s.io/cli-utils` %s,"},
		{"hack/tools/helm/go.mod", "helm.sh/helm/v4", "Helm %s."},
	} {
		found := regexp.MustCompile(`(?m)^\s` + regexp.QuoteMeta(used.module) + ` v((\d+\.\d+)\.\d+)\b`).FindStringSubmatch(read(t, used.file))
		if found == nil {
			t.Fatalf("%s does not name %s", used.file, used.module)
		}
		version := found[1]
		if used.module == "helm.sh/helm/v4" {
			version = found[2]
		}
		if told := fmt.Sprintf(used.told, version); !strings.Contains(page, told) {
			t.Errorf("docs/gitops.md does not say %q", told)
		}
	}
}

// What is installed by the documents is this release. Only an upgrade that is tried is to a later one.
func TestDocumentsNameThisRelease(t *testing.T) {
	t.Parallel()
	image := regexp.MustCompile(`(bundle-upgrade \S*)?(?:nsm-operator(?:-[a-z-]+)?:v|testdata/released/)(\d+\.\d+\.\d+)`)
	count := 0
	for page, text := range readPages(t) {
		for _, found := range image.FindAllStringSubmatch(text, -1) {
			count++
			if found[1] == "" && found[2] != version && found[2] != bridge {
				t.Errorf("%s: %s is not of this release, %s", page, found[0], version)
			}
		}
	}
	if count < 20 {
		t.Errorf("%d images", count)
	}
}

// notRun are the blocks that no test runs, by page and first line, and why none can.
var notRun = map[string]string{
	"README.md: git clone https://github.com/networkservicemesh/nsm-operator.git":                                        "it needs the internet",
	"README.md: export KUBECONFIG=$PWD/.local/kubeconfig PATH=$PWD/bin/k8s:$PATH":                                        "it is for the shell of the reader; the test has one for each block, with the same set",
	"docs/development.md: make test-long FOCUS='walk at random'":                                                         "it takes hours",
	"docs/development.md: go test ./test/olm -v -ginkgo.focus 'next version'":                                            "it is a part of make test",
	"docs/development.md: make catalog CATALOG=catalog":                                                                  "it changes the repository; hack/olm builds catalogs in its tests",
	`docs/development.md: bin/operator-sdk run bundle ghcr.io/networkservicemesh/nsm-operator-bundle:v` + version + ` \`: "it needs a registry, and pods that run",
	"docs/disconnected.md: oc mirror --v2 -c imageset.yaml --workspace file://mirror docker://mirror.example.com:5000":   "it needs oc-mirror and registries",
	`docs/disconnected.md: oc patch operatorhub cluster --type merge -p '{"spec":{"disableAllDefaultSources":true}}'`:    "it needs OpenShift",
	"docs/k8s_manual_install.md: make docker-build IMG=registry.example.com/nsm-operator:v" + version:                    "it needs a container engine",
	"docs/k8s_olm_install.md: export IMG=registry.example.com/nsm-operator:v" + version:                                  "it changes the repository, and needs a container engine",
	"docs/k8s_olm_install.md: export OPERATOR_NAMESPACE=nsm-operator-system  # nsm, if you came from 1.8.0":              "it is for the shell of the reader; the test has one for each block, with the same set",
	"docs/kubectl.md: kubectl nsm status -n nsm --watch | cat":                                                           "it does not end; cmd/kubectl-nsm tests what it prints",
	"docs/kubectl.md: $ kubectl nsm check --active -n nsm":                                                               "it needs pods that run; cmd/kubectl-nsm tests what it prints",
	"docs/kubectl.md: $ kubectl nsm topology -n nsm --live":                                                              "it needs pods that run; cmd/kubectl-nsm tests what it prints",
	`docs/olm_v1.md: kubectl rollout status deployment/nsm-operator -n nsm-operator-system --timeout 5m`:                 "it needs operator-controller, which needs pods that run",
	"docs/olm_v1.md: kubectl wait --for=condition=Installed clusterextension/nsm-operator --timeout 5m":                  "it needs operator-controller, which needs pods that run",
	"docs/olm_v1.md: kubectl delete nsm --all --all-namespaces":                                                          "it needs operator-controller, which needs pods that run",
	"docs/performance.md: go test ./test/perf/ -run '^$' -bench Hostile -timeout 2h -benchtime 1x":                       "it takes hours",
	"docs/resource.md: kubectl port-forward -n nsm deployment/dashboard 3000 3001":                                       "it needs pods that run",
	"docs/runbooks.md: kubectl logs -n nsm-operator-system deployment/nsm-operator --all-pods --previous":                "it needs a container that has been restarted",
	`docs/security.md: cosign verify ghcr.io/networkservicemesh/nsm-operator@sha256:... \`:                               "it needs a release, and the internet",
	`docs/security.md: gh attestation verify oci://ghcr.io/networkservicemesh/nsm-operator@sha256:... \`:                 "it needs a release, and the internet",
	`docs/security.md: cosign verify-blob SHA256SUMS --bundle SHA256SUMS.sigstore.json \`:                                "it needs a release, and the internet",
	`docs/spire.md: kubectl exec -n spire spire-server-0 -c spire-server -- \`:                                           "it needs pods that run",
	"docs/spire.md: helm repo add spiffe https://spiffe.github.io/helm-charts-hardened":                                  "it needs the internet",
	"docs/support.md: # The pod that leads has the metrics of meshes.":                                                   "it needs pods that run",
	"docs/support.md: oc adm must-gather --image=ghcr.io/networkservicemesh/nsm-operator-must-gather:v" + version:        "it needs OpenShift; the script that it runs has a test in cmd/kubectl-nsm",
	"docs/test_cluster.md: kind create cluster --config hack/testcluster/kind.yaml":                                      "it needs a container engine",
	`hack/localcluster/README.md: go build -C hack/localcluster -o "$PWD/bin/localcluster" .`:                            "it is what test/e2e does before each test, and does not end",
}

// A block that nobody runs is one that cannot be run.
func TestBlocksThatAreNotRun(t *testing.T) {
	t.Parallel()
	found := map[string]bool{}
	for page, text := range readPages(t) {
		for _, block := range documents.Blocks(text) {
			if block.Kind != documents.Manual {
				continue
			}
			key := page + ": " + block.FirstLine()
			found[key] = true
			if notRun[key] == "" {
				t.Errorf("why can no test run this?\n%s", key)
			}
		}
	}
	for key := range notRun {
		if !found[key] {
			t.Errorf("there is no such block, or it is run:\n%s", key)
		}
	}
}

// Each reason of a condition has a row in docs/troubleshooting.md, and none that is there
// has gone.
func TestReasonsAreDocumented(t *testing.T) {
	t.Parallel()
	_, section, _ := strings.Cut(read(t, "docs/troubleshooting.md"), "\n## Conditions and their reasons\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var told []string
	for _, row := range regexp.MustCompile(`(?m)^\| (?:True|False|Unknown) \| ([^|]*) \|`).FindAllStringSubmatch(section, -1) {
		for _, reason := range regexp.MustCompile("`([A-Z]\\w+)`").FindAllStringSubmatch(row[1], -1) {
			told = append(told, reason[1])
		}
	}
	reasons := constants(t, "apis/v1beta1/reasons.go")
	if len(reasons) < 20 {
		t.Fatalf("%d reasons", len(reasons))
	}
	for _, reason := range reasons {
		if !slices.Contains(told, reason) {
			t.Errorf("docs/troubleshooting.md has no entry for the reason %s", reason)
		}
	}
	for _, reason := range told {
		if !slices.Contains(reasons, reason) {
			t.Errorf("docs/troubleshooting.md has an entry for %s, and apis/v1beta1/reasons.go has no such reason", reason)
		}
	}
}

// A reason of a condition is a constant of the API: no code spells one itself.
func TestReasonsAreConstants(t *testing.T) {
	t.Parallel()
	checked := 0
	for _, pattern := range []string{"internal/health/*.go", "controllers/*.go"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			checked++
			for _, spelled := range spelledReasons(t, name) {
				t.Errorf("%s spells the reason %s: make it a constant in apis/v1beta1/reasons.go", filepath.Base(name), spelled)
			}
		}
	}
	if checked < 20 {
		t.Errorf("%d files", checked)
	}
}

// spelledReasons are the literals in a file where a condition is given its reason.
func spelledReasons(t *testing.T, name string) []string {
	t.Helper()
	// The place of the reason among the arguments.
	places := map[string]int{"set": 2, "SpireFailed": 0, "SpireUnknown": 0, "refusal": 0}
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var spelled []string
	add := func(value ast.Expr) {
		if literal, isLiteral := value.(*ast.BasicLit); isLiteral {
			spelled = append(spelled, literal.Value)
		}
	}
	ast.Inspect(file, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.CallExpr:
			if place, is := places[called(node)]; is && len(node.Args) > place+1 {
				add(node.Args[place])
			}
		case *ast.KeyValueExpr:
			if key, isName := node.Key.(*ast.Ident); isName && key.Name == "Reason" {
				add(node.Value)
			}
		}
		return true
	})
	return spelled
}

// called is the name of the function, or of the method, that is called.
func called(call *ast.CallExpr) string {
	switch function := call.Fun.(type) {
	case *ast.Ident:
		return function.Name
	case *ast.SelectorExpr:
		return function.Sel.Name
	}
	return ""
}

// constants of a file, by value.
func constants(t *testing.T, path string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, path), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	ast.Inspect(file, func(node ast.Node) bool {
		if spec, isConstant := node.(*ast.ValueSpec); isConstant {
			for _, value := range spec.Values {
				literal, isLiteral := value.(*ast.BasicLit)
				if !isLiteral {
					continue
				}
				text, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Fatal(err)
				}
				values = append(values, text)
			}
		}
		return true
	})
	return values
}
