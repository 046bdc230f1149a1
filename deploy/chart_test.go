//go:build deployment

package deploy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const chart = "helm/pulse-scorer"

// The oldest Kubernetes that the chart says it is for, and the newest there are types for.
var kubernetes = []string{"1.27.0", "1.37.0"}

// manifest is one rendered object.
type manifest map[string]any

// at follows keys and returns what is there, nil when nothing is.
func (m manifest) at(path string) any {
	var value any = map[string]any(m)
	for key := range strings.SplitSeq(path, ".") {
		fields, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = fields[key]
	}
	return value
}

// object and text are what is at a path, empty when it is something else.
func (m manifest) object(path string) manifest {
	fields, _ := m.at(path).(map[string]any)
	return fields
}

func (m manifest) text(path string) string {
	text, _ := m.at(path).(string)
	return text
}

// list are the objects of a list at a path, first is the first of them.
func (m manifest) list(path string) []manifest {
	entries, _ := m.at(path).([]any)
	var objects []manifest
	for _, entry := range entries {
		fields, _ := entry.(map[string]any)
		objects = append(objects, fields)
	}
	return objects
}

func (m manifest) first(path string) manifest {
	for _, object := range m.list(path) {
		return object
	}
	return nil
}

// pod is the template of the workers' pods, container their only container.
func (m manifest) pod() manifest { return m.object("spec.template.spec") }

func (m manifest) container() manifest { return m.pod().first("containers") }

// env is the container's environment, without what comes from elsewhere.
func (m manifest) env() map[string]string {
	env := make(map[string]string)
	for _, variable := range m.container().list("env") {
		if value, ok := variable["value"].(string); ok {
			env[variable.text("name")] = value
		}
	}
	return env
}

// tool is what a variable of the environment names; make deployment sets it.
func tool(t *testing.T, variable string) string {
	t.Helper()
	path := os.Getenv(variable)
	if path == "" {
		t.Fatalf("%s is not set; run these tests with: make deployment", variable)
	}
	return path
}

func run(t *testing.T, environ []string, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), hangGuard)
	defer cancel()
	command := exec.CommandContext(ctx, name, args...)
	command.Env = append(os.Environ(), environ...)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s%s", filepath.Base(name), strings.Join(args, " "), err, stdout.String(), stderr.String())
	}
	return stdout.String(), nil
}

func template(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return run(t, nil, tool(t, "HELM"), append([]string{"template", "pulse", chart, "--namespace", "signals"}, args...)...)
}

