//go:build integration

package console_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"pulse-scorer/schemas"
)

// expectAnswers holds what the running service answers against the schemas, and the results in it against theirs.
func (l *lab) expectAnswers(t *testing.T) {
	t.Helper()
	l.expectAnswer(t, "api/overview", schemas.Overview())
	l.expectAnswer(t, "api/dlq", schemas.DeadLetters())
	recent := l.expectAnswer(t, "api/recent", schemas.Recent())
	list, _ := recent["results"].([]any)
	result, checked := schema(t, schemas.Result()), 0
	for _, entry := range list {
		fields, _ := entry.(map[string]any)
		if fields["result"] == nil {
			continue
		}
		checked++
		if err := result.Validate(fields["result"]); err != nil {
			t.Errorf("a result of api/recent: %v", err)
		}
	}
	letters, _ := recent["dead_letters"].([]any)
	if checked < 9 || len(letters) != 3 {
		t.Errorf("api/recent has %d results and %d dead letters to look at, want 9 and more, and 3", checked, len(letters))
	}
}

func schema(t *testing.T, text string) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("answer.json", document); err != nil {
		t.Fatal(err)
	}
	return compiler.MustCompile("answer.json")
}

func (l *lab) expectAnswer(t *testing.T, path, text string) map[string]any {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, l.url+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	document, err := jsonschema.UnmarshalJSON(response.Body)
	if err == nil {
		err = schema(t, text).Validate(document)
	}
	if err != nil {
		t.Errorf("%s: %v", path, err)
	}
	fields, _ := document.(map[string]any)
	return fields
}
