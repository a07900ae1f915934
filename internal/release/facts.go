// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package release

import "sync"

// Facts are the things in which NSM's releases differ, for one release.
type Facts struct {
	// The containers of the components. ExcludePrefixes is nsmgr's sidecar.
	RegistryK8s     Container
	RegistryMemory  Container
	Nsmgr           Container
	ExcludePrefixes Container
	VPP             Container
	OVS             Container
	SRIOV           Container
	Webhook         Container
	NsmgrProxy      Container
	MapIP           Container
	RegistryProxy   Container
	ClusterInfo     Container
	VL3IPAM         Container
	// DashboardBackend is the dashboard's, whose UI is of the same releases.
	DashboardBackend Container

	// ExcludePrefixesListsNamespaces: the sidecar watches the Services of one
	// namespace after the other.
	ExcludePrefixesListsNamespaces bool

	// The next registry in line, by the kind of registry.
	RegistryK8sProxyURL    string
	RegistryMemoryProxyURL string
	// RegistryMemoryProbe: the image of registry-memory holds grpc-health-probe.
	RegistryMemoryProbe bool
	// ForwarderEndpoints: a forwarder registers itself, under the name of its pod,
	// as an endpoint of the service "forwarder".
	ForwarderEndpoints bool
	// NsmgrListenOn is where nsmgr listens.
	NsmgrListenOn string
	// NsmgrProbeAddress is where nsmgr's probes ask.
	NsmgrProbeAddress string
	// ProbeTimings: probes have timings of NSM's own, and there is a startup probe.
	ProbeTimings bool
	// VPPHostPID: forwarder-vpp sees the node's processes.
	VPPHostPID bool
	// VPPDeviceMounts: forwarder-vpp mounts the kubelet's directory, cgroups and vfio.
	VPPDeviceMounts bool
	// VPPExternalMount: forwarder-vpp mounts the node's /var/run/vpp.
	VPPExternalMount bool
	// ForwarderDNSPolicy: forwarder-vpp and -sriov use the cluster's DNS from the
	// host network.
	ForwarderDNSPolicy bool
	// VPPOnAMD64Only: the image of forwarder-vpp is for amd64 alone.
	VPPOnAMD64Only bool
	// VPPInit: forwarder-vpp reads NSM_VPP_INIT.
	VPPInit bool
	// Pprof: components read NSM_PPROF_*, which the manifests of nsmgr, registry-k8s
	// and forwarder-vpp have.
	Pprof bool
	// Prometheus: forwarder-vpp serves metrics.
	Prometheus bool
	// OpenTelemetryEndpointEnv names the variable with the collector's address,
	// without its prefix; "" where components know no OpenTelemetry.
	OpenTelemetryEndpointEnv string
	// MetricsExportInterval: components read METRICS_EXPORT_INTERVAL.
	MetricsExportInterval bool
	// OVSBridgeEnv names the variable with the bridge's name.
	OVSBridgeEnv string
	// WebhookClientEnv: the webhook reads NSM_ENVS and NSM_LABELS for what it injects.
	WebhookClientEnv bool
	// WebhookClientResources: the webhook reads NSM_SIDECAR_* for what it injects.
	WebhookClientResources bool
	// WebhookReadsNamespaces: the webhook reads namespaces.
	WebhookReadsNamespaces bool
	// WebhookCertificate: the webhook takes a serving certificate from files and
	// registers itself no more (cmd-admission-webhook-k8s, main.go).
	WebhookCertificate bool
	// MapIPNodeNameEnv and MapIPOutputEnv name map-ip's variables, "" for none.
	MapIPNodeNameEnv, MapIPOutputEnv string
	// CSIDriver: NSM has a CSI driver.
	CSIDriver bool
}

// Container tells about one container in one release.
type Container struct {
	// EnvPrefix of the variables that it reads: "NSM_".
	EnvPrefix string
	// LogLevel: the manifest gives it a log level.
	LogLevel bool
	// ReadsLogLevel: it reads one that the manifest does not give it.
	ReadsLogLevel bool
	// Requests and Limits as published, empty where none is: CPU, memory.
	Requests, Limits Resources
}

// Resources are Kubernetes quantities of CPU and memory; empty means none.
type Resources struct {
	CPU, Memory string
}

