{{- /* A type: a heading, and a table of its fields or values. Both versions have types of the same names, so the
       version is part of each heading and of each link. */ -}}
{{- define "type" -}}
{{- $type := . -}}
{{- if markdownShouldRenderType $type -}}
{{- $version := base $type.Package -}}
{{- $link := printf "(#${1}-%s)" $version }}
### {{ $type.Name }} ({{ $version }})

{{ if ne $type.Name "Registry" }}{{ template "doc" $type.Doc }}{{ end }}
{{- if $type.References }}

Of:
{{- range $i, $reference := $type.SortedReferences -}}
{{ if $i }},{{ end }} {{ regexReplaceAll "\\(#([a-z0-9]+)\\)" (markdownRenderTypeLink $reference) $link }}
{{- end }}.
{{- end }}
{{- if eq $type.Name "Registry" }}

A string, the image registry's host, or an object with the fields of {{ regexReplaceAll "\\(#([a-z0-9]+)\\)" "[RegistrySpec](#registryspec)" $link }}.
{{- else if $type.Members }}

| field | type | description | allowed |
| --- | --- | --- | --- |
{{- if $type.GVK }}
| `apiVersion` | string | `{{ $type.GVK.Group }}/{{ $type.GVK.Version }}` | |
| `kind` | string | `{{ $type.GVK.Kind }}` | |
{{- end }}
{{- range $type.Members }}
| `{{ .Name }}` | {{ regexReplaceAll "\\(#([a-z0-9]+)\\)" (markdownRenderType .Type) $link }} | {{ template "doc" .Doc }} | {{ template "allowed" .Validation }} |
{{- end }}
{{- end }}
{{- if $type.EnumValues }}

| value | description |
| --- | --- |
{{- range $type.EnumValues }}
| `{{ .Name }}` | {{ template "doc" (regexReplaceAll "^[A-Z][A-Za-z0-9]+:? " .Doc "") }} |
{{- end }}
{{- else if and $type.Validation (not $type.Members) }}

{{ template "allowed" $type.Validation }}
{{- end }}
{{ end -}}
{{- end -}}

{{- /* A description on one line. "<" would begin a tag. */ -}}
{{- define "doc" -}}
{{ . | trim | replace "\n" " " | replace "<" "\\<" | markdownRenderFieldDoc }}
{{- end -}}

{{- /* What a field may hold. All fields are optional but those that say "required". */ -}}
{{- define "allowed" -}}
{{- $rules := list -}}
{{- range . -}}
{{- if hasPrefix "Required:" . -}}{{- $rules = append $rules "required" -}}
{{- else if not (hasPrefix "Optional:" .) -}}{{- $rules = append $rules (markdownRenderFieldDoc . | trim) -}}{{- end -}}
{{- end -}}
{{ join ", " $rules }}
{{- end -}}
