package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The operator's identity in the manifests that --config names.
const (
	operatorNamespace = "nsm-operator-system"
	operatorAccount   = "nsm-operator"
)

// operatorRun is a control plane with the operator as a process beside it and one mesh in it.
type operatorRun struct {
	cluster
	manager string   // the operator's binary
	args    []string // more arguments for it
	config  string   // kustomization: namespaces, CRDs, RBAC
	sample  string   // file with the NSM
	timeout time.Duration
	mesh    mesh
}

// mesh is the NSM that the sample holds.
type mesh struct{ name, namespace string }

// run is the subcommand.
func run(args []string) error {
	r := &operatorRun{}
	flags := newFlags("run")
	r.addFlags(flags)
	flags.StringVar(&r.manager, "manager", "bin/manager", "the operator's binary")
	flags.StringVar(&r.config, "config", "config/local", "kustomization that is applied before the operator starts")
	flags.StringVar(&r.sample, "sample", "config/samples/nsm_v1alpha1_nsm.yaml", "file with the NSM to apply")
	flags.DurationVar(&r.timeout, "timeout", 3*time.Minute, "how long the NSM may take to become Available")
	if err := parse(flags, args); err != nil {
		return err
	}
	r.args = flags.Args()
	if err := r.checkFiles(); err != nil {
		return err
	}
	if err := r.prepare(); err != nil {
		return err
	}
	defer r.down()
	if err := r.bringUpTimed(); err != nil {
		return err
	}
	if err := r.bringUpMesh(); err != nil {
		return err
	}
	return r.untilInterrupted()
}

// checkFiles finds a mistyped path before the control plane starts, not after.
func (r *operatorRun) checkFiles() error {
	for flag, path := range map[string]string{"manager": r.manager, "config": r.config, "sample": r.sample} {
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("--%s: %w", flag, err)
		}
	}
	manager, err := filepath.Abs(r.manager)
	r.manager = manager
	return err
}

// bringUpMesh installs and starts the operator, applies the NSM and shows it when it is Available.
func (r *operatorRun) bringUpMesh() error {
	steps := []struct {
		done string
		do   func() error
	}{
		{"applied " + r.config, r.install},
		{"operator is ready, its log: " + r.path("log", "manager.log"), r.startManager},
		{"applied " + r.sample, r.applySample},
		{"Available", r.waitAvailable},
	}
	for _, step := range steps {
		begin := time.Now()
		if err := step.do(); err != nil {
			if r.ctx.Err() != nil {
				return r.cause()
			}
			return err
		}
		fmt.Printf("%s  %s\n", step.done, seconds(begin))
	}
	return r.show()
}

// kubectl is a run of the kubectl that was built, with its output on ours.
func (r *operatorRun) kubectl(args ...string) spec {
	return spec{
		name: "kubectl " + strings.Join(args, " "), path: filepath.Join(r.assets, "kubectl"), args: args,
		env: r.clientEnvironment(), stdout: os.Stdout, stderr: os.Stderr, grace: time.Second,
	}
}

// install applies the operator's manifests and waits until their resource types are served.
func (r *operatorRun) install() error {
	if _, err := r.output(r.kubectl("apply", "--server-side", "-k", r.config)); err != nil {
		return err
	}
	return r.waitForDefinitions()
}

// waitForDefinitions waits until the custom resources of all definitions are served. One that is quite new has no
// conditions at all, and with such a one kubectl does not wait for a condition but fails.
func (r *operatorRun) waitForDefinitions() error {
	for _, condition := range []string{"jsonpath={.status.conditions[0].type}", "condition=Established"} {
		if _, err := r.output(r.kubectl("wait", "--for="+condition, "crd", "--all", "--timeout=1m")); err != nil {
			return err
		}
	}
	return nil
}

