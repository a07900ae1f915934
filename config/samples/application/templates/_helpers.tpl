{{- define "icmp.release" -}}
{{- default .Chart.AppVersion .Values.release -}}
{{- end -}}

{{- define "icmp.meshNamespace" -}}
{{- default .Release.Namespace .Values.meshNamespace -}}
{{- end -}}

{{- /* The labels of every object. */ -}}
{{- define "icmp.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ include "icmp.release" . | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- /* The image of one of NSM's parts: (dict "root" $ "image" "whole reference or empty" "name" "cmd-nsc"). */ -}}
{{- define "icmp.image" -}}
{{- if .image -}}
{{ .image }}
{{- else -}}
{{ printf "%s/%s/%s:%s" .root.Values.images.registry .root.Values.images.repository .name (include "icmp.release" .root) }}
{{- end -}}
{{- end -}}

{{- /* The largest number of clients that a prefix has addresses for: two a client. */ -}}
{{- define "icmp.room" -}}
{{- $bits := sub (ternary 128 32 (contains ":" .)) (splitList "/" . | last | atoi) | int -}}
{{- $room := 1 -}}
{{- range until (min (sub $bits 1) 30 | int) }}{{ $room = mul $room 2 }}{{ end -}}
{{ $room }}
{{- end -}}

{{- define "icmp.validate" -}}
{{- $clients := add .Values.nsc.replicas 2 -}}
{{- range .Values.cidrPrefixes -}}
{{- $room := include "icmp.room" . | atoi -}}
{{- if lt $room (int $clients) -}}
{{- fail (printf "cidrPrefixes: %s has addresses for %d clients; nsc.replicas and the two of helm test are %d" . $room (int $clients)) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.restricted (ne .Values.sockets.mount "CSI") -}}
{{- fail "restricted: Pod Security's level restricted forbids host paths; set sockets.mount to CSI" -}}
{{- end -}}
{{- end -}}

{{- /* Releases before v1.1.0 read the endpoint's settings from NSE_*, and its services from NSE_SERVICE_NAME. */ -}}
{{- define "icmp.nsePrefix" -}}
{{- ternary "NSE" "NSM" (semverCompare "<1.1.0-0" (include "icmp.release" .)) -}}
{{- end -}}

{{- define "icmp.nseServices" -}}
{{- ternary "NSE_SERVICE_NAME" "NSM_SERVICE_NAMES" (semverCompare "<1.1.0-0" (include "icmp.release" .)) -}}
{{- end -}}

{{- /* Releases before v1.13.1 have no underscores in this name. */ -}}
{{- define "icmp.localDNS" -}}
{{- ternary "NSM_LOCALDNSSERVERENABLED" "NSM_LOCAL_DNS_SERVER_ENABLED" (semverCompare "<1.13.1-0" (include "icmp.release" .)) -}}
{{- end -}}

{{- define "icmp.isRestricted" -}}
{{- if or .Values.restricted .Values.openshift }}true{{ end -}}
{{- end -}}

{{- define "icmp.podAnnotations" -}}
{{- if .Values.openshift }}
openshift.io/required-scc: {{ ternary "restricted-v2" (printf "nsm-%s-client" (include "icmp.meshNamespace" .)) (eq .Values.sockets.mount "CSI") }}
{{- end }}
{{- end -}}

{{- /* OpenShift gives each namespace users of its own, so none is named there. */ -}}
{{- define "icmp.podSecurityContext" -}}
{{- if include "icmp.isRestricted" . }}
runAsNonRoot: true
{{- if not .Values.openshift }}
runAsUser: 10001
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end }}
{{- end -}}

{{- define "icmp.securityContext" -}}
allowPrivilegeEscalation: false
{{- if include "icmp.isRestricted" . }}
capabilities:
  drop: [ALL]
{{- end }}
{{- end -}}

{{- define "icmp.volumeMounts" -}}
- name: spire-agent-socket
  mountPath: {{ dir (trimPrefix "unix://" .Values.sockets.spireAgent) }}
  readOnly: true
- name: nsm-socket
  mountPath: /var/lib/networkservicemesh
  readOnly: true
{{- end -}}

{{- define "icmp.volumes" -}}
{{- if eq .Values.sockets.mount "CSI" }}
- name: spire-agent-socket
  csi:
    driver: csi.spiffe.io
    readOnly: true
- name: nsm-socket
  csi:
    driver: csi.networkservicemesh.io
    readOnly: true
{{- else }}
- name: spire-agent-socket
  hostPath:
    path: {{ dir (trimPrefix "unix://" .Values.sockets.spireAgent) }}
    # On a node without SPIRE's agent the pod starts, and its log says what is missing.
    type: DirectoryOrCreate
- name: nsm-socket
  hostPath:
    path: /var/lib/networkservicemesh
    type: DirectoryOrCreate
{{- end }}
{{- end -}}

{{- /* What the pods of clients, endpoint and test have in common. */ -}}
{{- define "icmp.podSpec" -}}
serviceAccountName: {{ .Chart.Name }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.images.pullSecrets }}
imagePullSecrets:
{{- range . }}
- name: {{ . }}
{{- end }}
{{- end }}
volumes:
{{- include "icmp.volumes" . }}
{{- end -}}

{{- /* A client: it asks the manager of its node for the network service, and keeps the connection. */ -}}
{{- define "icmp.nsc" -}}
name: nsc
image: {{ include "icmp.image" (dict "root" . "image" .Values.nsc.image "name" "cmd-nsc") }}
imagePullPolicy: {{ .Values.images.pullPolicy }}
env:
- name: SPIFFE_ENDPOINT_SOCKET
  value: {{ .Values.sockets.spireAgent }}
- name: NSM_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: NSM_NETWORK_SERVICES
  value: kernel://{{ .Values.networkService }}/{{ .Values.nsc.interface }}
{{- if include "icmp.isRestricted" . }}
# NSM's DNS server needs port 53 and the pod's /etc/resolv.conf: both are root's.
- name: {{ include "icmp.localDNS" . }}
  value: "false"
{{- end }}
{{- with .Values.nsc.env }}
{{ toYaml . }}
{{- end }}
{{- with .Values.nsc.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- include "icmp.securityContext" . | nindent 2 }}
volumeMounts:
{{ include "icmp.volumeMounts" . }}
{{- end -}}
