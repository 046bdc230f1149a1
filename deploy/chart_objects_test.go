//go:build deployment

package deploy

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"pulse-scorer/internal/config"
)

// expect compares what is at each path.
func expect(t *testing.T, set string, object manifest, want map[string]any) {
	t.Helper()
	for path, value := range want {
		if got := object.at(path); !reflect.DeepEqual(got, value) {
			t.Errorf("%s: %v: %s is %v, want %v", set, object["kind"], path, got, value)
		}
	}
}

func TestChart_PodsAreConfined(t *testing.T) {
	t.Parallel()
	for _, set := range valueSets(t) {
		workers := render(t, set)["StatefulSet"]
		expect(t, set, workers.pod(), map[string]any{
			"enableServiceLinks": false, "automountServiceAccountToken": false,
			"securityContext.runAsNonRoot": true, "securityContext.runAsUser": 65532, "securityContext.seccompProfile.type": "RuntimeDefault",
			"hostNetwork": nil, "hostPID": nil, "hostIPC": nil,
		})
		expect(t, set, workers.container(), map[string]any{
			"securityContext.allowPrivilegeEscalation": false, "securityContext.readOnlyRootFilesystem": true, "securityContext.privileged": nil,
			"securityContext.capabilities.drop": []any{"ALL"}, "securityContext.capabilities.add": nil,
		})
	}
}

// The environment is one that the service takes: no unknown variable, no bad value, and time to drain within the grace period.
func TestChart_ConfiguresTheService(t *testing.T) {
	t.Parallel()
	for _, set := range valueSets(t) {
		workers := render(t, set)["StatefulSet"]
		c, err := loadWithoutFiles(workers.env())
		if err != nil {
			t.Errorf("%s: %v", set, err)
			continue
		}
		seconds, _ := workers.pod()["terminationGracePeriodSeconds"].(int)
		if float64(seconds) < c.DrainTimeout.Seconds()+5 {
			t.Errorf("%s: a grace period of %d s for a drain of %v", set, seconds, c.DrainTimeout)
		}
		expect(t, set, workers.container().first("env"), map[string]any{"name": "PULSE_INSTANCE_ID", "valueFrom.fieldRef.fieldPath": "metadata.name"})
		for probe, path := range map[string]string{"startupProbe": "/startupz", "livenessProbe": "/livez", "readinessProbe": "/readyz"} {
			expect(t, set, workers.container(), map[string]any{probe + ".httpGet.path": path, probe + ".httpGet.port": "http"})
		}
		port := workers.container().first("ports")
		if _, listens, _ := strings.Cut(c.HTTPAddr, ":"); port["name"] != "http" || listens != yamlText(port["containerPort"]) {
			t.Errorf("%s: port %v, the service listens on %s", set, port, c.HTTPAddr)
		}
		checkSecrets(t, set, workers)
	}
}

// loadWithoutFiles loads an environment. The files that it names are there in the pod only, so those variables are only checked
// for being known.
func loadWithoutFiles(env map[string]string) (config.Config, error) {
	known := config.Markdown()
	environ := []string{"PULSE_INSTANCE_ID=pulse-0"}
	for name, value := range env {
		switch {
		case !strings.HasPrefix(value, "/etc/pulse-scorer/"):
			environ = append(environ, name+"="+value)
		case !strings.Contains(known, "`"+name+"`"):
			return config.Config{}, fmt.Errorf("no variable %s", name)
		case name == "PULSE_SASL_PASSWORD_FILE":
			environ = append(environ, "PULSE_SASL_PASSWORD=in-its-place")
		case name == "PULSE_SASL_TOKEN_FILE":
			environ = append(environ, name+"="+valueSet("token")) // any file will do
		}
	}
	return config.Load(environ, config.NeedBrokers)
}

func yamlText(value any) string {
	text, _ := yaml.Marshal(value)
	return strings.TrimSpace(string(text))
}

