// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package perf

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/test/apiserver"
)

// cluster is a local control plane.
type cluster struct {
	directory string
	config    *rest.Config
	client    client.WithWatch
}

// root of the repository.
const root = "../.."

// assets is the directory of the control plane's binaries.
func assets() string {
	if directory := os.Getenv("KUBEBUILDER_ASSETS"); directory != "" {
		return directory
	}
	return filepath.Join(root, "bin", "k8s")
}

// measureRun is the time that "make run" takes once all is built.
func measureRun(b *testing.B) time.Duration {
	b.Helper()
	begin := time.Now()
	stop := launch(b, "Available", "run", "--dir", b.TempDir(), "--assets", assets(),
		"--manager", filepath.Join(root, "bin", "manager"), "--config", filepath.Join(root, "config", "local"),
		"--sample", filepath.Join(root, "config", "samples", "nsm_v1alpha1_nsm.yaml"))
	defer stop()
	return time.Since(begin)
}

// startCluster starts a control plane with what the operator needs in it.
func startCluster(b *testing.B, flags ...string) *cluster {
	b.Helper()
	c := &cluster{directory: b.TempDir()}
	b.Cleanup(launch(b, "control plane", append([]string{"up", "--dir", c.directory, "--assets", assets()}, flags...)...))
	c.configure(b)
	var err error
	c.config, err = clientcmd.BuildConfigFromFlags("", c.kubeconfig())
	must(b, err)
	c.config.QPS, c.config.WarningHandler = -1, rest.NoWarnings{}
	c.client, err = client.NewWithWatch(c.config, client.Options{Scheme: newScheme(b)})
	must(b, err)
	return c
}

// configure puts what the operator needs into the cluster, or puts it right.
func (c *cluster) configure(b *testing.B) {
	b.Helper()
	calls := [][]string{{"apply", "--server-side", "-k", filepath.Join(root, "config", "local")}}
	for _, args := range append(calls, apiserver.WaitForDefinitions()...) {
		output, err := exec.CommandContext(b.Context(), filepath.Join(assets(), "kubectl"),
			append([]string{"--kubeconfig", c.kubeconfig()}, args...)...).CombinedOutput()
		if err != nil {
			b.Fatalf("kubectl: %s\n%s", err, output)
		}
	}
}

func (c *cluster) kubeconfig() string { return filepath.Join(c.directory, "kubeconfig") }

func newScheme(b *testing.B) *runtime.Scheme {
	b.Helper()
	scheme := runtime.NewScheme()
	must(b, clientgoscheme.AddToScheme(scheme))
	must(b, nsmv1beta1.AddToScheme(scheme))
	return scheme
}

// launch runs the launcher until it prints a line that begins with a text, and
// returns what stops it.
func launch(b *testing.B, until string, args ...string) (stop func()) {
	b.Helper()
	command := exec.Command(filepath.Join(root, "bin", "localcluster"), args...)
	output, err := command.StdoutPipe()
	must(b, err)
	command.Stderr = command.Stdout
	if err := command.Start(); err != nil {
		b.Fatalf("%s: run make control-plane build first", err)
	}
	stop = func() {
		_ = command.Process.Signal(syscall.SIGINT)
		_ = command.Wait()
	}
	var said strings.Builder
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		fmt.Fprintln(&said, lines.Text())
		if strings.HasPrefix(lines.Text(), until) {
			go func() { _, _ = io.Copy(io.Discard, output) }()
			return stop
		}
	}
	stop()
	b.Fatalf("localcluster %s:\n%s", strings.Join(args, " "), said.String())
	return nil
}

// manager is a running operator.
type manager struct {
	command *exec.Cmd
	// ready is how long it took to be so.
	ready time.Duration
}

// startManager runs the operator as an administrator and waits until it is ready.
func (c *cluster) startManager(b *testing.B) *manager {
	b.Helper()
	return c.startManagerAs(b, c.kubeconfig())
}

// startManagerAs runs it as somebody, with more flags, which count before those of all.
func (c *cluster) startManagerAs(b *testing.B, kubeconfig string, flags ...string) *manager {
	b.Helper()
	webhook, probe := freePort(b), freePort(b)
	log, err := os.Create(filepath.Join(c.directory, "manager.log"))
	must(b, err)
	defer log.Close()
	m := &manager{command: exec.Command(filepath.Join(root, "bin", "manager"), append([]string{
		"--leader-elect=false", "--metrics-bind-address=0", "--namespace=nsm-operator-system",
		fmt.Sprintf("--webhook-port=%d", webhook), fmt.Sprintf("--webhook-url=https://127.0.0.1:%d", webhook),
		fmt.Sprintf("--health-probe-bind-address=127.0.0.1:%d", probe),
	}, flags...)...)}
	// The limit of config/manager.
	m.command.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, fmt.Sprintf("MEMORY_LIMIT=%d", 256<<20))
	m.command.Stdout, m.command.Stderr = log, log
	begin := time.Now()
	must(b, m.command.Start())
	url := fmt.Sprintf("http://127.0.0.1:%d/readyz", probe)
	for !answers(b.Context(), url) {
		if time.Since(begin) > 5*time.Minute {
			b.Fatalf("the operator is not ready; its log: %s", log.Name())
		}
		<-time.After(2 * time.Millisecond)
	}
	m.ready = time.Since(begin)
	b.Cleanup(func() { _ = m.command.Process.Kill() })
	return m
}

func (m *manager) stop(b *testing.B) {
	b.Helper()
	must(b, m.command.Process.Signal(syscall.SIGTERM))
	must(b, m.command.Wait())
}

// residentMiB is the memory that the operator takes.
func (m *manager) residentMiB(b *testing.B) int {
	b.Helper()
	output, err := exec.Command("ps", "-o", "rss=", "-p", strconv.Itoa(m.command.Process.Pid)).Output()
	must(b, err)
	kib, err := strconv.Atoi(strings.TrimSpace(string(output)))
	must(b, err)
	return kib >> 10
}

// processorTime is what the operator has taken so far.
func (m *manager) processorTime(b *testing.B) time.Duration {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", m.command.Process.Pid))
	must(b, err)
	// The second field is the name in parentheses; times are in hundredths of a second.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')'):]))
	var sum time.Duration
	for _, field := range fields[12:14] {
		ticks, err := strconv.Atoi(field)
		must(b, err)
		sum += time.Duration(ticks) * 10 * time.Millisecond
	}
	return sum
}

func answers(ctx context.Context, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

func freePort(b *testing.B) int {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(b, err)
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	must(b, err)
	number, err := strconv.Atoi(port)
	must(b, err)
	return number
}
