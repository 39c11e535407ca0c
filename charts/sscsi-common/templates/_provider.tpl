{{- /*
A provider's objects. Call with dict:
  top    the chart
  it     what distinguishes this provider, from values of whatever names: name, account, uid, image, folder, args, env, node
         (nodeSelector, tolerations, affinity, priorityClassName, updateStrategy, podLabels, podAnnotations, resources,
         volumes, volumeMounts, dnsPolicy, dnsConfig, securityContext), metrics and probe (ports), health (path), namespace,
         createAccount, accountAnnotations, writes (kubelet's folder, where the provider writes volumes itself)
  rules  of its ClusterRole, as text; empty = none
*/ -}}
{{- define "sscsi.provider" -}}
{{- include "sscsi.refusals" .top -}}
{{- $top := .top }}{{ $it := .it }}{{ $node := .it.node }}{{ $values := .top.Values -}}
{{- $openshift := include "sscsi.openshift" $top -}}
{{- if and $it.createAccount $values.rbac.install -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ $it.account }}
  namespace: {{ $it.namespace }}
  labels:
    {{- include "sscsi.labels" (dict "top" $top "name" $it.name "app" "") | nindent 4 }}
{{- with $it.accountAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
{{- end }}
{{- end }}
{{- $role := dict "top" $top "name" $it.name "account" $it.account "namespace" $it.namespace }}
{{- if and $values.rbac.install .rules }}
{{- include "sscsi.clusterRole" (merge (dict "role" $it.account "rules" .rules) $role) }}
{{- end }}
{{- if and $values.rbac.install $values.rbac.createTokens }}
{{- include "sscsi.clusterRole" (merge (dict "role" (printf "%s-tokens" $it.account) "rules" (include "sscsi.rule.createTokens" $top)) $role) }}
{{- end }}
{{- if and $openshift $values.rbac.install }}
{{- include "sscsi.provider.scc" . }}
{{- end }}
---
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: {{ $it.name }}
  namespace: {{ $it.namespace }}
  labels:
    {{- include "sscsi.labels" (dict "top" $top "name" $it.name "app" $it.app) | nindent 4 }}
{{- with merge dict ($values.daemonsetAnnotations | default dict) ($it.annotations | default dict) }}
  annotations:
    {{- toYaml . | nindent 4 }}
{{- end }}
spec:
  selector:
    matchLabels:
      app: {{ $it.app }}
  updateStrategy:
    {{- toYaml $node.updateStrategy | nindent 4 }}
  template:
    metadata:
{{- with $node.podAnnotations }}
      annotations:
        {{- toYaml . | nindent 8 }}
{{- end }}
      labels:
        app: {{ $it.app }}
{{- with merge dict ($node.podLabels | default dict) ($values.commonLabels | default dict) }}
        {{- toYaml (omit . "app") | nindent 8 }}
{{- end }}
    spec:
{{- with $it.comment }}
      # {{ . }}
{{- end }}
      serviceAccountName: {{ $it.account }}
{{- with include "sscsi.pullSecrets" $top | trim }}{{ . | nindent 6 }}{{ end }}
{{- with include "sscsi.placement" (dict "node" $node) | trim }}{{ . | nindent 6 }}{{ end }}
      terminationGracePeriodSeconds: 30
{{- if $it.writes }}
      # Root, but without a capability: the volumes that it writes into are root's.
{{- end }}
      securityContext:
        runAsNonRoot: {{ not $it.writes }}
        runAsUser: {{ ternary 0 (int $it.uid) (not (empty $it.writes)) }}
        runAsGroup: 65532
        seccompProfile:
          type: RuntimeDefault
{{- with $values.seLinuxOptions | default (ternary (dict "type" "spc_t") dict (eq $openshift "yes")) }}
        seLinuxOptions:
          {{- toYaml . | nindent 10 }}
{{- end }}
{{- if $values.prepareFolder }}
      initContainers:
        # The folder of sockets: root's, for the group 65532; beside our driver it is so already.
        - name: prepare-folder
          image: {{ include "sscsi.image" (dict "top" $top "image" $it.image) }}
{{- with $it.image.pullPolicy }}
          imagePullPolicy: {{ . }}
{{- end }}
          args:
            - --provider-volume={{ $it.folder }}
            - --prepare-folder
          securityContext:
            runAsNonRoot: false
            runAsUser: 0
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities:
              drop: [ALL]
              add: [CHOWN, FOWNER]
          volumeMounts:
            - name: providers-dir
              mountPath: {{ $it.folder }}
          resources:
            requests: {cpu: 10m, memory: 64Mi}
            limits: {memory: 128Mi}
{{- end }}
      containers:
        - name: provider
          image: {{ include "sscsi.image" (dict "top" $top "image" $it.image) }}
{{- with $it.image.pullPolicy }}
          imagePullPolicy: {{ . }}
{{- end }}
          args:
            - --provider-volume={{ $it.folder }}
            - --metrics-addr=:{{ $it.metrics }}
{{- range concat $it.args (include "sscsi.provider.flags" $top | fromYamlArray) ($values.extraArgs | default list) }}
            - {{ include "sscsi.argument" . }}
{{- end }}
{{- with concat $it.env ($values.env | default list) }}
          env:
            {{- toYaml . | nindent 12 }}
{{- end }}
          securityContext:
            {{- toYaml (include "sscsi.provider.container" . | fromYaml) | nindent 12 }}
          ports:
            - name: metrics
              containerPort: {{ $it.metrics }}
{{- if ne (toString $it.probe) (toString $it.metrics) }}
            - name: healthz
              containerPort: {{ $it.probe }}
{{- end }}
          # By HTTP: kubelet's own gRPC probe needs a TCP port, and the daemon's gRPC is on the socket alone.
          livenessProbe:
            httpGet:
              path: {{ $it.health }}
              port: {{ ternary "metrics" "healthz" (eq (toString $it.probe) (toString $it.metrics)) }}
            initialDelaySeconds: 10
            timeoutSeconds: 10
            periodSeconds: 30
            failureThreshold: 3
          readinessProbe:
            httpGet:
              path: /readyz
              port: {{ ternary "metrics" "healthz" (eq (toString $it.probe) (toString $it.metrics)) }}
            timeoutSeconds: 5
            periodSeconds: 10
          volumeMounts:
            - name: providers-dir
              mountPath: {{ $it.folder }}
{{- if $it.writes }}
            - name: mountpoint-dir
              mountPath: {{ $it.writes }}/pods
              mountPropagation: HostToContainer
{{- end }}
{{- with $node.volumeMounts }}
            {{- toYaml . | nindent 12 }}
{{- end }}
          resources:
{{- with $node.resources }}
            {{- toYaml . | nindent 12 }}
{{- else }}
            # No CPU limit: it would make every login slow. The memory is what the daemon, what it keeps and its answers take.
            requests: {cpu: 50m, memory: {{ include "sscsi.mebibytes" $values.memory.base }}Mi}
            limits: {memory: {{ include "sscsi.provider.memory" . }}Mi}
{{- end }}
      volumes:
        - name: providers-dir
          hostPath:
            path: {{ $it.folder }}
            type: DirectoryOrCreate
{{- if $it.writes }}
        - name: mountpoint-dir
          hostPath:
            path: {{ $it.writes }}/pods
            type: DirectoryOrCreate
{{- end }}
{{- with $node.volumes }}
        {{- toYaml . | nindent 8 }}
{{- end }}
{{- include "sscsi.networkPolicy" (dict "top" $top "name" $it.name "app" $it.app "namespace" $it.namespace "ports" (uniq (list (toString $it.metrics) (toString $it.probe)))) }}
{{- include "sscsi.podMonitor" (dict "top" $top "name" $it.name "app" $it.app "namespace" $it.namespace) }}
{{- end -}}

{{- /* Where pods of a DaemonSet run, and how they follow each other. */ -}}
{{- define "sscsi.placement" -}}
{{- with .node.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
nodeSelector:
  {{- toYaml (merge (dict "kubernetes.io/os" "linux") (.node.nodeSelector | default dict)) | nindent 2 }}
{{- with .node.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .node.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .node.dnsPolicy }}
dnsPolicy: {{ . }}
{{- end }}
{{- with .node.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* Flags of every provider, as a list; what is as the daemon has it anyway is left out. */ -}}
{{- define "sscsi.provider.flags" -}}
{{- $values := .Values }}{{ $flags := list -}}
{{- if ne $values.logLevel "info" }}{{ $flags = append $flags (printf "--log-level=%s" $values.logLevel) }}{{ end -}}
{{- if ne $values.logFormat "json" }}{{ $flags = append $flags (printf "--log-format=%s" $values.logFormat) }}{{ end -}}
{{- with $values.allowedAuth }}{{ $flags = append $flags (printf "--allowed-auth=%s" (join "," .)) }}{{ end -}}
{{- $bytes := include "sscsi.bytes" $values.cache.maxBytes -}}
{{- if ne $bytes "67108864" }}{{ $flags = append $flags (printf "--cache-max-bytes=%s" $bytes) }}{{ end -}}
{{- $given := dict "cache-ttl" "ttl" "session-max-age" "sessionMaxAge" "cache-max-sessions" "maxSessions" "session-scope" "sessionScope" "backoff" "backoff" -}}
{{- range $flag, $key := $given -}}
{{- $value := get $values.cache $key -}}
{{- if kindIs "float64" $value }}{{ $value = int64 $value }}{{ end -}}
{{- if ne (toString $value) "" }}{{ $flags = append $flags (printf "--%s=%v" $flag $value) }}{{ end -}}
{{- end -}}
{{- toYaml $flags -}}
{{- end -}}

{{- /* The security context of the daemon's container; what the values say is laid over it. */ -}}
{{- define "sscsi.provider.container" -}}
{{- $own := dict "allowPrivilegeEscalation" false "readOnlyRootFilesystem" true "capabilities" (dict "drop" (list "ALL")) -}}
{{- $said := .it.node.securityContext | default dict -}}
{{- if $said.privileged }}{{ $said = merge (dict "allowPrivilegeEscalation" true) (omit $said "capabilities") }}{{ $own = omit $own "capabilities" }}
{{- else }}{{ $said = omit $said "privileged" }}{{ end -}}
{{- toYaml (mergeOverwrite $own $said) -}}
{{- end -}}

{{- /*
Mi that a provider may need: the process (base), what mounts in progress take (working: measured, bench/results/memory-*.txt),
what it keeps (cache.maxBytes), and answers under way (answersAtOnce x 4 MiB, the most that a driver takes). A provider that
writes has the pages of the volumes on its account besides: tmpfs counts for whoever wrote first.
*/ -}}
{{- define "sscsi.provider.memory" -}}
{{- $memory := .top.Values.memory -}}
{{- $sum := add (include "sscsi.mebibytes" $memory.base) (include "sscsi.mebibytes" $memory.working) (include "sscsi.mebibytes" .top.Values.cache.maxBytes) (mul (int $memory.answersAtOnce) 4) -}}
{{- if .it.writes }}{{ $sum = add $sum (mul (int $memory.volumes) (include "sscsi.mebibytes" $memory.volumeSize)) }}{{ end -}}
{{- $sum -}}
{{- end -}}

{{- define "sscsi.rule.createTokens" }}
  # Tokens of pods, made by the provider itself: only beside a driver that hands it none.
  - apiGroups: [""]
    resources: [serviceaccounts/token]
    verbs: [create]
{{- end -}}

{{- /* The notes after an installation of a provider alone. */ -}}
{{- define "sscsi.provider.text" -}}
The provider runs on every Linux node:   kubectl -n {{ .it.namespace }} get daemonset {{ .it.name }}
Its socket is in {{ .it.folder }}, where a Secrets Store CSI driver finds it.
{{- with .top.Values.tokenRequests }}
The CSIDriver object has to ask for the pod's tokens; sscsi-driver and secrets-store-csi-driver have this value for it:
  tokenRequests: {{ toJson . }}
{{- end }}
{{- include "sscsi.provider.notes" . }}
{{- end -}}

{{- define "sscsi.provider.notes" -}}
{{- if and .it.writes (not .top.Values.driverWritesSecrets) }}
- driverWritesSecrets: false: the provider runs as root. Needed only by drivers that don't write the files themselves.
{{- end -}}
{{- if and (not .top.Values.tokenRequests) (not .top.Values.rbac.createTokens) }}
- tokenRequests is empty and rbac.createTokens off: without a token of the pod no backend can be asked on its behalf.
{{- end -}}
{{- if .it.wrongTokens }}
- tokenRequests: {{ .it.wrongTokens }}
{{- end -}}
{{- include "sscsi.resourceNotes" (dict "resources" .it.node.resources "needed" (include "sscsi.provider.memory" .) "path" (.it.resourcesPath | default "resources")) -}}
{{- include "sscsi.tellings" .top -}}
{{- end -}}
