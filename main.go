// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// The NSM operator: installs, upgrades and keeps healthy a Network Service Mesh.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/discovery"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
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
	"github.com/networkservicemesh/nsm-operator/internal/platform"
	"github.com/networkservicemesh/nsm-operator/webhooks"
)

// +kubebuilder:rbac:groups=authentication.k8s.io,resources=tokenreviews,verbs=create
// +kubebuilder:rbac:groups=authorization.k8s.io,resources=subjectaccessreviews,verbs=create
// +kubebuilder:rbac:groups="",namespace=nsm-operator-system,resources=events,verbs=create
// +kubebuilder:rbac:groups=coordination.k8s.io,namespace=nsm-operator-system,resources=leases,verbs=create
// +kubebuilder:rbac:groups=coordination.k8s.io,namespace=nsm-operator-system,resources=leases,resourceNames=nsm-operator,verbs=update

// renewDeadline is when a leader gives up that cannot renew its Lease; another
// one leads after 15 seconds at the earliest.
const renewDeadline = 10 * time.Second

// options are the operator's flags.
type options struct {
	leaderElect                  bool
	metricsAddress, probeAddress string
	webhookPort                  int
	webhookCertDir, webhookURL   string
	namespace, watchNamespaces   string
}

func main() {
	var o options
	flag.BoolVar(&o.leaderElect, "leader-elect", true, "let one of several replicas lead; all of them serve webhooks")
	flag.StringVar(&o.metricsAddress, "metrics-bind-address", ":8443", "address of the metrics, over TLS and for those who may read them; 0 for none")
	flag.StringVar(&o.probeAddress, "health-probe-bind-address", ":8081", "address of /healthz and /readyz")
	flag.IntVar(&o.webhookPort, "webhook-port", 9443, "port of the webhooks")
	flag.StringVar(&o.webhookCertDir, "webhook-cert-dir", "/tmp/k8s-webhook-server/serving-certs", "directory of a mounted tls.crt and tls.key; without them the operator issues its own")
	flag.StringVar(&o.webhookURL, "webhook-url", "", "how the API server reaches the webhooks of an operator outside the cluster: https://host:port")
	flag.StringVar(&o.namespace, "namespace", os.Getenv("POD_NAMESPACE"), "namespace of the operator itself (default: $POD_NAMESPACE)")
	flag.StringVar(&o.watchNamespaces, "watch-namespaces", "", "namespaces whose NSMs are acted on, with commas between them (default: all)")
	logging := zap.Options{}
	logging.BindFlags(flag.CommandLine) // --zap-log-level, --zap-encoder, ...
	flag.Parse()
	ctrl.SetLogger(zap.New(zap.UseFlagOptions(&logging)))

	if err := run(ctrl.SetupSignalHandler(), o); err != nil {
		ctrl.Log.Error(err, "The operator stops")
		os.Exit(1)
	}
}

// run serves until the context ends.
func run(ctx context.Context, o options) error {
	if o.namespace == "" {
		return errors.New("--namespace: must be the namespace of the operator (or set POD_NAMESPACE)")
	}
	watched, err := controllers.ParseNamespaces(o.watchNamespaces)
	if err != nil {
		return fmt.Errorf("--watch-namespaces: %w", err)
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	us := &installation.Installation{
		Member: installation.Member{Namespace: o.namespace, WatchNamespaces: watched}, Config: config, ProbeAddress: o.probeAddress,
	}
	place, err := us.Enter(ctx)
	if ctx.Err() != nil {
		return nil //nolint:nilerr // it was told to end while it stood by
	}
	if err != nil {
		return err
	}
	server := webhook.Options{Port: o.webhookPort, CertDir: o.webhookCertDir}
	if place.Serves && !certs.IsMounted(o.webhookCertDir) {
		// The API server must be able to convert before anybody reads an NSM.
		issued, err := certs.Ensure(ctx, config, o.namespace, o.webhookURL)
		if err != nil {
			return fmt.Errorf("the webhooks' certificate: %w", err)
		}
		server.TLSOpts = append(server.TLSOpts, issued)
	}
	if o.leaderElect {
		config = rest.CopyConfig(config)
		config.Wrap((&lead.Fence{Namespace: o.namespace, Name: installation.LeaseName, Validity: renewDeadline}).Wrap)
	}
	mgr, err := ctrl.NewManager(config, managerOptions(newScheme(), o, webhook.NewServer(server)))
	if err != nil {
		return err
	}
	if err := mgr.Add(controllers.EveryReplica(func(ctx context.Context) error { return us.Keep(ctx, place) })); err != nil {
		return err
	}
	if err := setup(ctx, mgr, o.namespace, watched, place.Serves); err != nil {
		return err
	}
	return mgr.Start(ctx)
}

// setup registers the loop and, where this installation serves the cluster, the
// webhooks.
func setup(ctx context.Context, mgr ctrl.Manager, namespace string, watched []string, serves bool) error {
	found, err := platform.Detect(ctx, discovery.NewDiscoveryClientForConfigOrDie(mgr.GetConfig()))
	if err != nil {
		return err
	}
	ctrl.Log.Info("Detected the platform", "offers", found)
	if serves {
		if err := webhooks.Setup(mgr, mgr.GetCache()); err != nil {
			return err
		}
		if err := mgr.Add(&migrate.Migration{Config: mgr.GetConfig()}); err != nil {
			return err
		}
	}
	if err := (&controllers.NSMReconciler{
		Platform: found, Namespace: namespace, WatchNamespaces: watched, RelatedImages: mesh.RelatedImages(os.Environ()),
	}).SetupWithManager(mgr); err != nil {
		return err
	}
	return controllers.AddProbes(mgr, serves)
}

func newScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(nsmv1alpha1.AddToScheme(scheme))
	utilruntime.Must(nsmv1beta1.AddToScheme(scheme))
	return scheme
}

func managerOptions(scheme *runtime.Scheme, o options, server webhook.Server) ctrl.Options {
	return ctrl.Options{
		Scheme: scheme,
		Metrics: metricsserver.Options{
			BindAddress: o.metricsAddress, SecureServing: true, FilterProvider: filters.WithAuthenticationAndAuthorization,
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
