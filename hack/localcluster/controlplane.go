package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// startTimeout bounds every single wait of a start; a busy two-core machine needs a small part of it.
const startTimeout = 2 * time.Minute

// serviceNetwork is where the API server takes Service addresses from; its first address is its own Service's.
const (
	serviceNetwork   = "10.96.0.0/16"
	apiServerService = "10.96.0.1"
)

// cluster is one local control plane: its place on disk, its addresses and its processes.
type cluster struct {
	*supervisor
	assets  string // directory of the binaries
	dir     string // directory of everything that a run writes
	nodes   int
	audited string // user whose requests are logged; "" for nobody's
	// notSimulated is the beginning of the images whose pods somebody else runs; "" for none.
	notSimulated string
	// podStart is how long a simulated pod takes until it runs.
	podStart time.Duration
	// programs is the directory of those that kubectl exec runs; "" for no exec. kubeletPort is where kwok serves it.
	programs    string
	kubeletPort int
	proxy       string   // socket of the proxy to Services; "" for none
	lock        *os.File // held open: closing it would give the directory away
	ca          *authority
	api         *api
	etcdURL     string
	url         string // of the API server
}

// path is a file or directory of this run.
func (c *cluster) path(elements ...string) string {
	return filepath.Join(append([]string{c.dir}, elements...)...)
}

func (c *cluster) kubeconfig() string { return c.path("kubeconfig") }

// bringUp starts the control plane and its nodes and returns when they are usable.
func (c *cluster) bringUp() error {
	steps := []func() error{
		c.clean, c.startEtcd, c.startAPIServer, c.startControllers, c.startKwok, c.createNodes, c.waitUsable,
		c.startForwarders,
	}
	for _, step := range steps {
		if c.ctx.Err() != nil {
			return c.cause()
		}
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) checkAssets() error {
	for _, bin := range binaries() {
		if _, err := os.Stat(filepath.Join(c.assets, bin.name)); err != nil {
			return fmt.Errorf("%s is not built: run `localcluster build --out %s` first", bin.name, c.assets)
		}
	}
	return nil
}

// clean removes what an earlier run has left in the directory, apart from logs, which are overwritten one by one.
func (c *cluster) clean() error {
	for _, name := range []string{"etcd", "pki", "kubeconfig", "operator.kubeconfig", "kubectl-cache", "volume-plugins"} {
		if err := os.RemoveAll(c.path(name)); err != nil {
			return fmt.Errorf("data of an earlier run: %w", err)
		}
	}
	return os.MkdirAll(c.path("pki"), 0o700)
}

// startEtcd starts the store and waits for it: the API server looks for it only once a second.
func (c *cluster) startEtcd() error {
	ports, err := freePorts(2)
	if err != nil {
		return err
	}
	c.etcdURL = fmt.Sprintf("http://127.0.0.1:%d", ports[0])
	peer := fmt.Sprintf("http://127.0.0.1:%d", ports[1])
	err = c.startBinary("etcd", time.Second,
		"--name=local", "--data-dir="+c.path("etcd"),
		"--unsafe-no-fsync", // the data does not outlive the run
		"--listen-client-urls="+c.etcdURL, "--advertise-client-urls="+c.etcdURL,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=local="+peer,
		"--log-level=warn",
	)
	if err != nil {
		return err
	}
	return waitFor(c.ctx, "etcd's health", startTimeout, func(ctx context.Context) error {
		return httpOK(ctx, c.etcdURL+"/health")
	})
}

// startAPIServer makes all keys and certificates, starts kube-apiserver and waits until it is ready.
func (c *cluster) startAPIServer() error {
	ports, err := freePorts(1)
	if err != nil {
		return err
	}
	c.url = fmt.Sprintf("https://127.0.0.1:%d", ports[0])
	if err := c.writeKeys(); err != nil {
		return err
	}
	audit, err := c.auditArguments()
	if err != nil {
		return err
	}
	extra, err := c.proxyArguments()
	if err != nil {
		return err
	}
	if c.programs != "" {
		extra = append(extra, "--kubelet-preferred-address-types="+kubeletAddress)
	}
	err = c.startBinary("kube-apiserver", 2*time.Second, append(append(audit, extra...), // it would take a minute, for clients that are gone
		"--etcd-servers="+c.etcdURL,
		"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", ports[0]),
		"--endpoint-reconciler-type=none", // endpoints may not be loopback addresses
		"--service-cluster-ip-range="+serviceNetwork,
		"--cert-dir="+c.path("pki"),
		"--tls-cert-file="+c.path("pki", "apiserver.crt"), "--tls-private-key-file="+c.path("pki", "apiserver.key"),
		"--client-ca-file="+c.path("pki", "ca.crt"),
		"--authorization-mode=Node,RBAC",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file="+c.path("pki", "sa.key"), "--service-account-signing-key-file="+c.path("pki", "sa.key"),
		"--enable-aggregator-routing=true", // no kube-proxy here: Services are resolved to their endpoints
		"--allow-privileged=true",          // forwarders are privileged
		"--profiling=false",
	)...)
	if err != nil {
		return err
	}
	return waitFor(c.ctx, "kube-apiserver's /readyz", startTimeout, func(ctx context.Context) error {
		return c.api.get(ctx, "/readyz", nil)
	})
}

