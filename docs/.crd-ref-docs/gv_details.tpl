{{- define "gvDetails" -}}
{{- $gv := . }}
## {{ $gv.Version }}

{{ regexFind "^[^\n]+(\n[^\n]+)*" $gv.Doc }}
{{ $first := list "NSM" "NSMSpec" "NSMStatus" -}}
{{ range $name := $first -}}
{{ range $gv.SortedTypes -}}
{{ if eq .Name $name }}{{ template "type" . }}{{ end -}}
{{ end -}}
{{ end -}}
{{ range $gv.SortedTypes -}}
{{ if not (has .Name $first) }}{{ template "type" . }}{{ end -}}
{{ end -}}
{{- end -}}
