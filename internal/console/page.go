package console

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"net/http"
	"path"
	"strings"
)

//go:embed assets
var assets embed.FS

// policy lets a page load what is beside it and nothing else; its style is the one that has this hash.
const policy = "default-src 'none'; script-src 'self'; style-src 'sha256-STYLE'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

// In a document of the assets these are what a browser would have to ask for before it can paint.
const (
	styleLink = `<link rel="stylesheet" href="console.css">`
	iconImage = `<img src="icon.svg" alt="" width="28" height="28">`
)

// document serves an HTML file with style and icon inside it: then the first paint needs one answer, where three questions would wait
// for a browser that has just begun. It panics when there is no such file (TestPage_IsSmallAndAlone), or when it does not ask for one
// of them, which then nothing would put into it.
func document(name string) http.Handler {
	style, icon := file("console.css"), file("icon.svg")
	page := inlined(file(name), styleLink, "<style>"+style+"</style>")
	page = inlined(page, iconImage, inlined(icon, "<svg ", `<svg width="28" height="28" aria-hidden="true" `))
	hash := sha256.Sum256([]byte(style))
	return content(page, "text/html; charset=utf-8", strings.Replace(policy, "STYLE", base64.StdEncoding.EncodeToString(hash[:]), 1))
}

// inlined is a page with text in place of a marker, which must be there once.
func inlined(page, marker, text string) string {
	if n := strings.Count(page, marker); n != 1 {
		panic(fmt.Sprintf("a page of the console has %s %d times, not once", marker, n))
	}
	return strings.Replace(page, marker, text, 1)
}

// asset serves a file as it is. It panics when there is no such file.
func asset(name, mediaType string) http.Handler {
	return content(file(name), mediaType, "default-src 'none'")
}

func file(name string) string {
	text, err := assets.ReadFile(path.Join("assets", name))
	if err != nil {
		panic(err)
	}
	return string(text)
}

func content(text, mediaType, policy string) http.Handler {
	body := []byte(text)
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		w.Header().Set("Content-Security-Policy", policy)
		// The reader may be gone; there is nobody to tell.
		_, _ = w.Write(body)
	})
}
