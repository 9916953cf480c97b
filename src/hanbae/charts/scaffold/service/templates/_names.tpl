{{- /* Labels of every object; the selectors use only the two that never change. */}}
{{- define "<<service>>.labels" -}}
{{ include "<<service>>.selector" . }}
{{ include "<<service>>.origin" . }}
{{- end }}

{{- define "<<service>>.selector" -}}
app.kubernetes.io/name: {{ .Values.service.name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "<<service>>.origin" -}}
app.kubernetes.io/part-of: <<part_of>>
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ include "<<service>>.version" . | quote }}
{{- end }}

{{- /* A label allows 63 characters and ends in a letter or a digit; a tag may be longer and end otherwise. */}}
{{- define "<<service>>.version" -}}
{{- $digest := .Values.image.digest | default "" | trimPrefix "sha256:" | trunc 12 }}
{{- $version := .Values.image.tag | default $digest | default .Chart.AppVersion | trunc 63 }}
{{- regexReplaceAll "^[^A-Za-z0-9]+|[^A-Za-z0-9]+$" $version "" }}
{{- end }}

{{- /* Whether an image is named: until then there are no pods and no Jobs, which could only fail to pull one. */}}
{{- define "<<service>>.begun" -}}
{{- if or .Values.image.tag .Values.image.digest }}true{{ end }}
{{- end }}

{{- /* repository:tag, repository@digest, or repository:tag@digest, of which only the digest counts. */}}
{{- define "<<service>>.image" -}}
{{- .Values.image.repository }}{{ with .Values.image.tag }}:{{ . }}{{ end }}{{ with .Values.image.digest }}@{{ . }}{{ end }}
{{- end }}

{{- /* A digest never changes its content, a tag may: only the tag is looked up again for each pod. */}}
{{- define "<<service>>.pullPolicy" -}}
{{ ternary "Always" "IfNotPresent" (empty .Values.image.digest) }}
{{- end }}
