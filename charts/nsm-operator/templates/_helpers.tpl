{{- define "nsm-operator.image" -}}
{{- with .Values.image -}}
{{ .registry }}/{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ default $.Chart.AppVersion .tag }}{{ end }}
{{- end -}}
{{- end -}}

{{- /* What Helm's labels are on every object; the object's own stay. */ -}}
{{- define "nsm-operator.labels" -}}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- /* An object of config/ in the release's namespace: (dict "root" $ "object" object). */ -}}
{{- define "nsm-operator.object" -}}
{{- $namespace := .root.Release.Namespace -}}
{{- $metadata := .object.metadata -}}
{{- if hasKey $metadata "namespace" }}{{ $_ := set $metadata "namespace" $namespace }}{{ end -}}
{{- $_ := set $metadata "labels" (merge (default dict $metadata.labels) (include "nsm-operator.labels" .root | fromYaml)) -}}
{{- range .object.subjects }}{{ $_ := set . "namespace" $namespace }}{{ end -}}
---
{{ toYaml .object }}
{{ end -}}

{{- /* All objects of files, unchanged otherwise: (dict "root" $ "files" pattern). */ -}}
{{- define "nsm-operator.objects" -}}
{{- $root := .root -}}
{{- range $path, $_ := $root.Files.Glob .files -}}
{{ include "nsm-operator.object" (dict "root" $root "object" ($root.Files.Get $path | fromYaml)) }}
{{- end -}}
{{- end -}}