// checkSecrets checks that each file that the environment names lies in a mounted volume, and that each mount has its volume.
func checkSecrets(t *testing.T, set string, workers manifest) {
	t.Helper()
	names := func(list []manifest, key string) (found []string) {
		for _, entry := range list {
			found = append(found, entry.text(key))
		}
		return found
	}
	mounts := workers.container().list("volumeMounts")
	volumes, mounted := names(workers.pod().list("volumes"), "name"), names(mounts, "name")
	slices.Sort(volumes)
	slices.Sort(mounted)
	if !slices.Equal(volumes, mounted) {
		t.Errorf("%s: volumes %q, mounted %q", set, volumes, mounted)
	}
	paths := names(mounts, "mountPath")
	for name, value := range workers.env() {
		if strings.HasPrefix(value, "/etc/") && !slices.ContainsFunc(paths, func(path string) bool { return strings.HasPrefix(value, path+"/") }) {
			t.Errorf("%s: %s names %s, which is not mounted", set, name, value)
		}
	}
}

// What a value set turns on is there, and nothing else: the other tests look at what they find.
func TestChart_HasTheObjectsOfEachValueSet(t *testing.T) {
	t.Parallel()
	kinds := map[string][]string{
		"plain":   {"NetworkPolicy", "PodDisruptionBudget", "Service", "ServiceAccount", "StatefulSet"},
		"secured": {"PodDisruptionBudget", "Service", "StatefulSet"},
		"token":   {"NetworkPolicy", "Service", "StatefulSet"},
		"full": {
			"ConfigMap", "ConfigMap of the runbook", "NetworkPolicy", "PodDisruptionBudget", "PrometheusRule", "ScaledObject", "Service", "ServiceAccount",
			"ServiceMonitor", "StatefulSet",
		},
	}
	for _, set := range valueSets(t) {
		if got := slices.Sorted(maps.Keys(render(t, set))); !slices.Equal(got, kinds[set]) {
			t.Errorf("%s: kinds %q, want %q", set, got, kinds[set])
		}
	}
	for set, most := range map[string]any{"plain": 1, "secured": "25%", "full": 1} {
		expect(t, set, render(t, set)["PodDisruptionBudget"], map[string]any{"spec.maxUnavailable": most, "spec.unhealthyPodEvictionPolicy": "AlwaysAllow"})
	}
}

func TestChart_ObjectsFindEachOther(t *testing.T) {
	t.Parallel()
	for _, set := range valueSets(t) {
		objects := render(t, set)
		workers, labels := objects["StatefulSet"], objects["StatefulSet"].object("spec.template.metadata.labels")
		expect(t, set, workers, map[string]any{"spec.serviceName": objects["Service"].at("metadata.name"), "metadata.namespace": "signals"})
		expect(t, set, objects["Service"], map[string]any{"spec.clusterIP": "None", "spec.publishNotReadyAddresses": true})
		for kind, path := range map[string]string{
			"StatefulSet": "spec.selector.matchLabels", "Service": "spec.selector", "PodDisruptionBudget": "spec.selector.matchLabels",
			"NetworkPolicy": "spec.podSelector.matchLabels",
		} {
			expectSelected(t, set, objects[kind], path, labels)
		}
		expectSelected(t, set, objects["ServiceMonitor"], "spec.selector.matchLabels", objects["Service"].object("metadata.labels"))
		if account := objects["ServiceAccount"]; account != nil {
			expect(t, set, workers.pod(), map[string]any{"serviceAccountName": account.at("metadata.name")})
		}
	}
}

// expectSelected checks that an object, if a value set has it, selects what has these labels.
func expectSelected(t *testing.T, set string, object manifest, path string, labels manifest) {
	t.Helper()
	if object == nil {
		return
	}
	selector := object.object(path)
	for name, value := range selector {
		if labels[name] != value {
			t.Errorf("%s: %s selects %s=%v, there is %v", set, object["kind"], name, value, labels[name])
		}
	}
	if len(selector) == 0 {
		t.Errorf("%s: %s selects everything", set, object["kind"])
	}
}

