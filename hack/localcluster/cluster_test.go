package main

import (
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestOneLauncherADirectory(t *testing.T) {
	dir := t.TempDir()
	first := &cluster{dir: dir, supervisor: newSupervisor()}
	if err := first.claim(); err != nil {
		t.Fatal(err)
	}
	second := &cluster{dir: dir, supervisor: newSupervisor()}
	if err := second.claim(); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("a second launcher in the same directory: %v", err)
	}
	first.lock.Close() // as the kernel does when a launcher dies
	if err := second.claim(); err != nil {
		t.Error("after the first one's death:", err)
	}
}

func TestNodeState(t *testing.T) {
	for text, want := range map[string]bool{
		`{}`: false,
		`{"status":{"conditions":[{"type":"Ready","status":"False"}]}}`:                                            false,
		`{"status":{"conditions":[{"type":"Ready","status":"True"}]}}`:                                             true,
		`{"spec":{"taints":[{"key":"not-ready"}]},"status":{"conditions":[{"type":"Ready","status":"True"}]}}`:     false,
		`{"status":{"conditions":[{"type":"DiskPressure","status":"False"},{"type":"Ready","status":"Unknown"}]}}`: false,
	} {
		var n nodeState
		if err := json.Unmarshal([]byte(text), &n); err != nil {
			t.Fatal(err)
		}
		if n.ready() != want {
			t.Errorf("%s: ready is %v", text, !want)
		}
	}
}

// Without something that serves for the kubelets, a node has no address that leads to this machine.
func TestNodesSayWhereTheirKubeletsAnswer(t *testing.T) {
	for port, want := range map[int]string{
		0:     `{"addresses":[{"address":"198.18.0.1","type":"InternalIP"},{"address":"node-1","type":"Hostname"}],"port":0}`,
		10250: `{"addresses":[{"address":"198.18.0.1","type":"InternalIP"},{"address":"node-1","type":"Hostname"},{"address":"localhost","type":"InternalDNS"}],"port":10250}`,
	} {
		status := node(1, "v1.37.2", port)["status"].(object)
		got, err := json.Marshal(object{
			"addresses": status["addresses"], "port": status["daemonEndpoints"].(object)["kubeletEndpoint"].(object)["Port"],
		})
		if err != nil || string(got) != want {
			t.Errorf("port %d: %s, %v", port, got, err)
		}
	}
}

func TestFindMesh(t *testing.T) {
	const object = `{"kind":"NSM","metadata":{"name":"a","namespace":"b"}}`
	for _, text := range []string{object, `{"kind":"List","items":[{"kind":"Namespace","metadata":{"name":"b"}},` + object + `]}`} {
		got, err := findMesh([]byte(text))
		if err != nil || got != (mesh{name: "a", namespace: "b"}) {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	if _, err := findMesh([]byte(`{"kind":"List","items":[]}`)); err == nil {
		t.Error("a mesh was found where there is none")
	}
}

func TestWaitFor(t *testing.T) {
	looks := 0
	err := waitFor(t.Context(), "it", time.Minute, func(context.Context) error {
		if looks++; looks < 3 {
			return errors.New("not yet")
		}
		return nil
	})
	if err != nil || looks != 3 {
		t.Errorf("%d looks, %v", looks, err)
	}
	err = waitFor(t.Context(), "the thing", 0, func(context.Context) error { return errors.New("not yet") })
	if err == nil || !strings.Contains(err.Error(), "the thing") || !strings.Contains(err.Error(), "not yet") {
		t.Errorf("after the timeout: %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errInterrupted)
	err = waitFor(ctx, "it", time.Minute, func(context.Context) error { return errors.New("not yet") })
	if !errors.Is(err, errInterrupted) {
		t.Errorf("after the end of its context: %v", err)
	}
}

// A number that another process has by now must not be taken for what was noted.
func TestRuns(t *testing.T) {
	cmd := exec.Command("sleep", "300")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	if !runs(pid, "sleep") {
		t.Error("a running process is not found")
	}
	for _, name := range []string{"kubectl", "slee", "sleeper", ""} {
		if runs(pid, name) {
			t.Errorf("sleep is taken for %q", name)
		}
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if runs(pid, "sleep") {
		t.Error("a process that has ended is found")
	}
}