// writeKeys makes this run's authority and writes what the programs need of it, and the administrator's kubeconfig.
func (c *cluster) writeKeys() error {
	ca, err := newAuthority()
	if err != nil {
		return err
	}
	c.ca = ca
	serving, err := ca.server("kube-apiserver",
		[]string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"},
		[]net.IP{net.IPv4(127, 0, 0, 1), net.ParseIP(apiServerService)})
	if err != nil {
		return err
	}
	signing, err := newSigningKey()
	if err != nil {
		return err
	}
	admin, err := c.writeClient(c.kubeconfig(), "local-admin", "system:masters")
	if err != nil {
		return err
	}
	if c.api, err = newAPI(c.url, ca.pem(), admin); err != nil {
		return err
	}
	_, managerErr := c.writeClient(c.path("pki", "kube-controller-manager.kubeconfig"), "system:kube-controller-manager")
	_, schedulerErr := c.writeClient(c.path("pki", "kube-scheduler.kubeconfig"), "system:kube-scheduler")
	return errors.Join(managerErr, schedulerErr,
		os.WriteFile(c.path("pki", "ca.crt"), ca.pem(), 0o600),
		os.WriteFile(c.path("pki", "apiserver.crt"), serving.cert, 0o600),
		os.WriteFile(c.path("pki", "apiserver.key"), serving.key, 0o600),
		os.WriteFile(c.path("pki", "sa.key"), signing, 0o600),
	)
}

// writeClient issues a client certificate and writes a kubeconfig with it.
func (c *cluster) writeClient(path, user string, groups ...string) (keyPair, error) {
	pair, err := c.ca.client(user, groups...)
	if err != nil {
		return pair, err
	}
	return pair, os.WriteFile(path, kubeconfigText(c.url, c.ca.pem(), certUser(pair)), 0o600)
}

// startControllers starts kube-controller-manager and kube-scheduler. They are the only ones of their kind, so they
// need no election, and nobody asks their own endpoints, so they serve none.
func (c *cluster) startControllers() error {
	common := []string{"--leader-elect=false", "--secure-port=0", "--profiling=false", "--kube-api-qps=500", "--kube-api-burst=1000"}
	err := c.startBinary("kube-controller-manager", 2*time.Second, append(common,
		"--kubeconfig="+c.path("pki", "kube-controller-manager.kubeconfig"),
		"--use-service-account-credentials=true",
		"--service-account-private-key-file="+c.path("pki", "sa.key"),
		"--root-ca-file="+c.path("pki", "ca.crt"),
		"--flex-volume-plugin-dir="+c.path("volume-plugins"), // else one is made under /usr
	)...)
	if err != nil {
		return err
	}
	return c.startBinary("kube-scheduler", time.Second, append(common,
		"--kubeconfig="+c.path("pki", "kube-scheduler.kubeconfig"))...)
}

// startBinary starts a program of the control plane that has to live until the end.
func (c *cluster) startBinary(name string, grace time.Duration, args ...string) error {
	_, err := c.daemon(spec{
		name: name, path: filepath.Join(c.assets, name), args: args, env: c.daemonEnvironment(),
		log: c.path("log", name+".log"), grace: grace,
	})
	return err
}

// daemonEnvironment is ours without what would reach into the programs' settings behind their flags.
func (c *cluster) daemonEnvironment() []string {
	env := []string{"KWOK_WORKDIR=" + c.path("kwok")} // else kwok also reads a configuration in the home directory
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "ETCD_") || strings.HasPrefix(name, "KWOK_") || name == "KUBECONFIG" {
			continue
		}
		env = append(env, entry)
	}
	return env
}

// clientEnvironment is for programs that use the cluster: kubectl and tests find it and each other without flags.
func (c *cluster) clientEnvironment() []string {
	return append(os.Environ(),
		"KUBECONFIG="+c.kubeconfig(),
		"KUBEBUILDER_ASSETS="+c.assets,
		"PATH="+c.assets+string(os.PathListSeparator)+os.Getenv("PATH"),
		// The default cache is kept by address, and another cluster had this address before.
		"KUBECACHEDIR="+c.path("kubectl-cache"),
	)
}

// freePorts returns ports of 127.0.0.1 that nobody listens on. They are held all at once, so that they differ.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		listener, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("free port: %w", err)
		}
		defer listener.Close()
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// httpOK asks a plain health endpoint.
func httpOK(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	client := http.Client{Timeout: 5 * time.Second}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	return nil
}
