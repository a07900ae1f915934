package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// errInterrupted is the cause of an end by Ctrl-C or SIGTERM.
var errInterrupted = errors.New("interrupted")

// supervisor holds every child of this launcher. Its context ends with errInterrupted on the first signal, or with
// an obituary when a daemon dies; all waiting is bound to it.
type supervisor struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	// background holds the launcher's own goroutines that use the children: they end with the context.
	background sync.WaitGroup

	mu       sync.Mutex
	children []*child // in the order of their start
	closed   bool     // stopping: nothing new is started
	onStart  func([]*child)
}

// newSupervisor also takes over SIGINT, SIGTERM and SIGHUP: the first begins an orderly stop, the second kills.
func newSupervisor() *supervisor {
	ctx, cancel := context.WithCancelCause(context.Background())
	s := &supervisor{ctx: ctx, cancel: cancel}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		<-signals
		cancel(errInterrupted)
		<-signals
		s.killAll()
		os.Exit(exitCodeInterrupted)
	}()
	return s
}

// cause says why the context ended.
func (s *supervisor) cause() error { return context.Cause(s.ctx) }

// daemon starts a child that has to live until it is stopped: its death ends the supervisor's context.
func (s *supervisor) daemon(sp spec) (*child, error) {
	c, err := s.start(sp)
	if err != nil {
		return nil, err
	}
	go func() {
		<-c.done
		s.cancel(c.obituary()) // without effect in an orderly stop, which has a cause already
	}()
	return c, nil
}

// run runs a command to its end. When the context ends first, the command is interrupted and the cause returned.
func (s *supervisor) run(sp spec) error {
	c, err := s.start(sp)
	if err != nil {
		return err
	}
	defer s.forget(c)
	select {
	case <-c.done:
		return c.err
	case <-s.ctx.Done():
		c.stop(syscall.SIGINT)
		return s.cause()
	}
}

// output runs a command and returns what it wrote to stdout; an error holds what it wrote to stderr.
func (s *supervisor) output(sp spec) (string, error) {
	var stdout, stderr bytes.Buffer
	sp.stdout, sp.stderr = &stdout, &stderr
	err := s.run(sp)
	if err != nil && s.ctx.Err() == nil {
		err = fmt.Errorf("%s: %w\n%s", sp.name, err, indent(strings.TrimSpace(stderr.String())))
	}
	return stdout.String(), err
}

func (s *supervisor) start(sp spec) (*child, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, fmt.Errorf("%s is not started: stopping", sp.name)
	}
	c, err := start(sp)
	if err != nil {
		return nil, err
	}
	s.children = append(s.children, c)
	if s.onStart != nil {
		s.onStart(s.children)
	}
	return c, nil
}

func (s *supervisor) forget(c *child) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.children = slices.DeleteFunc(s.children, func(other *child) bool { return other == c })
}

// stopAll ends all children, the last started first, and returns when they are gone.
func (s *supervisor) stopAll() {
	s.cancel(context.Canceled)
	s.background.Wait()
	for _, c := range slices.Backward(s.close()) {
		c.stop(syscall.SIGTERM)
	}
}

// killAll ends all children at once.
func (s *supervisor) killAll() {
	for _, c := range s.close() {
		c.signal(syscall.SIGKILL)
	}
}

func (s *supervisor) close() []*child {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return slices.Clone(s.children)
}