// row says what one release changed.
type row struct {
	from   string
	what   string
	change func(*Facts)
}

// rows hold the changes, oldest first. Unless "what" names another source, a
// row is read off the release's manifests, the folder apps/<component>.
var rows = []row{
	{"v1.0.0", "the first release", func(f *Facts) {
		*f = Facts{
			RegistryK8s:            Container{EnvPrefix: "REGISTRY_K8S_", Limits: Resources{CPU: "100m", Memory: "40Mi"}},
			RegistryMemory:         Container{EnvPrefix: "REGISTRY_MEMORY_", Limits: Resources{CPU: "100m", Memory: "20Mi"}},
			Nsmgr:                  Container{EnvPrefix: "NSM_", Limits: Resources{CPU: "200m", Memory: "60Mi"}},
			VPP:                    Container{EnvPrefix: "NSM_", LogLevel: true, Requests: Resources{CPU: "150m"}, Limits: Resources{CPU: "500m", Memory: "400Mi"}},
			SRIOV:                  Container{EnvPrefix: "NSM_", Limits: Resources{CPU: "200m", Memory: "40Mi"}},
			Webhook:                Container{EnvPrefix: "NSM_"},
			NsmgrProxy:             Container{EnvPrefix: "NSM_", Limits: Resources{CPU: "200m", Memory: "60Mi"}},
			MapIP:                  Container{EnvPrefix: "NSM_", Limits: Resources{CPU: "50m", Memory: "10Mi"}},
			RegistryProxy:          Container{EnvPrefix: "NSM_", Limits: Resources{CPU: "100m", Memory: "20Mi"}},
			RegistryK8sProxyURL:    "nsmgr-proxy:5004",
			RegistryMemoryProxyURL: "registry-proxy-svc:5003",
			NsmgrListenOn:          "unix:///var/lib/networkservicemesh/nsm.io.sock,tcp://:5001",
			NsmgrProbeAddress:      ":5001",
			OVSBridgeEnv:           "BRIDGENAME",
			MapIPOutputEnv:         "NSM_OUTPUTPATH",
		}
	}},
	{"v1.1.0", "registry-k8s, -memory, nsmgr, forwarder-sriov: log levels", func(f *Facts) {
		f.RegistryK8s.LogLevel = true
		f.RegistryMemory.LogLevel = true
		f.Nsmgr.LogLevel = true
		f.SRIOV.LogLevel = true
	}},
	{"v1.1.0", "nsmgr: exclude-prefixes sidecar", func(f *Facts) {
		f.ExcludePrefixes = Container{EnvPrefix: "NSM_", LogLevel: true, Limits: Resources{CPU: "75m", Memory: "40Mi"}}
	}},
	{"v1.1.0", "cmd-exclude-prefixes-k8s, pod_monitor_server.go: lists namespaces", func(f *Facts) { f.ExcludePrefixesListsNamespaces = true }},
	{"v1.1.0", "nsmgr: resources", func(f *Facts) {
		f.Nsmgr.Requests = Resources{CPU: "200m", Memory: "100Mi"}
		f.Nsmgr.Limits = Resources{CPU: "400m", Memory: "200Mi"}
	}},
	{"v1.1.0", "registry-k8s: resources", func(f *Facts) {
		f.RegistryK8s.Requests = Resources{CPU: "100m"}
		f.RegistryK8s.Limits = Resources{CPU: "200m", Memory: "40Mi"}
	}},
	{"v1.1.0", "registry-memory: resources", func(f *Facts) {
		f.RegistryMemory.Requests = Resources{CPU: "100m"}
		f.RegistryMemory.Limits = Resources{CPU: "200m", Memory: "40Mi"}
	}},
	{"v1.1.0", "registry-memory: proxy", func(f *Facts) { f.RegistryMemoryProxyURL = "nsmgr-proxy:5004" }},
	{"v1.1.0", "forwarder-vpp: resources", func(f *Facts) { f.VPP.Limits.Memory = "500Mi" }},
	{"v1.1.0", "forwarder-vpp: kubelet, cgroup and vfio mounts", func(f *Facts) { f.VPPDeviceMounts = true }},
	{"v1.1.0", "forwarder-vpp, -sriov: dnsPolicy", func(f *Facts) { f.ForwarderDNSPolicy = true }},
	{"v1.1.0", "forwarder-sriov: resources", func(f *Facts) {
		f.SRIOV.Requests = Resources{CPU: "200m"}
		f.SRIOV.Limits.CPU = "400m"
	}},
	{"v1.1.0", "forwarder-ovs: first release", func(f *Facts) {
		f.OVS = Container{EnvPrefix: "NSM_", LogLevel: true, Limits: Resources{CPU: "2", Memory: "1Gi"}}
	}},
	{"v1.1.0", "nsmgr-proxy: log level and resources", func(f *Facts) {
		f.NsmgrProxy = Container{
			EnvPrefix: "NSM_", LogLevel: true,
			Requests: Resources{CPU: "200m"}, Limits: Resources{CPU: "400m", Memory: "100Mi"},
		}
	}},
	{"v1.1.0", "nsmgr-proxy: map-ip's resources and node name", func(f *Facts) {
		f.MapIP.Limits.Memory = "25Mi"
		f.MapIPNodeNameEnv = "NSM_NODENAME"
	}},
	{"v1.1.0", "cmd-map-ip-k8s, main.go (pull request 15): NSM_LOG_LEVEL", func(f *Facts) { f.MapIP.ReadsLogLevel = true }},
	{"v1.1.0", "registry-proxy-dns: log level and resources", func(f *Facts) {
		f.RegistryProxy = Container{
			EnvPrefix: "NSM_", LogLevel: true,
			Requests: Resources{CPU: "100m"}, Limits: Resources{CPU: "200m", Memory: "40Mi"},
		}
	}},
	{"v1.1.0", "sdk, discoverforwarder (pull request 1122): forwarders are endpoints", func(f *Facts) { f.ForwarderEndpoints = true }},
	{"v1.2.0", "admission-webhook-k8s: NSM_ENVS, NSM_LABELS", func(f *Facts) { f.WebhookClientEnv = true }},
	{"v1.2.0", "all main.go: OpenTelemetry instead of Jaeger (sdk, pull request 1205; cmd-nsmgr, pull request 441)", func(f *Facts) {
		f.OpenTelemetryEndpointEnv = "OPENTELEMETRYENDPOINT"
	}},
	{"v1.3.0", "nsmgr, forwarder-vpp: probe timings, startup probe", func(f *Facts) { f.ProbeTimings = true }},
	{"v1.3.0", "forwarder-vpp: hostPID", func(f *Facts) { f.VPPHostPID = true }},
	{"v1.3.0", "forwarder-vpp: /var/run/vpp", func(f *Facts) { f.VPPExternalMount = true }},
	{"v1.3.0", "vl3-ipam: first release", func(f *Facts) {
		f.VL3IPAM = Container{
			EnvPrefix: "NSM_", LogLevel: true,
			Requests: Resources{CPU: "100m"}, Limits: Resources{CPU: "200m", Memory: "40Mi"},
		}
	}},
	{"v1.3.1", "forwarder-vpp: resources", func(f *Facts) { f.VPP.Limits.CPU = "525m" }},
	{"v1.4.0", "cmd-exclude-prefixes-k8s, pod_monitor_server.go: watches all Services at once", func(f *Facts) { f.ExcludePrefixesListsNamespaces = false }},
	{"v1.4.0", "forwarder-ovs: resources", func(f *Facts) { f.OVS.Limits.CPU = "" }},
	{"v1.6.0", "admission-webhook-k8s: role", func(f *Facts) { f.WebhookReadsNamespaces = true }},
	{"v1.6.0", "cluster-info: first release (deployments-k8s, pull request 7552); its log level from main.go", func(f *Facts) {
		f.ClusterInfo = Container{
			EnvPrefix: "NSM_", ReadsLogLevel: true,
			Requests: Resources{CPU: "75m"}, Limits: Resources{CPU: "100m", Memory: "40Mi"},
		}
	}},
	{"v1.6.2", "nsmgr: listens on the pod's address", func(f *Facts) {
		f.NsmgrListenOn = "unix:///var/lib/networkservicemesh/nsm.io.sock,tcp://[$(POD_IP)]:5001"
	}},
	{"v1.6.2", "nsmgr: probes ask the socket", func(f *Facts) {
		f.NsmgrProbeAddress = "unix:///var/lib/networkservicemesh/nsm.io.sock"
	}},
	{"v1.6.2", "registry-k8s: environment prefix", func(f *Facts) { f.RegistryK8s.EnvPrefix = "NSM_" }},
	{"v1.6.2", "registry-k8s: resources", func(f *Facts) {
		f.RegistryK8s.Requests.Memory = "100Mi"
		f.RegistryK8s.Limits.Memory = "260Mi"
	}},
	{"v1.7.0", "registry-k8s: resources", func(f *Facts) {
		f.RegistryK8s.Requests.Memory = ""
		f.RegistryK8s.Limits.Memory = "40Mi"
	}},
	{"v1.7.1", "registry-k8s: resources", func(f *Facts) {
		f.RegistryK8s.Requests.Memory = "100Mi"
		f.RegistryK8s.Limits.Memory = "260Mi"
	}},
	{"v1.8.0", "cmd-registry-memory, Dockerfile: grpc-health-probe", func(f *Facts) { f.RegistryMemoryProbe = true }},
	{"v1.9.0", "forwarder-vpp: resources", func(f *Facts) { f.VPP.Requests.Memory = "350Mi" }},
	{"v1.9.0", "cmd-forwarder-vpp, internal/config: NSM_VPP_INIT", func(f *Facts) { f.VPPInit = true }},
	{"v1.10.0", "nsm-csi: first release", func(f *Facts) { f.CSIDriver = true }},
	{"v1.11.0", "admission-webhook-k8s: NSM_SIDECAR_*", func(f *Facts) { f.WebhookClientResources = true }},
	{"v1.11.0", "all main.go: NSM_METRICS_EXPORT_INTERVAL", func(f *Facts) { f.MetricsExportInterval = true }},
	{"v1.12.0", "cmd-admission-webhook-k8s, main.go: NSM_CERT_FILE_PATH, no self-registration", func(f *Facts) {
		f.WebhookCertificate = true
	}},
	{"v1.12.0", "dashboard: first release", func(f *Facts) { f.DashboardBackend = Container{EnvPrefix: "NSM_"} }},
	{"v1.13.1", "nsmgr-proxy: map-ip's names", func(f *Facts) {
		f.MapIPNodeNameEnv, f.MapIPOutputEnv = "NSM_NODE_NAME", "NSM_OUTPUT_PATH"
	}},
	{"v1.13.1", "registry-memory: environment prefix", func(f *Facts) { f.RegistryMemory.EnvPrefix = "NSM_" }},
	{"v1.13.1", "all main.go: split_words names", func(f *Facts) {
		f.OpenTelemetryEndpointEnv = "OPEN_TELEMETRY_ENDPOINT"
		f.OVSBridgeEnv = "BRIDGE_NAME"
	}},
	{"v1.14.0", "nsmgr, registry-k8s, forwarder-vpp, and README.md of other commands: NSM_PPROF_*", func(f *Facts) { f.Pprof = true }},
	{"v1.14.0", "cmd-forwarder-vpp, internal/config: NSM_PROMETHEUS_LISTEN_ON", func(f *Facts) { f.Prometheus = true }},
	{"v1.14.3", "cmd-forwarder-vpp, Dockerfile: VPP v24.10, whose image is for amd64 alone (govpp, pull request 45)", func(f *Facts) {
		f.VPPOnAMD64Only = true
	}},
	{"v1.16.0", "nsmgr: no brackets in the listen address", func(f *Facts) {
		f.NsmgrListenOn = "unix:///var/lib/networkservicemesh/nsm.io.sock,tcp://$(POD_IP):5001"
	}},
}

// since are the releases of the rows, each read once: facts are asked for at every
// turn.
var since = sync.OnceValue(func() []Release {
	releases := make([]Release, len(rows))
	for i, row := range rows {
		releases[i] = must(row.from)
	}
	return releases
})

// Facts are the facts of a release: those of all releases up to the known one that
// it is like.
func (r Release) Facts() Facts {
	var facts Facts
	like := r.Like()
	for i, row := range rows {
		if like.AtLeast(since()[i]) {
			row.change(&facts)
		}
	}
	return facts
}

// Exists reports whether the release has the container at all.
func (c Container) Exists() bool {
	return c.EnvPrefix != ""
}
