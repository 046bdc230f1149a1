package enricher

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// tokenAge is how long a token is used before its file is looked at again.
const tokenAge = 10 * time.Second

// tokenOf reads a token file again when it may have changed, and keeps to the last
// token while it is empty or cannot be read.
func tokenOf(file string, now func() time.Time) func() (string, error) {
	if file == "" {
		return func() (string, error) { return "", nil }
	}
	var mu sync.Mutex
	var token string
	var read time.Time
	return func() (string, error) {
		mu.Lock()
		defer mu.Unlock()
		if token != "" && now().Sub(read) < tokenAge {
			return token, nil
		}
		content, err := os.ReadFile(file) //nolint:gosec // the operator names it
		text := strings.TrimSpace(string(content))
		if err == nil && text == "" {
			err = errors.New("the file is empty")
		}
		switch {
		case err == nil:
			token = text
		case token == "":
			return "", fmt.Errorf("token: %w", err)
		}
		read = now()
		return token, nil
	}
}
