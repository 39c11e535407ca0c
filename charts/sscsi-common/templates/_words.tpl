{{- /* Labels of an object. Call with dict: top, app (empty = none). */ -}}
{{- define "sscsi.labels" -}}
{{- with .app }}{{ printf "app: %s\n" . }}{{ end -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .top.Release.Name }}
app.kubernetes.io/version: {{ .top.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .top.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .top.Chart.Name (.top.Chart.Version | replace "+" "_") }}
{{- with .top.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /*
An image: registry/repository:tag, or @digest. Call with dict: top, image. A repository whose first part is a host
(registry.k8s.io/..., localhost:5000/...) names its registry itself: the global one is not for it.
*/ -}}
{{- define "sscsi.image" -}}
{{- $global := (.top.Values.global | default dict).imageRegistry -}}
{{- if regexMatch "^(localhost|[^/]*[.:][^/]*)/" .image.repository }}{{ $global = "" }}{{ end -}}
{{- with .image.registry | default $global }}{{ . }}/{{ end -}}
{{ .image.repository }}
{{- if .image.digest -}}
@{{ .image.digest }}
{{- else -}}
:{{ .image.tag | default .top.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "sscsi.pullSecrets" -}}
{{- $global := (.Values.global | default dict).imagePullSecrets | default list -}}
{{- with concat $global (.Values.imagePullSecrets | default list) }}
imagePullSecrets:
{{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* Whether the cluster is an OpenShift. */ -}}
{{- define "sscsi.openshift" -}}
{{- if or .Values.openshift.enabled (.Values.global | default dict).openshift }}yes{{ end -}}
{{- end -}}

{{- /* Bytes of a number, or of a text such as 64Mi. */ -}}
{{- define "sscsi.bytes" -}}
{{- $text := toString . -}}
{{- if kindIs "float64" . }}{{ $text = toString (int64 .) }}{{ end -}}
{{- $unit := regexFind "[A-Za-z]*$" $text -}}
{{- mul (regexFind "^[0-9]+" $text | int64) (get (dict "" 1 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824) $unit) -}}
{{- end -}}

{{- /* The same in whole Mi, rounded up. */ -}}
{{- define "sscsi.mebibytes" -}}
{{- div (add (include "sscsi.bytes" . | int64) 1048575) 1048576 -}}
{{- end -}}

{{- /* The port of an address such as :8095. */ -}}
{{- define "sscsi.port" -}}
{{- regexFind "[0-9]+$" (toString .) -}}
{{- end -}}

{{- /* What a values file says that can't be done ends the rendering; the chart's notices.yaml has the reasons. */ -}}
{{- define "sscsi.refusals" -}}
{{- range include "sscsi.noticed" . | fromYamlArray -}}
{{- with .refuse }}{{ fail (printf "\n\n%s: %s\n" $.Chart.Name .) }}{{ end -}}
{{- end -}}
{{- end -}}

{{- /* What a values file says that means nothing here. */ -}}
{{- define "sscsi.tellings" -}}
{{- range include "sscsi.noticed" . | fromYamlArray -}}
{{- with .tell }}
- {{ . }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* Of the notices those whose value is set, and to something that matters. */ -}}
{{- define "sscsi.noticed" -}}
{{- $found := list -}}
{{- range .Files.Get "notices.yaml" | fromYamlArray -}}
{{- $here := $.Values -}}
{{- range splitList "." .path -}}
{{- $here = get (ternary $here dict (kindIs "map" $here)) . -}}
{{- end -}}
{{- $matters := not (or (kindIs "invalid" $here) (eq (toString $here) "")) -}}
{{- $text := toJson $here -}}
{{- range .harmless -}}{{- if eq (toJson .) $text }}{{ $matters = false }}{{ end -}}{{- end -}}
{{- with .matching -}}{{- if not (regexMatch . (toString $here)) }}{{ $matters = false }}{{ end -}}{{- end -}}
{{- if and $matters (or .refuse .tell) -}}
{{- $what := printf "%s: %s" .path (.refuse | default .tell | trim) -}}
{{- $found = append $found (ternary (dict "refuse" $what) (dict "tell" $what) (hasKey . "refuse")) -}}
{{- end -}}
{{- end -}}
{{- toYaml $found -}}
{{- end -}}

{{- /* An argument in YAML: quoted where it has to be. */ -}}
{{- define "sscsi.argument" -}}
{{- ternary . (quote .) (regexMatch "^--?[-A-Za-z0-9_.=/:,@$()]*[-A-Za-z0-9_.=/,@$()]$" .) -}}
{{- end -}}

{{- /* What resources that a values file brings along will do. Call with dict: resources, needed (Mi), path. */ -}}
{{- define "sscsi.resourceNotes" -}}
{{- with (.resources | default dict).limits -}}
{{- if .cpu }}
- {{ $.path }}.limits.cpu: a CPU limit makes mounts slow (with 50m what takes 100 ms takes 2 s). Better without.
{{- end -}}
{{- if and .memory (regexMatch "^[0-9]+(Ki|Mi|Gi)?$" (toString .memory)) -}}
{{- if lt (include "sscsi.mebibytes" .memory | int) (int $.needed) }}
- {{ $.path }}.limits.memory: by the formula of `memory` {{ $.needed }}Mi may be needed.
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
