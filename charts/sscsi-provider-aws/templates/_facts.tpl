{{- /* What distinguishes this provider; sscsi.provider says what each is. */ -}}
{{- define "sscsi-provider-aws.facts" -}}
{{- $v := .Values }}{{ $name := $v.fullnameOverride | default $v.nameOverride | default "csi-secrets-store-provider-aws" -}}
{{- $args := list }}{{ $env := list -}}
{{- if not $v.driverWritesSecrets }}{{ $args = append $args "--driver-writes-secrets=false" }}
{{- if ne $v.kubeletPath "/var/lib/kubelet" }}{{ $args = append $args (printf "--kubelet-root=%s" $v.kubeletPath) }}{{ end }}{{ end -}}
{{- with $v.podIdentityHttpTimeout }}{{ $args = append $args (printf "--pod-identity-http-timeout=%s" .) }}{{ end -}}
{{- with $v.eksAddonVersion }}{{ $args = append $args (printf "--eks-addon-version=%s" .) }}{{ end -}}
{{- with $v.awsRegion }}{{ $env = append $env (dict "name" "AWS_REGION" "value" .) }}{{ end -}}
{{- if $v.useFipsEndpoint }}{{ $env = append $env (dict "name" "AWS_USE_FIPS_ENDPOINT" "value" "true") }}{{ end -}}
{{- toYaml (dict
  "name" $name "app" $name "uid" 65541 "namespace" .Release.Namespace
  "account" ($v.rbac.serviceAccountName | default "csi-secrets-store-provider-aws")
  "createAccount" (empty $v.rbac.serviceAccountName) "accountAnnotations" dict
  "image" $v.image "folder" $v.providerVolume "args" $args "env" $env
  "metrics" (include "sscsi.port" $v.metricsAddr) "probe" (include "sscsi.port" $v.metricsAddr) "health" "/healthz"
  "writes" (ternary "" $v.kubeletPath $v.driverWritesSecrets)
  "node" (pick $v "nodeSelector" "tolerations" "affinity" "priorityClassName" "updateStrategy" "podLabels" "podAnnotations" "resources" "volumes" "volumeMounts" "dnsPolicy" "dnsConfig" "securityContext")
) -}}
{{- end -}}

{{- define "sscsi-provider-aws.rules" }}
  # eks.amazonaws.com/role-arn of the pod's account.
  - apiGroups: [""]
    resources: [serviceaccounts]
    verbs: [get]
{{- if not .Values.awsRegion }}
  # The region of the pod's node, where neither the class nor --region names one.
  - apiGroups: [""]
    resources: [pods, nodes]
    verbs: [get]
{{- end }}
{{- end -}}
