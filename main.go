// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// The NSM operator: installs, upgrades and keeps healthy a Network Service Mesh.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"time"

	uberzap "go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	nsmv1alpha1 "github.com/networkservicemesh/nsm-operator/apis/v1alpha1"
	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/controllers"
	"github.com/networkservicemesh/nsm-operator/internal/certs"
	"github.com/networkservicemesh/nsm-operator/internal/installation"
	"github.com/networkservicemesh/nsm-operator/internal/lead"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/migrate"
	"github.com/networkservicemesh/nsm-operator/internal/monitoring"
	"github.com/networkservicemesh/nsm-operator/internal/ownpolicy"
	"github.com/networkservicemesh/nsm-operator/internal/platform"
	"github.com/networkservicemesh/nsm-operator/internal/settings"
	"github.com/networkservicemesh/nsm-operator/webhooks"
)

// +kubebuilder:rbac:groups=authentication.k8s.io,resources=tokenreviews,verbs=create
// +kubebuilder:rbac:groups=authorization.k8s.io,resources=subjectaccessreviews,verbs=create
// +kubebuilder:rbac:groups="",namespace=nsm-operator-system,resources=events,verbs=create
// +kubebuilder:rbac:groups=coordination.k8s.io,namespace=nsm-operator-system,resources=leases,verbs=create
// +kubebuilder:rbac:groups=coordination.k8s.io,namespace=nsm-operator-system,resources=leases,resourceNames=nsm-operator,verbs=update

// version of the operator; the linker sets it.
var version string

// renewDeadline is when a leader gives up that cannot renew its Lease; another
// one leads after 15 seconds at the earliest.
const renewDeadline = 10 * time.Second

// options are the operator's flags.
type options struct {
	leaderElect                  bool
	metricsAddress, probeAddress string
	webhookPort                  int
	webhookURL                   string
	namespace, watchNamespaces   string
	monitoring                   bool
	networkPolicy                bool
}

func main() {
	var o options
	flag.BoolVar(&o.leaderElect, "leader-elect", true, "let one of several replicas lead; all of them serve webhooks")
	flag.StringVar(&o.metricsAddress, "metrics-bind-address", ":8443", "address of the metrics, over TLS and for those who may read them; 0 for none")
	flag.StringVar(&o.probeAddress, "health-probe-bind-address", ":8081", "address of /healthz and /readyz")
	flag.IntVar(&o.webhookPort, "webhook-port", 10250, "port of the webhooks")
	flag.StringVar(&o.webhookURL, "webhook-url", "", "how the API server reaches the webhooks of an operator outside the cluster: https://host:port")
	flag.StringVar(&o.namespace, "namespace", os.Getenv("POD_NAMESPACE"), "namespace of the operator itself (default: $POD_NAMESPACE)")
	flag.StringVar(&o.watchNamespaces, "watch-namespaces", "", "namespaces whose NSMs are acted on, with commas between them (default: all)")
	flag.BoolVar(&o.monitoring, "monitoring", false, "make a ServiceMonitor and alerts for the operator itself, where Prometheus' operator is served")
	flag.BoolVar(&o.networkPolicy, "network-policy", true,
		"limit who reaches the operator's own pods, by a NetworkPolicy, unless $NETWORK_POLICY is false")
	logging := zap.Options{}
	logging.BindFlags(flag.CommandLine) // --zap-log-level, --zap-encoder, ...
	flag.Parse()
	now := &settings.Settings{Level: levelOf(&logging)}
	logging.Level = now.Level
	ctrl.SetLogger(zap.New(zap.UseFlagOptions(&logging)))

	if err := limitMemory(os.Getenv("MEMORY_LIMIT")); err != nil {
		ctrl.Log.Error(err, "The garbage collector does not know how much memory there is")
	}
	if err := run(ctrl.SetupSignalHandler(), o, now); err != nil {
		ctrl.Log.Error(err, "The operator stops")
		os.Exit(1)
	}
}

// limitMemory has Go collect its garbage early, rather than take twice the memory that
// is in use, and in time, rather than have the process killed at the container's memory
// limit, in bytes. A fifth of that is for what Go does not count: the pages of the
// program itself, and the kernel's buffers. GOGC and GOMEMLIMIT, the user's own words,
// come first.
func limitMemory(limit string) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
	if limit == "" || os.Getenv("GOMEMLIMIT") != "" {
		return nil
	}
	bytes, err := strconv.ParseInt(limit, 10, 64)
	if err != nil || bytes <= 0 {
		return fmt.Errorf("MEMORY_LIMIT: %q: must be a number of bytes", limit)
	}
	debug.SetMemoryLimit(bytes / 5 * 4)
	return nil
}