// startManager starts the operator as its own ServiceAccount, so that it has exactly the rights it is shipped with,
// and waits until it is ready.
func (r *operatorRun) startManager() error {
	kubeconfig, err := r.writeOperatorKubeconfig()
	if err != nil {
		return err
	}
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	webhook, metrics, probe := ports[0], ports[1], ports[2]
	_, err = r.daemon(spec{
		name: "the operator", path: r.manager, log: r.path("log", "manager.log"), grace: 10 * time.Second,
		env: append(os.Environ(), "KUBECONFIG="+kubeconfig, "POD_NAMESPACE="+operatorNamespace),
		args: append([]string{
			fmt.Sprintf("--webhook-url=https://127.0.0.1:%d", webhook),
			fmt.Sprintf("--webhook-port=%d", webhook),
			fmt.Sprintf("--metrics-bind-address=127.0.0.1:%d", metrics),
			fmt.Sprintf("--health-probe-bind-address=127.0.0.1:%d", probe),
			"--leader-elect=true",
		}, r.args...),
	})
	if err != nil {
		return err
	}
	err = waitFor(r.ctx, "the operator's /readyz", r.timeout, func(ctx context.Context) error {
		return httpOK(ctx, fmt.Sprintf("http://127.0.0.1:%d/readyz", probe))
	})
	if err != nil && r.ctx.Err() == nil {
		return fmt.Errorf("%w\n%s\nits whole log: %s", err, indent(lastLines(r.path("log", "manager.log"), 8)), r.path("log", "manager.log"))
	}
	return err
}

// writeOperatorKubeconfig asks for a token of the operator's ServiceAccount. A day is longer than anybody watches.
func (r *operatorRun) writeOperatorKubeconfig() (path string, err error) {
	token, err := r.output(r.kubectl("create", "token", operatorAccount, "-n", operatorNamespace, "--duration", "24h"))
	if err != nil {
		return "", err
	}
	path = r.path("operator.kubeconfig")
	return path, os.WriteFile(path, kubeconfigText(r.url, r.ca.pem(), tokenUser(strings.TrimSpace(token))), 0o600)
}

// applySample applies the NSM. What kubectl says, warnings and refusals alike, is for the reader.
func (r *operatorRun) applySample() error {
	if err := r.run(r.kubectl("apply", "-f", r.sample)); err != nil {
		return fmt.Errorf("%s is not applied: %w\nthe operator's log: %s", r.sample, err, r.path("log", "manager.log"))
	}
	out, err := r.output(r.kubectl("get", "-f", r.sample, "-o", "json"))
	if err != nil {
		return err
	}
	r.mesh, err = findMesh([]byte(out))
	if err != nil {
		return fmt.Errorf("%s: %w", r.sample, err)
	}
	return nil
}

// findMesh finds the NSM among what kubectl prints: one object, or a list where the file holds several.
func findMesh(objects []byte) (mesh, error) {
	type item struct {
		Kind     string
		Metadata struct{ Name, Namespace string }
	}
	var found struct {
		item
		Items []item
	}
	if err := json.Unmarshal(objects, &found); err != nil {
		return mesh{}, fmt.Errorf("reading kubectl's output: %w", err)
	}
	for _, candidate := range append(found.Items, found.item) {
		if candidate.Kind == "NSM" {
			return mesh{candidate.Metadata.Name, candidate.Metadata.Namespace}, nil
		}
	}
	return mesh{}, errors.New("it holds no NSM")
}

// waitAvailable waits for the mesh, and when it does not come about says what its conditions say.
func (r *operatorRun) waitAvailable() error {
	name := "nsm/" + r.mesh.name
	_, err := r.output(r.kubectl("wait", name, "-n", r.mesh.namespace, "--for=condition=Available", "--timeout="+r.timeout.String()))
	if err == nil || r.ctx.Err() != nil {
		return err
	}
	const conditions = `jsonpath={range .status.conditions[*]}{.type}={.status} {.reason}: {.message}{"\n"}{end}`
	said, getErr := r.output(r.kubectl("get", name, "-n", r.mesh.namespace, "-o", conditions))
	if getErr != nil {
		said = getErr.Error()
	}
	if strings.TrimSpace(said) == "" {
		said = "it has no conditions: the operator has not looked at it"
	}
	return fmt.Errorf("%s in %s is not Available: %w\nits conditions:\n%s\nthe operator's log: %s",
		name, r.mesh.namespace, err, indent(said), r.path("log", "manager.log"))
}

// show prints what runs and what to do with it.
func (r *operatorRun) show() error {
	fmt.Println()
	if err := r.run(r.kubectl("get", "nsm,deployments,daemonsets,pods", "-n", r.mesh.namespace)); err != nil {
		return err
	}
	fmt.Printf(`
In another terminal (%s is a kubectl of this version):
  export KUBECONFIG=%s
  kubectl get nsm -n %[3]s --watch
  kubectl delete nsm %[4]s -n %[3]s
Ctrl-C stops everything.
`, filepath.Join(r.assets, "kubectl"), r.kubeconfig(), r.mesh.namespace, r.mesh.name)
	return nil
}
