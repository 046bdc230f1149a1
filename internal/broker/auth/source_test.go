package auth

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestSource_ABrokenFileLeavesTheLastGoodValue(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "good one")
	var said bytes.Buffer
	s, err := newSource("PULSE_X", slog.New(slog.NewTextHandler(&said, nil)), func(files [][]byte) (string, error) {
		if !bytes.HasPrefix(files[0], []byte("good")) {
			return "", errors.New("is bad")
		}
		return string(files[0]), nil
	}, path)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		do        func()
		want      string
		saysError bool
		saysNew   bool
	}{
		{func() {}, "good one", false, false},
		{func() { write(t, path, "bad") }, "good one", true, false},
		{func() {}, "good one", false, false}, // said once
		{func() { write(t, path, "worse") }, "good one", true, false},
		{func() { _ = os.Remove(path) }, "good one", true, false},
		{func() {}, "good one", false, false},
		{func() { write(t, path, "good two") }, "good two", false, true},
		{func() { write(t, path, "bad") }, "good two", true, false},
		{func() { write(t, path, "good two") }, "good two", false, true},
	} {
		said.Reset()
		step.do()
		got := s.get()
		text := said.String()
		if got != step.want || strings.Contains(text, "level=ERROR") != step.saysError || strings.Contains(text, "has changed") != step.saysNew {
			t.Errorf("value %q, log %q; want %q, an error %v, a change %v", got, text, step.want, step.saysError, step.saysNew)
		}
		if text != "" && !strings.Contains(text, "PULSE_X") || strings.Contains(text, "good") || strings.Contains(text, "worse") {
			t.Errorf("log %q, want the variable and not the content", text)
		}
	}
}

func TestNew_NamesEveryVariableAtOnce(t *testing.T) {
	t.Parallel()
	bad := filepath.Join(t.TempDir(), "bad")
	write(t, bad, "no such thing")
	empty := filepath.Join(t.TempDir(), "empty")
	write(t, empty, "\n")
	deps := Deps{Log: slog.New(slog.DiscardHandler), ClientID: "test", Now: time.Now}
	for _, c := range []struct {
		set  Settings
		want []string
	}{
		{Settings{TLS: true, CAFile: bad, CertFile: bad, KeyFile: bad, Mechanism: OAuthBearer, TokenFile: bad}, []string{varCA, varCert, varToken}},
		{Settings{Mechanism: OAuthBearer, TokenFile: empty}, []string{varToken}},
		{Settings{Mechanism: Plain, Username: "u", PasswordFile: empty}, []string{varPasswordFile}},
		{Settings{Mechanism: Plain, Username: "u", Password: "a\x00b"}, []string{varPassword}},
		{Settings{Mechanism: ScramSHA256, Username: "u", Password: "a\u0007b"}, []string{varPassword}},
		{Settings{Mechanism: ScramSHA512, Username: "u", PasswordFile: bad + "-missing"}, []string{varPasswordFile}},
		{Settings{TLS: true, CAFile: empty, Mechanism: Plain, Username: "u", PasswordFile: empty}, []string{varCA, varPasswordFile}},
		{Settings{Mechanism: Plain, Username: "u", Password: "p"}, nil},
		{Settings{CAFile: bad}, nil}, // TLS is off: package config refuses it
	} {
		_, err := New(c.set, deps)
		var names []string
		if err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				name, _, _ := strings.Cut(line, ":")
				names = append(names, name)
			}
		}
		if strings.Join(names, " ") != strings.Join(c.want, " ") {
			t.Errorf("%+v: %v, want faults of %v", c.set, err, c.want)
		}
	}
}
