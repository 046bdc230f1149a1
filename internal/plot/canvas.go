package plot

import (
	"fmt"
	"strings"
)

// canvas is an SVG that is being written.
type canvas struct{ out []byte }

func (c *canvas) f(format string, args ...any) { c.out = fmt.Appendf(c.out, format, args...) }

// open begins a picture: white behind it, so that it can be read on a dark page, too,
// and a headline.
func (c *canvas) open(height int, title, headline string) {
	c.f(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img" font-family="sans-serif" font-size="12">`+"\n",
		width, height, width, height)
	c.f("<title>%s</title>\n", escaped(title))
	c.f(`<rect width="%d" height="%d" fill="#fff"/>`+"\n", width, height)
	c.f(`<text x="%d" y="28" font-size="17" fill="%s">%s</text>`+"\n", left, colorInk, escaped(headline))
}

func (c *canvas) close() string {
	c.f("</svg>\n")
	return string(c.out)
}

func (c *canvas) text(x, y float64, anchor, color, text string) {
	c.f(`<text x="%.1f" y="%.1f" text-anchor="%s" fill="%s">%s</text>`+"\n", x, y, anchor, color, escaped(text))
}

// escaped is text in XML, without what XML cannot hold.
func escaped(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == '\uFFFE' || r == '\uFFFF' {
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(s)
}
