package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// claim makes the directory this launcher's own. The kernel drops the lock when the launcher dies, however that
// happens, so that a dead launcher never stands in the way of the next. The claim is held until the process ends.
func (c *cluster) claim() error {
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return err
	}
	lock, err := os.OpenFile(c.path("lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer lock.Close()
		return fmt.Errorf("a control plane already runs in %s (launcher %s): stop it with Ctrl-C or `kill`, or take another --dir",
			c.dir, firstLine(c.path("lock")))
	}
	c.lock = lock
	if err := lock.Truncate(0); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(lock, os.Getpid()); err != nil {
		return err
	}
	c.killSurvivors()
	c.onStart = c.writeSurvivors
	return nil
}

// writeSurvivors notes the running children, for the start after a launcher's violent death.
func (c *cluster) writeSurvivors(children []*child) {
	var lines strings.Builder
	for _, child := range children {
		fmt.Fprintln(&lines, child.cmd.Process.Pid, filepath.Base(child.path))
	}
	// Without the note the next start misses a survivor, at worst.
	_ = os.WriteFile(c.path("pids"), []byte(lines.String()), 0o644)
}

// killSurvivors ends what a killed launcher has left running, where the kernel has not done so. A process counts only
// if it still has the noted name, since its number may be another's by now.
func (c *cluster) killSurvivors() {
	note, err := os.ReadFile(c.path("pids"))
	if err != nil {
		return
	}
	for line := range strings.Lines(string(note)) {
		number, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		pid, err := strconv.Atoi(number)
		if err != nil || pid <= 1 || !runs(pid, name) {
			continue
		}
		fmt.Printf("ending %s (process %d), which an earlier run has left behind\n", name, pid)
		_ = syscall.Kill(-pid, syscall.SIGKILL)
	}
	_ = os.Remove(c.path("pids"))
}

// runs reports whether a process of that number and name runs; one that merely waits to be reaped does not.
func runs(pid int, name string) bool {
	out, err := exec.Command("ps", "-o", "stat=", "-o", "comm=", "-p", strconv.Itoa(pid)).Output()
	state, command, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	command = filepath.Base(strings.TrimSpace(command))
	const shortened = 15 // what Linux keeps of a name
	return err == nil && !strings.HasPrefix(state, "Z") && command == name[:min(len(name), max(shortened, len(command)))]
}

func firstLine(path string) string {
	text, _ := os.ReadFile(path)
	line, _, _ := strings.Cut(string(text), "\n")
	return line
}
