{{- /* A ClusterRole and its binding. Call with dict: top, name, role, rules (text), account, namespace, comment. */ -}}
{{- define "sscsi.clusterRole" }}
---
{{- with .comment }}
# {{ . }}
{{- end }}
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {{ .role }}
  labels:
    {{- include "sscsi.labels" (dict "top" .top "name" .name "app" "") | nindent 4 }}
rules:
{{- .rules }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ .binding | default .role }}
  labels:
    {{- include "sscsi.labels" (dict "top" .top "name" .name "app" "") | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: {{ .role }}
subjects:
  - kind: ServiceAccount
    name: {{ .account }}
    namespace: {{ .namespace }}
{{- end -}}

{{- /* The CSIDriver object. Call with dict: top (for labels), name, values (of the driver's chart), requests. */ -}}
{{- define "sscsi.csidriver" -}}
{{- $requests := list }}{{ $seen := dict -}}
{{- range .requests -}}
{{- if not (hasKey $seen .audience) }}{{ $_ := set $seen .audience true }}{{ $requests = append $requests . }}{{ end -}}
{{- end -}}
{{- $inSecrets := .values.csiDriver.serviceAccountTokenInSecrets -}}
{{- if eq (toString $inSecrets) "auto" }}{{ $inSecrets = semverCompare ">=1.35.0-0" .top.Capabilities.KubeVersion.Version }}{{ end -}}
apiVersion: storage.k8s.io/v1
kind: CSIDriver
metadata:
  name: secrets-store.csi.k8s.io
  labels:
    {{- include "sscsi.labels" (dict "top" .top "name" .name "app" "") | nindent 4 }}
spec:
  podInfoOnMount: true  # whose volume it is; without it the driver refuses to serve
  attachRequired: false
  volumeLifecycleModes: [Ephemeral]
  requiresRepublish: {{ .values.csiDriver.requiresRepublish }}  # kubelet brings newer tokens; without it nothing rotates
{{- if $requests }}
  tokenRequests:
    {{- range $requests }}
    - audience: {{ .audience }}
{{- with .expirationSeconds }}
      expirationSeconds: {{ int64 . }}
{{- end }}
    {{- end }}
{{- if $inSecrets }}
  serviceAccountTokenInSecrets: true
{{- end }}
{{- else }}
  # Tokens of the pod for the providers in use. Every provider is handed all of them, so uncomment only what is needed.
  # For Google Cloud it is the pool: PROJECT_ID.svc.id.goog, or that of a fleet.
  # tokenRequests:
  #   - audience: sts.amazonaws.com
  #   - audience: pods.eks.amazonaws.com
  #   - audience: api://AzureADTokenExchange
  #   - audience: api://AKSIdentityBinding
  #   - audience: vault
  # With tokenRequests, on Kubernetes 1.35 and later: tokens are in no volume's attributes any more.
  # serviceAccountTokenInSecrets: true
{{- end }}
{{- end -}}

{{- /* Who may talk to a daemon, and where it may go. Call with dict: top, name, app, namespace, ports (texts). */ -}}
{{- define "sscsi.networkPolicy" -}}
{{- $policy := .top.Values.networkPolicy -}}
{{- if $policy.enabled }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ .name }}
  namespace: {{ .namespace }}
  labels:
    {{- include "sscsi.labels" (dict "top" .top "name" .name "app" "") | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      app: {{ .app }}
  policyTypes: [Ingress, Egress]
  ingress:
    # Probes and scrapes.
    - ports:
{{- range .ports }}
        - port: {{ . }}
{{- end }}
{{- with $policy.ingressFrom }}
      from:
        {{- toYaml . | nindent 8 }}
{{- end }}
  egress:
    - ports:
        - port: 53
          protocol: UDP
        - port: 53
          protocol: TCP
    # Backends, and the API server behind its service.
    - ports:
{{- range $policy.egressPorts }}
        - port: {{ int . }}
{{- end }}
{{- with $policy.egressTo }}
      to:
        {{- toYaml . | nindent 8 }}
{{- end }}
{{- with $policy.extraEgress }}
    {{- toYaml . | nindent 4 }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Lets a Prometheus operator scrape a daemon. Call with dict: top, name, app, namespace. */ -}}
{{- define "sscsi.podMonitor" -}}
{{- $monitor := .top.Values.podMonitor -}}
{{- if $monitor.enabled }}
---
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata:
  name: {{ .name }}
  namespace: {{ .namespace }}
  labels:
    {{- include "sscsi.labels" (dict "top" .top "name" .name "app" "") | nindent 4 }}
{{- with $monitor.labels }}
    {{- toYaml . | nindent 4 }}
{{- end }}
spec:
  selector:
    matchLabels:
      app: {{ .app }}
  podMetricsEndpoints:
    - port: metrics
      honorLabels: true  # sscsi_content_age_seconds says the class's namespace, not the daemon's
{{- with $monitor.interval }}
      interval: {{ . }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Alerts and the dashboard. Call with dict: top, name, files (names of alerts). */ -}}
{{- define "sscsi.monitoring" -}}
{{- $top := .top }}{{ $files := (index .top.Subcharts "sscsi-common").Files -}}
{{- with $top.Values.prometheusRule }}{{ if .enabled }}
---
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: {{ $.name }}
  namespace: {{ $top.Release.Namespace }}
  labels:
    {{- include "sscsi.labels" (dict "top" $top "name" $.name "app" "") | nindent 4 }}
{{- with .labels }}
    {{- toYaml . | nindent 4 }}
{{- end }}
spec:
  groups:
{{- range $.files }}
{{ $files.Get (printf "monitoring/%s.yaml" .) | trimPrefix "groups:\n" | trimSuffix "\n" | indent 2 }}
{{- end }}
{{- end }}{{ end }}
{{- with $top.Values.dashboard }}{{ if .enabled }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ $.name }}-dashboard
  namespace: {{ .namespace | default $top.Release.Namespace }}
  labels:
    {{- include "sscsi.labels" (dict "top" $top "name" $.name "app" "") | nindent 4 }}
{{- with .labels }}
    {{- toYaml . | nindent 4 }}
{{- end }}
{{- with .annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
{{- end }}
data:
  secrets-store.json: |
    {{- $files.Get "monitoring/dashboard.json" | trim | nindent 4 }}
{{- end }}{{ end }}
{{- end -}}

{{- /*
OpenShift: what a provider's pod needs of the node and no more. Not Restricted, because of the folder of sockets (hostPath)
and its SELinux type: container_t may not make a socket there.
*/ -}}
{{- define "sscsi.provider.scc" }}
---
apiVersion: security.openshift.io/v1
kind: SecurityContextConstraints
metadata:
  name: {{ .it.name }}
  labels:
    {{- include "sscsi.labels" (dict "top" .top "name" .it.name "app" "") | nindent 4 }}
allowHostDirVolumePlugin: true
allowHostIPC: false
allowHostNetwork: false
allowHostPID: false
allowHostPorts: false
allowPrivilegeEscalation: {{ default false (.it.node.securityContext | default dict).privileged }}
allowPrivilegedContainer: {{ default false (.it.node.securityContext | default dict).privileged }}
allowedCapabilities: [CHOWN, FOWNER]
defaultAddCapabilities: []
requiredDropCapabilities: []
readOnlyRootFilesystem: true
fsGroup: {type: RunAsAny}
runAsUser: {type: RunAsAny}
seLinuxContext: {type: RunAsAny}
supplementalGroups: {type: RunAsAny}
seccompProfiles: [runtime/default]
volumes: [configMap, downwardAPI, emptyDir, hostPath, projected, secret]
users:
  - system:serviceaccount:{{ .it.namespace }}:{{ .it.account }}
groups: []
{{- end -}}
