package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// commandGrace is how long a command may clean up after itself when it is interrupted.
const commandGrace = 15 * time.Second

// up is the subcommand: the control plane alone, for a command or until Ctrl-C.
func up(args []string) error {
	c := &cluster{}
	flags := newFlags("up")
	c.addFlags(flags)
	c.addGuestFlags(flags)
	if err := parse(flags, args); err != nil {
		return err
	}
	if err := c.prepare(); err != nil {
		return err
	}
	defer c.down()
	if err := c.bringUpTimed(); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return c.untilInterrupted()
	}
	return c.command(flags.Args())
}

func (c *cluster) addFlags(flags *flag.FlagSet) {
	flags.StringVar(&c.assets, "assets", "bin/k8s", "directory of the control plane's binaries")
	flags.StringVar(&c.dir, "dir", ".local", "directory for kubeconfig, logs and data")
	flags.IntVar(&c.nodes, "nodes", 3, "number of simulated nodes")
	c.addAuditFlag(flags)
}

// addGuestFlags are for a caller who runs pods of the cluster himself.
func (c *cluster) addGuestFlags(flags *flag.FlagSet) {
	flags.StringVar(&c.notSimulated, "not-simulated", "", "leave pods whose image begins with this to another kubelet")
	flags.DurationVar(&c.podStart, "pod-start", 0, "how long a simulated pod takes until it runs")
	flags.StringVar(&c.programs, "exec-programs", "", "directory of programs that kubectl exec runs on this machine, for whatever pod; without it there is no exec")
	flags.StringVar(&c.proxy, "service-proxy", "", "Unix socket of an HTTP CONNECT proxy through which the API server reaches Services")
}

// prepare checks the settings and claims the directory; from here on, down has to be called.
func (c *cluster) prepare() error {
	if c.nodes < 0 || c.nodes > maxNodes {
		return fmt.Errorf("--nodes=%d: 0 to %d are possible", c.nodes, maxNodes)
	}
	if strings.ContainsAny(c.notSimulated, `"'\\`) {
		return fmt.Errorf("--not-simulated=%s: must be the beginning of an image, without quotes", c.notSimulated)
	}
	for _, path := range []*string{&c.assets, &c.dir, &c.programs} {
		if *path == "" {
			continue
		}
		absolute, err := filepath.Abs(*path)
		if err != nil {
			return err
		}
		*path = absolute
	}
	if err := c.checkAssets(); err != nil {
		return err
	}
	c.supervisor = newSupervisor()
	return c.claim()
}

// down stops everything and removes the data, which is of no use to the next run. Keys and logs stay to be looked at.
func (c *cluster) down() {
	c.stopAll()
	_ = os.RemoveAll(c.path("etcd"))
	_ = os.Remove(c.path("pids"))
}

func (c *cluster) bringUpTimed() error {
	begin := time.Now()
	if err := c.bringUp(); err != nil {
		// A process that died is the better reason than whatever failed for the lack of it.
		if c.ctx.Err() != nil {
			return c.cause()
		}
		return fmt.Errorf("the control plane does not come up: %w\nlogs: %s", err, c.path("log"))
	}
	fmt.Printf("control plane with %d nodes is up in %s: export KUBECONFIG=%s\n", c.nodes, seconds(begin), c.kubeconfig())
	return nil
}

// untilInterrupted waits for the end of a run that has nothing more to do: an interruption is its proper end.
func (c *cluster) untilInterrupted() error {
	<-c.ctx.Done()
	if errors.Is(c.cause(), errInterrupted) {
		return nil
	}
	return c.cause()
}

// command runs the caller's command in the cluster's environment and passes its exit code on.
func (c *cluster) command(args []string) error {
	env := c.clientEnvironment()
	path, err := c.lookPath(args[0])
	if err != nil {
		return err
	}
	err = c.run(spec{
		name: args[0], path: path, args: args[1:], env: env,
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, grace: commandGrace,
	})
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() >= 0 {
		return exitCode(exit.ExitCode())
	}
	return err
}

// lookPath finds a command as the command itself would: the binaries that were built come first.
func (c *cluster) lookPath(name string) (string, error) {
	if filepath.Base(name) == name {
		if path, err := exec.LookPath(filepath.Join(c.assets, name)); err == nil {
			return path, nil
		}
	}
	return exec.LookPath(name)
}

func seconds(since time.Time) string {
	return fmt.Sprintf("%.1fs", time.Since(since).Seconds())
}
