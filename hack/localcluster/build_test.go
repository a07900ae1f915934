package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestStampFollowsThePin(t *testing.T) {
	bin := binary{name: "kubectl", module: kubernetes, pkg: kubernetes + "/cmd/kubectl", version: "v1.37.2"}
	was := stamp([]byte("pin"), bin)
	if was != stamp([]byte("pin"), bin) {
		t.Error("the same pin gives two stamps")
	}
	newer := bin
	newer.version = "v1.37.3"
	other := bin
	other.pkg = kubernetes + "/cmd/kube-scheduler"
	for what, now := range map[string]string{
		"pin": stamp([]byte("pin2"), bin), "version": stamp([]byte("pin"), newer), "package": stamp([]byte("pin"), other),
	} {
		if now == was {
			t.Errorf("another %s, the same stamp", what)
		}
	}
}

func TestPinHoldsModuleFilesAndPlatform(t *testing.T) {
	dir := t.TempDir()
	read := func(mod, sum string) string {
		for name, content := range map[string]string{"go.mod": mod, "go.sum": sum} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		pin, err := readPin(dir)
		if err != nil {
			t.Fatal(err)
		}
		return string(pin)
	}
	was := read("module x\n", "")
	if was == read("module y\n", "") || was == read("module x\n", "sum\n") {
		t.Error("the pin does not follow go.mod and go.sum")
	}
	t.Setenv("GOARCH", "riscv64")
	if was == read("module x\n", "") {
		t.Error("the pin does not follow the platform")
	}
}

func TestCurrent(t *testing.T) {
	bin := binaries()[0]
	b := &builder{out: t.TempDir(), pin: []byte("pin")}
	if b.current(bin) {
		t.Error("current without a binary")
	}
	for path, content := range map[string]string{filepath.Join(b.out, bin.name): "", b.stampFile(bin): stamp(b.pin, bin)} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if !b.current(bin) {
		t.Error("not current right after the build")
	}
	b.pin = []byte("another")
	if b.current(bin) {
		t.Error("current although the pin has changed")
	}
}

// Every binary's version comes from this module's go.mod, and its package is a tool there.
func TestVersionsComeFromGoMod(t *testing.T) {
	all := binaries()
	if err := readVersions(".", all); err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for _, bin := range all {
		if !strings.Contains(string(mod), "\t"+bin.module+" "+bin.version) {
			t.Errorf("%s: version %q is not in go.mod", bin.name, bin.version)
		}
		if !strings.Contains(string(mod), "\t"+bin.pkg+"\n") {
			t.Errorf("%s: package %s is no tool in go.mod", bin.name, bin.pkg)
		}
	}
}

func TestLinkerFlags(t *testing.T) {
	flags := linkerFlags(binary{module: kubernetes, version: "v1.37.2"})
	for _, want := range []string{"gitVersion=v1.37.2", "gitMajor=1", "gitMinor=37 ", "gitTreeState=clean"} {
		if !strings.Contains(flags, "-X k8s.io/component-base/version."+want) {
			t.Errorf("%s is missing in %s", want, flags)
		}
	}
	if got := linkerFlags(binary{module: "sigs.k8s.io/kwok", version: "v0.8.0"}); got != "-s -w" {
		t.Errorf("a version is linked into a program without a place for it: %s", got)
	}
}

func TestOtherKubernetesIsARelease(t *testing.T) {
	for _, version := range []string{"", "1.31.14", "v1.31", "v1.31.14-rc.1", "v1.31.14 v1.32.0", "v2.0.0"} {
		b := builder{kubernetes: version, out: t.TempDir()}
		if err := b.pinOther(); err == nil || !strings.Contains(err.Error(), `"`+version+`"`) {
			t.Errorf("%q: want an error that names it, have %v", version, err)
		}
	}
	if minor, patch := splitVersion("v1.31.14"); minor != "31" || patch != 14 {
		t.Errorf("v1.31.14 is split into %s and %d", minor, patch)
	}
}

// What is built for another release is Kubernetes alone.
func TestOtherKubernetesIsNoEtcd(t *testing.T) {
	want := []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"}
	var have []string
	for _, bin := range ofKubernetes(binaries()) {
		have = append(have, bin.name)
	}
	if !slices.Equal(have, want) {
		t.Errorf("want %v, have %v", want, have)
	}
}

func TestRestMustBeBuilt(t *testing.T) {
	rest, b := t.TempDir(), builder{out: t.TempDir()}
	b.rest = rest
	if err := b.linkRest(); err == nil || !strings.Contains(err.Error(), "etcd is to be built first") {
		t.Errorf("without etcd: %v", err)
	}
	for _, name := range []string{"etcd", "kwok"} {
		if err := os.WriteFile(filepath.Join(rest, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := b.linkRest(); err != nil {
			t.Error(err)
		}
	}
	if content, err := os.ReadFile(filepath.Join(b.out, "etcd")); err != nil || string(content) != "etcd" {
		t.Errorf("etcd is %q: %v", content, err)
	}
}