func TestChart_ScalesByTheInputsLag(t *testing.T) {
	t.Parallel()
	objects := render(t, "full")
	env, scaled := objects["StatefulSet"].env(), objects["ScaledObject"]
	expect(t, "full", objects["StatefulSet"], map[string]any{"spec.replicas": nil})
	// The whole of it: a setting more, like idleReplicaCount 0, would leave retry tiers without a reader.
	expect(t, "full", scaled, map[string]any{
		"apiVersion": "keda.sh/v1alpha1", "metadata.namespace": "signals",
		"spec": map[string]any{
			"scaleTargetRef":  map[string]any{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": objects["StatefulSet"].at("metadata.name")},
			"minReplicaCount": 1, "maxReplicaCount": 16, "pollingInterval": 15, "cooldownPeriod": 300,
			"advanced": map[string]any{"horizontalPodAutoscalerConfig": map[string]any{"behavior": map[string]any{"scaleDown": map[string]any{
				"stabilizationWindowSeconds": 300, "policies": []any{map[string]any{"type": "Pods", "value": 1, "periodSeconds": 120}},
			}}}},
			"triggers": []any{map[string]any{
				"type": "kafka", "authenticationRef": map[string]any{"name": "kafka"},
				"metadata": map[string]any{
					"topic": env["PULSE_TOPIC_INPUT"], "consumerGroup": env["PULSE_GROUP"],
					"bootstrapServers": strings.ReplaceAll(env["PULSE_BROKERS"], " ", ""), "lagThreshold": "10000", "offsetResetPolicy": "earliest",
					"excludePersistentLag": "true", "limitToPartitionsWithLag": "true", "version": "4.0.0",
				},
			}},
		},
	})
	simple := render(t, "plain", "--set", "keda.enabled=true")["ScaledObject"]
	expect(t, "plain", simple, map[string]any{"spec.minReplicaCount": 1, "spec.maxReplicaCount": 8})
	expect(t, "plain", simple.first("spec.triggers"), map[string]any{
		"type": "kafka", "authenticationRef": nil, "metadata.version": nil, "metadata.tls": nil, "metadata.topic": "pulse.signals",
		"metadata.offsetResetPolicy": "earliest", "metadata.excludePersistentLag": "true", "metadata.limitToPartitionsWithLag": "true",
	})
	secured := render(t, "secured", "--set", "keda.enabled=true")["ScaledObject"]
	expect(t, "secured", secured.first("spec.triggers"), map[string]any{"metadata.tls": "enable"})
}

// The port for probes, metrics and the console is open, to everybody or to who is named, and no other; without restrictEgress nothing is
// said of what leaves, and with it only names are resolved, brokers reached, and what is named besides.
func TestChart_LetsInAndOutWhatItSays(t *testing.T) {
	t.Parallel()
	type list = []any
	port := func(protocol string, port any) any { return map[string]any{"protocol": protocol, "port": port} }
	http, monitoring := port("TCP", "http"), map[string]any{"namespaceSelector": map[string]any{"matchLabels": map[string]any{"kubernetes.io/metadata.name": "monitoring"}}}
	names := map[string]any{"ports": list{port("UDP", 53), port("TCP", 53)}}
	brokers := map[string]any{"ports": list{port("TCP", 9093), port("TCP", 9094)}}
	for set, want := range map[string]map[string]any{
		"plain": {"spec.policyTypes": list{"Ingress"}, "spec.ingress": list{map[string]any{"ports": list{http}}}, "spec.egress": nil},
		"token": {
			"spec.policyTypes": list{"Ingress", "Egress"}, "spec.ingress": list{map[string]any{"ports": list{http}}}, "spec.egress": list{names, brokers},
		},
		"full": {
			"spec.policyTypes": list{"Ingress", "Egress"}, "spec.ingress": list{map[string]any{"ports": list{http}, "from": list{monitoring}}},
			"spec.egress": list{names, brokers, map[string]any{"ports": list{port("TCP", 8080)}}},
		},
	} {
		objects := render(t, set)
		expect(t, set, objects["NetworkPolicy"], want)
		// A policy names the port of the container, which is its only one.
		ports := objects["StatefulSet"].container().list("ports")
		if len(ports) != 1 || ports[0]["name"] != "http" {
			t.Errorf("%s: the container's ports are %v", set, ports)
		}
	}
}

func TestChart_CarriesAlertsAndDashboard(t *testing.T) {
	t.Parallel()
	objects := render(t, "full")
	var rule struct {
		Groups []struct{ Rules []alert }
	}
	if err := yaml.Unmarshal([]byte(yamlText(objects["PrometheusRule"]["spec"])), &rule); err != nil {
		t.Fatal(err)
	}
	const local, set = "http://127.0.0.1:9100/runbook", "https://docs.example/deploy/RUNBOOK.md"
	want := alerts(t)
	for i := range want {
		want[i].Annotations["runbook_url"] = strings.Replace(want[i].Annotations["runbook_url"], local, set, 1)
	}
	if len(rule.Groups) != 1 || !reflect.DeepEqual(rule.Groups[0].Rules, want) {
		t.Errorf("rules %+v", rule)
	}
	board, _ := objects["ConfigMap"].object("data")["pulse-scorer.json"].(string)
	if file := strings.Replace(string(read(t, "grafana/pulse-scorer.json")), local, set, 1); strings.TrimSpace(board) != strings.TrimSpace(file) || !json.Valid([]byte(board)) {
		t.Error("the dashboard of the ConfigMap is not the file")
	}
	runbook := objects["ConfigMap of the runbook"].object("data")["RUNBOOK.md"]
	if text, _ := runbook.(string); strings.TrimSpace(text) != strings.TrimSpace(string(read(t, "RUNBOOK.md"))) {
		t.Error("the runbook of the ConfigMap is not the file")
	}
	monitor := objects["ServiceMonitor"]
	expect(t, "full", monitor, map[string]any{"metadata.labels.release": "prometheus", "metadata.namespace": objects["Service"].at("metadata.namespace")})
	expect(t, "full", monitor.first("spec.endpoints"), map[string]any{"port": objects["Service"].first("spec.ports").at("name"), "path": "/metrics", "interval": "15s"})
}

func TestChart_RunbookNamesItsPods(t *testing.T) {
	t.Parallel()
	want := "kubectl exec " + render(t, "plain")["StatefulSet"].text("metadata.name") + "-0 -- /pulse-scorer lag"
	if !strings.Contains(string(read(t, "RUNBOOK.md")), want) {
		t.Errorf("the runbook does not say: %s", want)
	}
}

func TestChart_LimitsMemory(t *testing.T) {
	t.Parallel()
	for set, limit := range map[string]string{"plain": "921MiB", "full": "691MiB", "secured": "", "token": ""} {
		if got := render(t, set)["StatefulSet"].env()["GOMEMLIMIT"]; got != limit {
			t.Errorf("%s: GOMEMLIMIT %q, want %q", set, got, limit)
		}
	}
}

// Every value has a row in the README and a rule in the schema, and neither has one that there is not.
func TestChart_ValuesAreDocumented(t *testing.T) {
	t.Parallel()
	var values map[string]any
	var schema struct{ Properties map[string]any }
	if err := yaml.Unmarshal(read(t, chart+"/values.yaml"), &values); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(read(t, chart+"/values.schema.json"), &schema); err != nil {
		t.Fatal(err)
	}
	readme := string(read(t, chart+"/README.md"))
	for name := range values {
		if !strings.Contains(readme, "`"+name+"`") && !strings.Contains(readme, "`"+name+".") {
			t.Errorf("README.md does not say what %s is", name)
		}
		if schema.Properties[name] == nil {
			t.Errorf("values.schema.json has no %s", name)
		}
	}
	for name := range schema.Properties {
		if _, ok := values[name]; !ok && name != "global" { // helm gives every chart a global
			t.Errorf("values.schema.json has %s, which is no value", name)
		}
	}
}
