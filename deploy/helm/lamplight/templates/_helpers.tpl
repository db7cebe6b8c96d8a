{{- define "lamplight.labels" -}}
app.kubernetes.io/name: lamplight
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "lamplight.selector" -}}
app.kubernetes.io/name: lamplight
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "lamplight.image" -}}
image: {{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- end }}

{{- /* what every process gets; a change of the Secret is taken over by a restart */ -}}
{{- define "lamplight.env" -}}
envFrom:
  - secretRef:
      name: {{ .Values.secretName }}
env:
  - {name: PROMETHEUS_MULTIPROC_DIR, value: /tmp/counters}
  - {name: LAMPLIGHT_WORKER_THREADS, value: {{ .Values.workerThreads | quote }}}
  # by its own address it is called by the kubelet's probes and by Prometheus
  - {name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
  - {name: LAMPLIGHT_ALLOWED_HOSTS, value: {{ join "," (concat (list "localhost" "$(POD_IP)" .Release.Name (printf "%s.%s" .Release.Name .Release.Namespace) (printf "%s.%s.svc" .Release.Name .Release.Namespace)) .Values.hosts) | quote }}}
  - {name: LAMPLIGHT_ENDPOINT_GATEWAY_IMAGE, value: {{ .Values.endpointGatewayImage | default (printf "%s-endpoint-gateway:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion)) | quote }}}
  {{- if .Values.ingress.tlsSecretName }}
  - {name: LAMPLIGHT_HTTPS, value: "1"}
  {{- end }}
  {{- range $name, $value := .Values.env }}
  - {name: {{ $name }}, value: {{ $value | quote }}}
  {{- end }}
{{- end }}

{{- define "lamplight.container" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  {{- range $at, $given := .Values.kubeconfigs }}
  - {name: kubeconfig-{{ $at }}, mountPath: {{ $given.mountPath | quote }}, readOnly: true}
  {{- end }}
{{- end }}

{{- define "lamplight.pod" -}}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumes:
  - name: tmp
    emptyDir: {sizeLimit: 1Gi}
  {{- range $at, $given := .Values.kubeconfigs }}
  - name: kubeconfig-{{ $at }}
    secret: {secretName: {{ $given.secretName | quote }}, defaultMode: 288}
  {{- end }}
{{- end }}