// levelOf is the level that the flags ask for.
func levelOf(logging *zap.Options) uberzap.AtomicLevel {
	switch {
	case logging.Level != nil:
		return uberzap.NewAtomicLevelAt(zapcore.LevelOf(logging.Level))
	case logging.Development:
		return uberzap.NewAtomicLevelAt(zapcore.DebugLevel)
	default:
		return uberzap.NewAtomicLevel()
	}
}

// run serves until the context ends.
func run(ctx context.Context, o options, current *settings.Settings) error {
	if o.namespace == "" {
		return errors.New("--namespace: must be the namespace of the operator (or set POD_NAMESPACE)")
	}
	watched, err := controllers.ParseNamespaces(o.watchNamespaces)
	if err != nil {
		return fmt.Errorf("--watch-namespaces: %w", err)
	}
	isAllowed, err := allowsNetworkPolicy(os.Getenv("NETWORK_POLICY"))
	if err != nil {
		return err
	}
	o.networkPolicy = o.networkPolicy && isAllowed
	config, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	if err := current.Follow(ctx, config, o.namespace); err != nil {
		return err
	}
	self := &installation.Installation{
		Member: installation.Member{Namespace: o.namespace, WatchNamespaces: watched, Version: version}, Config: config, ProbeAddress: o.probeAddress,
	}
	place, err := tried(ctx, "finding the place among the installations", self.Enter)
	if ctx.Err() != nil {
		return nil //nolint:nilerr // it was told to end while it stood by
	}
	if err != nil {
		return err
	}
	tlsOptions := []func(*tls.Config){current.TLS.Hold}
	var issuer *certs.Issuer
	if place.Serves {
		// The API server must be able to convert before anybody reads an NSM.
		issuer = &certs.Issuer{Config: config, Namespace: o.namespace, URL: o.webhookURL, Annotation: installation.Annotation}
		issued, err := tried(ctx, "the webhooks' certificate", issuer.Ensure)
		if err != nil {
			return err
		}
		tlsOptions = append(tlsOptions, issued)
	}
	if o.leaderElect {
		config = rest.CopyConfig(config)
		config.Wrap((&lead.Fence{Namespace: o.namespace, Name: installation.LeaseName, Validity: renewDeadline}).Wrap)
	}
	server := webhooks.NewServer(webhook.Options{Port: o.webhookPort, TLSOpts: tlsOptions})
	mgr, err := ctrl.NewManager(config, managerOptions(newScheme(), o, server, tlsOptions))
	if err != nil {
		return err
	}
	if err := mgr.Add(controllers.EveryReplica(func(ctx context.Context) error { return self.Keep(ctx, place) })); err != nil {
		return err
	}
	if err := addMonitoring(mgr, o); err != nil {
		return err
	}
	if err := keepOwnPolicy(mgr, o); err != nil {
		return err
	}
	if err := setup(ctx, mgr, o.namespace, watched, issuer); err != nil {
		return err
	}
	return mgr.Start(ctx)
}

// allowsNetworkPolicy reads the variable by which those turn the policy off who cannot
// change the flags, such as subscribers with OLM.
func allowsNetworkPolicy(variable string) (bool, error) {
	if variable == "" {
		return true, nil
	}
	is, err := strconv.ParseBool(variable)
	if err != nil {
		return false, fmt.Errorf("NETWORK_POLICY: %q: must be true or false", variable)
	}
	return is, nil
}

// keepOwnPolicy has the replica that leads keep the NetworkPolicy of all.
func keepOwnPolicy(mgr ctrl.Manager, o options) error {
	// The manager's own client reads from the cache, and the policy is not there.
	direct, err := client.NewWithWatch(mgr.GetConfig(), clientOptions(mgr))
	if err != nil {
		return err
	}
	return mgr.Add(&ownpolicy.Policy{Client: direct, Namespace: o.namespace, Wanted: o.networkPolicy})
}