// render renders the chart with a value set of its ci folder, and more arguments, by kind of object. Of ConfigMaps there may be two.
func render(t *testing.T, set string, args ...string) map[string]manifest {
	t.Helper()
	text, err := template(t, append([]string{"-f", valueSet(set)}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	objects := make(map[string]manifest)
	decoder := yaml.NewDecoder(strings.NewReader(text))
	for {
		var object map[string]any
		err := decoder.Decode(&object)
		if errors.Is(err, io.EOF) {
			return objects
		}
		if err != nil {
			t.Fatalf("%s: %v", set, err)
		}
		if object == nil {
			continue
		}
		kind, _ := object["kind"].(string)
		if strings.HasSuffix(manifest(object).text("metadata.name"), "-runbook") {
			kind = "ConfigMap of the runbook"
		}
		if objects[kind] != nil {
			t.Errorf("%s: two objects of kind %s", set, kind)
		}
		objects[kind] = object
	}
}

func valueSet(name string) string { return chart + "/ci/" + name + "-values.yaml" }

func valueSets(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob(valueSet("*"))
	if err != nil || len(paths) < 4 {
		t.Fatalf("value sets %q: %v", paths, err)
	}
	sets := make([]string, len(paths))
	for i, path := range paths {
		sets[i] = strings.TrimSuffix(filepath.Base(path), "-values.yaml")
	}
	return sets
}

func TestChart_IsCleanWithEachValueSet(t *testing.T) {
	t.Parallel()
	for _, set := range valueSets(t) {
		if _, err := run(t, nil, tool(t, "HELM"), "lint", "--strict", "--quiet", chart, "-f", valueSet(set)); err != nil {
			t.Errorf("%s: %v", set, err)
		}
	}
}

// Kubernetes' own kinds are checked with its published types, strictly: what they do not know, or lack, is a fault.
func TestChart_IsWhatKubernetesKnows(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, set := range valueSets(t) {
		text, err := template(t, "-f", valueSet(set))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, set+".yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	validate := func(version string, files ...string) error {
		_, err := run(t, []string{"PYTHONPATH=" + tool(t, "KUBERNETES_VALIDATE")}, "python3",
			append([]string{"-m", "kubernetes_validate", "--strict", "-k", version}, files...)...)
		return err
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*.yaml"))
	for _, version := range kubernetes {
		if err := validate(version, files...); err != nil {
			t.Error(err)
		}
	}
	bad := filepath.Join(dir, "bad")
	text := "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: x}\nspec: {maxUnavailabel: 1}\n"
	if err := os.WriteFile(bad, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if validate(kubernetes[0], bad) == nil {
		t.Error("a misspelt field is taken")
	}
}

// The commands of the READMEs that install with everything watched render, and turn on what they say.
func TestChart_InstallsAsTheREADMEsSay(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"README.md", chart + "/README.md"} {
		_, command, _ := strings.Cut(string(read(t, name)), "where the Prometheus operator and Grafana's sidecar are")
		_, command, _ = strings.Cut(command, "\n```sh\n")
		command, _, _ = strings.Cut(command, "\n```\n")
		words := strings.Fields(strings.ReplaceAll(command, "\\\n", " "))
		if len(words) < 5 || strings.Join(words[:4], " ") != "helm install pulse deploy/"+chart {
			t.Errorf("%s: no command to install with: %q", name, words)
			continue
		}
		objects := render(t, "plain", words[4:]...)
		for _, kind := range []string{"ServiceMonitor", "PrometheusRule", "ConfigMap"} {
			if objects[kind] == nil {
				t.Errorf("%s: its command makes no %s", name, kind)
			}
		}
		// As the Service of the release "pulse" in the namespace "signals" is known in the cluster.
		const runbook = "http://pulse-pulse-scorer.signals.svc:9100/runbook"
		if !strings.Contains(yamlText(objects["PrometheusRule"]["spec"]), "runbook_url: "+runbook+"#pulsescorerabsent\n") {
			t.Errorf("%s: alerts have no link to the runbook", name)
		}
		if !strings.Contains(yamlText(objects["ConfigMap"]["data"]), `"url": "`+runbook+`"`) {
			t.Errorf("%s: the dashboard has no link to the runbook", name)
		}
	}
}

func TestChart_RefusesValuesThatWouldNotWork(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]string{
		"no brokers":            "kafka.brokers=",
		"broker without port":   "kafka.brokers=kafka",
		"unknown value":         "kafka.topics=x",
		"scaling to nothing":    "keda.minReplicaCount=0",
		"misspelt variable":     "env.PULS_GROUP=x",
		"unknown mechanism":     "kafka.sasl.mechanism=GSSAPI",
		"password from nowhere": "kafka.sasl.mechanism=PLAIN",
		"no time to drain":      "drainSeconds=0",
		"budget of nothing":     "podDisruptionBudget.maxUnavailable=0",
		"drain without grace":   "env.PULSE_DRAIN_TIMEOUT=60s",
		"port beside httpPort":  "env.PULSE_HTTP_ADDR=:9300",
		"one instance for all":  "env.PULSE_INSTANCE_ID=x",
		"version that is none":  "keda.version=newest",
	} {
		if _, err := template(t, "-f", valueSet("plain"), "--set", set); err == nil {
			t.Errorf("%s is taken: %s", name, set)
		}
	}
}
