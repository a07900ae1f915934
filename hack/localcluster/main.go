// Command localcluster builds a real Kubernetes control plane from source, starts it on this machine with
// simulated nodes, and leaves nothing behind when it ends. It needs Go and nothing else: no root, no containers.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
)

const usage = `localcluster is a Kubernetes control plane on this machine, built from source.

  localcluster build  build its binaries, once
  localcluster up     start it, for a command or until Ctrl-C
  localcluster run    start it with the operator and a mesh, until Ctrl-C

"localcluster COMMAND -h" lists the flags of a command.
`

// exitCodeInterrupted is what shells use for a program ended by Ctrl-C.
const exitCodeInterrupted = 130

// exitCode ends the program with the code of a command that has already said what was wrong.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

func main() {
	os.Exit(dispatch(os.Args[1:]))
}

// dispatch runs one subcommand and turns its error into an exit code; what has to be said is printed here, once.
func dispatch(args []string) int {
	commands := map[string]func([]string) error{"build": build, "up": up, "run": run}
	if len(args) == 0 || commands[args[0]] == nil {
		fmt.Fprint(os.Stderr, usage)
		return 2
	}
	err := commands[args[0]](args[1:])
	var code exitCode
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &code):
		return int(code)
	case errors.Is(err, errInterrupted), errors.Is(err, context.Canceled):
		return exitCodeInterrupted
	default:
		fmt.Fprintln(os.Stderr, "localcluster:", err)
		return 1
	}
}

// newFlags makes the flag set of a subcommand; parse errors are returned, not fatal, so that deferred stops run.
func newFlags(name string) *flag.FlagSet {
	return flag.NewFlagSet("localcluster "+name, flag.ContinueOnError)
}

// parse reads flags and reports an error that flag has already printed as the conventional exit code 2.
func parse(flags *flag.FlagSet, args []string) error {
	err := flags.Parse(args)
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return err
	}
	return exitCode(2)
}