// tried takes a step of the start, and tries again for some seconds if it fails: one
// answer of a busy API server need not end the process.
func tried[T any](ctx context.Context, step string, take func(context.Context) (T, error)) (result T, err error) {
	pauses := wait.Backoff{Duration: 100 * time.Millisecond, Factor: 2, Jitter: 0.1, Steps: 8}
	err = retry.OnError(pauses, func(err error) bool {
		ctrl.Log.Error(err, "A step of the start has failed", "step", step)
		return ctx.Err() == nil
	}, func() error {
		result, err = take(ctx)
		return err
	})
	if err != nil {
		return result, fmt.Errorf("%s: %w", step, err)
	}
	return result, nil
}

// setup registers the loop and, where this installation serves the cluster and so has
// an issuer, the webhooks.
func setup(ctx context.Context, mgr ctrl.Manager, namespace string, watched []string, issuer *certs.Issuer) error {
	found, err := tried(ctx, "detecting the platform", func(ctx context.Context) (mesh.Platform, error) {
		return platform.Detect(ctx, discovery.NewDiscoveryClientForConfigOrDie(mgr.GetConfig()))
	})
	if err != nil {
		return err
	}
	ctrl.Log.Info("Detected the platform", "offers", found)
	if issuer != nil {
		if err := issuer.SetupWithManager(mgr); err != nil {
			return err
		}
		if err := webhooks.Setup(mgr, mgr.GetCache()); err != nil {
			return err
		}
		if err := mgr.Add(&migrate.Migration{Config: mgr.GetConfig()}); err != nil {
			return err
		}
	}
	if err := (&controllers.NSMReconciler{
		Platform: found, Namespace: namespace, WatchNamespaces: watched, RelatedImages: mesh.RelatedImages(os.Environ()),
		Metrics: metrics.Registry,
	}).SetupWithManager(mgr); err != nil {
		return err
	}
	return controllers.AddProbes(mgr, issuer != nil, issuer.Ready)
}

// addMonitoring has Prometheus watch the operator, or no longer do so. Its client has no
// cache: what it reads is little, and in no cache of the manager's.
func addMonitoring(mgr ctrl.Manager, o options) error {
	c, err := client.New(mgr.GetConfig(), clientOptions(mgr))
	if err != nil {
		return err
	}
	keeper := monitoring.Keeper{Client: c, Discovery: discovery.NewDiscoveryClientForConfigOrDie(mgr.GetConfig()), Namespace: o.namespace}
	if o.monitoring {
		return mgr.Add(&keeper)
	}
	return mgr.Add(&monitoring.Remover{Keeper: keeper})
}

// clientOptions are those of a client of its own beside the manager's.
func clientOptions(mgr ctrl.Manager) client.Options {
	return client.Options{HTTPClient: mgr.GetHTTPClient(), Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper()}
}

func newScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	// All kinds of Kubernetes would take a megabyte.
	for _, add := range []func(*runtime.Scheme) error{
		admissionregistrationv1.AddToScheme, appsv1.AddToScheme, corev1.AddToScheme, networkingv1.AddToScheme, policyv1.AddToScheme, rbacv1.AddToScheme,
		storagev1.AddToScheme, nsmv1alpha1.AddToScheme, nsmv1beta1.AddToScheme,
	} {
		utilruntime.Must(add(scheme))
	}
	return scheme
}

// managerOptions of this process, whose servers are all secured in one way: the metrics have
// the webhooks' certificate, which those who read them can verify by what the API server is
// told to trust.
func managerOptions(scheme *runtime.Scheme, o options, server webhook.Server, tlsOptions []func(*tls.Config)) ctrl.Options {
	return ctrl.Options{
		Scheme:         scheme,
		MapperProvider: controllers.Mapper,
		Metrics: metricsserver.Options{
			BindAddress: o.metricsAddress, SecureServing: true, TLSOpts: tlsOptions,
			FilterProvider: monitoring.Readers,
		},
		HealthProbeBindAddress:        o.probeAddress,
		WebhookServer:                 server,
		LeaderElection:                o.leaderElect,
		LeaderElectionID:              installation.LeaseName,
		RenewDeadline:                 ptr.To(renewDeadline),
		LeaderElectionNamespace:       o.namespace,
		LeaderElectionReleaseOnCancel: true,
		Cache:                         controllers.CacheOptions(),
		Client:                        controllers.ClientOptions(),
	}
}
