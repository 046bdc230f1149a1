package deploy

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"pulse-scorer/internal/config"
)

type composeService struct {
	Image       string
	Build       struct{ Context, Dockerfile string }
	Environment map[string]string
	Volumes     []string
	Ports       []string
	Command     []string
	DependsOn   []string `yaml:"depends_on"`
	ReadOnly    bool     `yaml:"read_only"`
	CapDrop     []string `yaml:"cap_drop"`
	SecurityOpt []string `yaml:"security_opt"`
	Restart     string
	Profiles    []string
	Grace       string `yaml:"stop_grace_period"`
	Healthcheck struct{ Disable bool }
}

type composeFile struct {
	Name     string
	Services map[string]composeService
	Volumes  map[string]any
}

// No compose is at hand that could read the file, so its fields are read strictly.
func composeStack(t *testing.T) composeFile {
	t.Helper()
	decoder := yaml.NewDecoder(strings.NewReader(string(read(t, "compose/compose.yaml"))))
	decoder.KnownFields(true)
	var file composeFile
	if err := decoder.Decode(&file); err != nil {
		t.Fatalf("read the compose file: %v", err)
	}
	return file
}

func TestCompose_IsWhatTheServiceAndItsFilesAre(t *testing.T) {
	t.Parallel()
	file := composeStack(t)
	for name, service := range file.Services {
		for _, needed := range service.DependsOn {
			if _, ok := file.Services[needed]; !ok {
				t.Errorf("%s depends on %s, which there is not", name, needed)
			}
		}
		for _, port := range service.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("%s publishes %s beyond loopback", name, port)
			}
		}
		if !regexp.MustCompile(`:(\d+\.\d+\.\d+|v\d+\.\d+\.\d+|compose)$`).MatchString(service.Image) {
			t.Errorf("%s: image %q has no version", name, service.Image)
		}
		checkMounts(t, name, service, file.Volumes)
	}
	if len(file.Services) != 5 {
		t.Errorf("%d services", len(file.Services))
	}
}

// checkMounts checks that what is mounted is there, and is no link, which would lead
// nowhere in a container.
func checkMounts(t *testing.T, name string, service composeService, volumes map[string]any) {
	t.Helper()
	for _, mount := range service.Volumes {
		from, _, _ := strings.Cut(mount, ":")
		if !strings.HasPrefix(from, ".") {
			if _, ok := volumes[from]; !ok {
				t.Errorf("%s mounts volume %s, which there is not", name, from)
			}
			continue
		}
		path, err := filepath.Abs(filepath.Join("compose", from))
		if err != nil {
			t.Fatal(err)
		}
		if target, err := filepath.EvalSymlinks(path); err != nil || filepath.Base(target) != filepath.Base(path) {
			t.Errorf("%s mounts %s: %v", name, from, err)
		}
	}
}

func TestCompose_WorkersAreConfinedAndConfigured(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"worker", "sample"} {
		service := composeStack(t).Services[name]
		if !service.ReadOnly || !slices.Equal(service.CapDrop, []string{"ALL"}) || !slices.Contains(service.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s is not confined: %+v", name, service)
		}
		var environ []string
		for variable, value := range service.Environment {
			environ = append(environ, variable+"="+value)
		}
		if _, err := config.Load(environ, config.NeedBrokers); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
