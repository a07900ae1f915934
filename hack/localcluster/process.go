package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// spec says how a child process is run.
type spec struct {
	name   string   // what people call it
	path   string   // the executable
	args   []string // without the executable itself
	env    []string // the whole environment; nil means ours
	log    string   // file that takes stdout and stderr; empty means the writers below
	stdin  *os.File
	stdout io.Writer
	stderr io.Writer
	grace  time.Duration // how long it may take to end after the polite signal
}

// child is a process of ours. It leads a process group of its own: Ctrl-C on the terminal reaches only the
// launcher, which then ends its children in order, and a signal to the group reaches what the child has started.
type child struct {
	spec
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended and was reaped
	err  error         // how it ended; to be read after done
}

// start starts the process; the error names it.
func start(s spec) (*child, error) {
	cmd := exec.Command(s.path, s.args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = s.env, s.stdout, s.stderr
	cmd.WaitDelay = 2 * time.Second
	if s.stdin != nil {
		cmd.Stdin = s.stdin
	}
	if s.log != "" {
		file, err := createLog(s.log)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		defer file.Close() // the child holds its own descriptor
		cmd.Stdout, cmd.Stderr = file, file
	}
	cmd.SysProcAttr = childAttributes()
	if err := startOnLastingThread(cmd); err != nil {
		return nil, fmt.Errorf("%s does not start: %w", s.name, err)
	}
	c := &child{spec: s, cmd: cmd, done: make(chan struct{})}
	go c.reap()
	return c, nil
}

func createLog(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	return os.Create(path)
}

func (c *child) reap() {
	c.err = c.cmd.Wait()
	// What the child has started and not waited for goes with it.
	c.signal(syscall.SIGKILL)
	close(c.done)
}

// signal reaches the child's whole group. Errors mean that it is gone already.
func (c *child) signal(sig syscall.Signal) {
	_ = syscall.Kill(-c.cmd.Process.Pid, sig)
}

// stop asks politely, waits for the grace, then kills; it returns when the process is gone.
func (c *child) stop(polite syscall.Signal) {
	c.signal(polite)
	select {
	case <-c.done:
	case <-time.After(c.grace):
		c.kill()
	}
}

func (c *child) kill() {
	c.signal(syscall.SIGKILL)
	<-c.done
}

// obituary says why a child that should have lived is dead, as far as its log tells.
func (c *child) obituary() error {
	how := "ended by itself"
	if c.err != nil {
		how = c.err.Error()
	}
	if c.log == "" {
		return fmt.Errorf("%s is gone: %s", c.name, how)
	}
	return fmt.Errorf("%s is gone: %s\n%s\nits whole log: %s", c.name, how, indent(lastLines(c.log, 8)), c.log)
}

// lastLines returns the last n lines of a file, shortened to what fits a screen.
func lastLines(path string, n int) string {
	const tail, width = 64 << 10, 400
	file, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.Size() > tail {
		_, _ = file.Seek(-tail, io.SeekEnd)
	}
	text, err := io.ReadAll(file)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	lines = lines[max(0, len(lines)-n):]
	for i, line := range lines {
		if len(line) > width {
			lines[i] = line[:width] + " ..."
		}
	}
	return strings.Join(lines, "\n")
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n    ")
}

// startOnLastingThread starts a process from a thread that lives as long as the launcher does. The kernel ties
// the parent-death signal to the thread that forked, not to the process: from any other goroutine a child would
// be killed as soon as the Go runtime retires that thread.
func startOnLastingThread(cmd *exec.Cmd) error {
	startThread()
	result := make(chan error)
	starts <- func() { result <- cmd.Start() }
	return <-result
}

var starts = make(chan func())

var startThread = sync.OnceFunc(func() {
	go func() {
		runtime.LockOSThread()
		for start := range starts {
			start()
		}
	}()
})
