package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// asLauncher makes the test binary a launcher with three children, for the tests that kill one.
const asLauncher = "LOCALCLUSTER_TEST_LAUNCHER"

func TestMain(m *testing.M) {
	if os.Getenv(asLauncher) != "" {
		launch()
		return
	}
	os.Exit(m.Run())
}

// launch starts three children, prints their process numbers and runs until it is interrupted.
func launch() {
	s := newSupervisor()
	defer s.stopAll()
	for range 3 {
		c, err := s.daemon(spec{name: "sleep", path: "sleep", args: []string{"300"}, grace: time.Second})
		if err != nil {
			panic(err)
		}
		fmt.Println(c.cmd.Process.Pid)
	}
	<-s.ctx.Done()
}

// startLauncher returns a launcher and its children's process numbers.
func startLauncher(t *testing.T) (*exec.Cmd, []int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asLauncher+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	pids := make([]int, 3)
	for i, lines := 0, bufio.NewReader(out); i < len(pids); i++ {
		if _, err := fmt.Fscanln(lines, &pids[i]); err != nil {
			t.Fatal("the launcher does not tell its children:", err)
		}
	}
	return cmd, pids
}

func TestInterruptedLauncherLeavesNoChild(t *testing.T) {
	launcher, pids := startLauncher(t)
	if err := launcher.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := launcher.Wait(); err != nil {
		t.Error("the launcher failed:", err)
	}
	expectGone(t, pids)
}

// expectGone waits shortly for processes to end. One that nobody has reaped yet counts as ended.
func expectGone(t *testing.T, pids []int) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for _, pid := range pids {
		for alive(pid) {
			if time.Now().After(deadline) {
				t.Fatalf("process %d still runs", pid)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || !strings.Contains(string(stat), ") Z ")
}

func TestDeathOfADaemonIsExplained(t *testing.T) {
	s := newSupervisor()
	defer s.stopAll()
	log := filepath.Join(t.TempDir(), "server.log")
	if _, err := s.daemon(spec{name: "server", path: "sh", args: []string{"-c", "echo cannot bind; exit 3"}, log: log}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.ctx.Done():
	case <-time.After(time.Minute):
		t.Fatal("nobody noticed")
	}
	for _, want := range []string{"server", "exit status 3", "cannot bind", log} {
		if !strings.Contains(s.cause().Error(), want) {
			t.Errorf("%q is missing in: %v", want, s.cause())
		}
	}
}

// A child that ignores the polite signal, and what that child has started, are killed after the grace.
func TestStopKillsStubbornGroup(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c, err := start(spec{name: "stubborn", path: "sh", args: []string{"-c", "trap '' TERM; echo ready; sleep 300; sleep 300"},
		stdout: w, grace: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	lines := bufio.NewReader(r)
	if _, err := lines.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	c.stop(syscall.SIGTERM)
	// The pipe ends only when nobody of the group holds it any more.
	if _, err := io.ReadAll(lines); err != nil {
		t.Fatal(err)
	}
}

func TestNothingStartsWhileStopping(t *testing.T) {
	s := newSupervisor()
	s.stopAll()
	if _, err := s.daemon(spec{name: "late", path: "sleep", args: []string{"300"}}); err == nil {
		t.Error("a process was started after the stop")
	}
	if err := s.run(spec{name: "late", path: "true"}); err == nil {
		t.Error("a command was run after the stop")
	}
}

func TestOutputTellsWhatTheCommandSaid(t *testing.T) {
	s := newSupervisor()
	defer s.stopAll()
	out, err := s.output(spec{name: "tool", path: "sh", args: []string{"-c", "echo result; echo reason >&2; exit 1"}})
	if out != "result\n" {
		t.Errorf("output is %q", out)
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) || !strings.Contains(err.Error(), "reason") {
		t.Errorf("error is %v", err)
	}
}

func TestLastLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte("one\ntwo\n"+strings.Repeat("x", 1000)+"\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := strings.Split(lastLines(path, 2), "\n")
	if len(got) != 2 || got[0] != "two" || len(got[1]) > 500 {
		t.Errorf("got %q", got)
	}
}
