package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// binary is one program of the control plane. Its version is the one that go.mod names.
type binary struct {
	name    string
	module  string
	pkg     string
	version string // filled in from go.mod
}

const kubernetes = "k8s.io/kubernetes"

// binaries lists what is built, in that order. go.mod names the same packages as tools.
func binaries() []binary {
	return []binary{
		{name: "etcd", module: "go.etcd.io/etcd/server/v3", pkg: "go.etcd.io/etcd/server/v3"},
		{name: "kube-apiserver", module: kubernetes, pkg: kubernetes + "/cmd/kube-apiserver"},
		{name: "kube-controller-manager", module: kubernetes, pkg: kubernetes + "/cmd/kube-controller-manager"},
		{name: "kube-scheduler", module: kubernetes, pkg: kubernetes + "/cmd/kube-scheduler"},
		{name: "kubectl", module: kubernetes, pkg: kubernetes + "/cmd/kubectl"},
		{name: "kwok", module: "sigs.k8s.io/kwok", pkg: "sigs.k8s.io/kwok/cmd/kwok"},
	}
}

// builder builds the binaries that are missing or not of the present pin.
type builder struct {
	*supervisor
	src, out, logDir string
	kubernetes, rest string // another release than that of src, and where all else is built
	pin              []byte // all that decides about every binary: go.mod, go.sum, compiler, platform
}

// build is the subcommand.
func build(args []string) error {
	b := builder{}
	flags := newFlags("build")
	flags.StringVar(&b.src, "src", "hack/localcluster", "directory of the go.mod that pins the versions")
	flags.StringVar(&b.out, "out", "bin/k8s", "directory for the binaries")
	flags.StringVar(&b.logDir, "log-dir", ".local/log", "directory for the compiler's output")
	flags.StringVar(&b.kubernetes, "kubernetes", "", "another release of Kubernetes than the pinned one, such as v1.31.14")
	flags.StringVar(&b.rest, "rest", "bin/k8s", "with --kubernetes: directory where etcd and kwok are built")
	if err := parse(flags, args); err != nil {
		return err
	}
	b.supervisor = newSupervisor()
	defer b.stopAll()
	return b.all()
}

func (b *builder) all() error {
	if err := b.prepare(); err != nil {
		return err
	}
	all := binaries()
	if b.kubernetes != "" {
		all = ofKubernetes(all)
	}
	if err := readVersions(b.src, all); err != nil {
		return err
	}
	built := 0
	for i, bin := range all {
		if b.current(bin) {
			continue
		}
		built++
		line := fmt.Sprintf("[%d/%d] %s %s  ", i+1, len(all), bin.name, bin.version)
		fmt.Println(line + "building ...")
		begin := time.Now()
		if err := b.one(bin); err != nil {
			return err
		}
		fmt.Printf("%sbuilt in %.0fs\n", line, time.Since(begin).Seconds())
	}
	if built == 0 {
		fmt.Printf("control plane %s is built: %s\n", kubernetesVersion(all), b.out)
	}
	return nil
}

// prepare makes the paths absolute, since the compiler runs in src, and reads the pin.
func (b *builder) prepare() error {
	for _, path := range []*string{&b.src, &b.out, &b.logDir, &b.rest} {
		absolute, err := filepath.Abs(*path)
		if err != nil {
			return err
		}
		*path = absolute
	}
	if err := os.MkdirAll(b.out, 0o755); err != nil {
		return fmt.Errorf("directory for the binaries: %w", err)
	}
	if b.kubernetes != "" {
		if err := errors.Join(b.pinOther(), b.linkRest()); err != nil {
			return err
		}
	}
	pin, err := readPin(b.src)
	b.pin = pin
	return err
}

// one builds a binary beside its place and then moves it there, so that an interrupted build leaves the old one.
func (b *builder) one(bin binary) error {
	temporary := filepath.Join(b.out, "."+bin.name+".building")
	defer os.Remove(temporary)
	log := filepath.Join(b.logDir, "build-"+bin.name+".log")
	err := b.run(spec{
		name: "go build",
		path: "go",
		args: []string{"build", "-C", b.src, "-mod=readonly", "-trimpath", "-ldflags", linkerFlags(bin), "-o", temporary, bin.pkg},
		env:  append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off"),
		log:  log,
		// The compiler holds nothing worth a grace.
		grace: time.Second,
	})
	if b.ctx.Err() != nil {
		return b.cause()
	}
	if err != nil {
		return fmt.Errorf("building %s %s: %w\n%s\nthe whole log: %s", bin.name, bin.version, err, indent(lastLines(log, 15)), log)
	}
	if err := os.Rename(temporary, filepath.Join(b.out, bin.name)); err != nil {
		return fmt.Errorf("building %s: %w", bin.name, err)
	}
	return os.WriteFile(b.stampFile(bin), []byte(stamp(b.pin, bin)), 0o644)
}

// current reports whether the binary is there and was built from the present pin.
func (b *builder) current(bin binary) bool {
	if _, err := os.Stat(filepath.Join(b.out, bin.name)); err != nil {
		return false
	}
	was, err := os.ReadFile(b.stampFile(bin))
	return err == nil && string(was) == stamp(b.pin, bin)
}

func (b *builder) stampFile(bin binary) string {
	return filepath.Join(b.out, "."+bin.name+".stamp")
}

// stamp is a fingerprint of everything that decides how a binary comes out.
func stamp(pin []byte, bin binary) string {
	sum := sha256.Sum256(append(bytes.Clone(pin), bin.pkg+"\n"+linkerFlags(bin)...))
	return hex.EncodeToString(sum[:])
}

// readPin collects what decides about all binaries alike.
func readPin(src string) ([]byte, error) {
	var pin bytes.Buffer
	for _, name := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join(src, name))
		if err != nil {
			return nil, fmt.Errorf("pinned versions: %w", err)
		}
		pin.Write(content)
	}
	env, err := goOutput(src, "env", "GOVERSION", "GOOS", "GOARCH")
	pin.Write(env)
	return pin.Bytes(), err
}

// readVersions fills in the versions of the binaries' modules.
func readVersions(src string, all []binary) error {
	args := []string{"list", "-mod=readonly", "-m", "-json"}
	for _, bin := range all {
		args = append(args, bin.module)
	}
	out, err := goOutput(src, args...)
	if err != nil {
		return err
	}
	versions := map[string]string{}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var module struct{ Path, Version string }
		if err := decoder.Decode(&module); err == io.EOF {
			break
		} else if err != nil {
			return fmt.Errorf("reading go list: %w", err)
		}
		versions[module.Path] = module.Version
	}
	for i := range all {
		all[i].version = versions[all[i].module]
	}
	return nil
}

func kubernetesVersion(all []binary) string {
	for _, bin := range all {
		if bin.module == kubernetes {
			return bin.version
		}
	}
	return ""
}

// linkerFlags links the version into Kubernetes' programs. A server without one calls itself v0.0.0-master, which
// clients cannot parse. The date is fixed, so that the same pin always gives the same binary.
func linkerFlags(bin binary) string {
	flags := []string{"-s", "-w"}
	if bin.module != kubernetes {
		return strings.Join(flags, " ")
	}
	major, rest, _ := strings.Cut(strings.TrimPrefix(bin.version, "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		for _, value := range []string{
			"gitVersion=" + bin.version, "gitMajor=" + major, "gitMinor=" + minor,
			"gitTreeState=clean", "gitCommit=" + bin.version, "buildDate=1970-01-01T00:00:00Z",
		} {
			flags = append(flags, "-X", pkg+"."+value)
		}
	}
	return strings.Join(flags, " ")
}

// goOutput runs the go command in src and returns its output, also that of one that failed; the error holds what it said.
func goOutput(src string, args ...string) ([]byte, error) {
	cmd := exec.Command("go", args...)
	cmd.Dir = src
	cmd.Env = append(os.Environ(), "GOWORK=off")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return out, fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, indent(stderr.String()))
	}
	return out, nil
}
