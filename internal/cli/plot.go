package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"pulse-scorer/internal/plot"
)

// plotter gathers what is drawn at the end. A nil plotter gathers nothing.
type plotter struct {
	dir       string
	threshold *float64
	series    map[[2]string]*plot.Series
	order     [][2]string
}

func newPlotter(dir string, threshold *float64) (*plotter, error) {
	if dir == "" {
		return nil, nil //nolint:nilnil // none is what was asked for
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // pictures are for others, too
		return nil, fmt.Errorf("--plot: %w", err)
	}
	return &plotter{dir: dir, threshold: threshold, series: map[[2]string]*plot.Series{}}, nil
}

// take notes a result.
func (p *plotter) take(result []byte) error {
	if p == nil {
		return nil
	}
	var r struct {
		Name      string    `json:"name"`
		Source    string    `json:"source"`
		Timestamp time.Time `json:"timestamp"`
		Value     float64   `json:"value"`
		Score     *float64  `json:"anomaly_score"`
		Flag      bool      `json:"anomaly_flag"`
	}
	if err := json.Unmarshal(result, &r); err != nil {
		return fmt.Errorf("--plot: %w", err)
	}
	key := [2]string{r.Source, r.Name}
	s, ok := p.series[key]
	if !ok {
		s = &plot.Series{Name: r.Name, Source: r.Source}
		p.series[key] = s
		p.order = append(p.order, key)
	}
	if r.Score != nil {
		s.Threshold = p.threshold
	}
	s.Points = append(s.Points, plot.Point{Time: r.Timestamp, Value: r.Value, Score: r.Score, Flag: r.Flag})
	return nil
}

// write makes a file of each series.
func (p *plotter) write() (err error) {
	if p == nil {
		return nil
	}
	taken := map[string]bool{}
	for _, key := range p.order {
		name := fileName(key[0] + "-" + key[1])
		for n := 2; taken[name]; n++ {
			name = fileName(key[0]+"-"+key[1]) + "-" + strconv.Itoa(n)
		}
		taken[name] = true
		err = errors.Join(err, os.WriteFile(filepath.Join(p.dir, name+".svg"), []byte(plot.SVG(p.series[key])), 0o644)) //nolint:gosec // as above
	}
	if err != nil {
		return fmt.Errorf("--plot: %w", err)
	}
	return nil
}

// fileName keeps letters, digits and few others, in lower case: some file systems
// know no other.
func fileName(text string) string {
	const most = 120
	name := []rune(strings.Map(func(r rune) rune {
		if r < 128 && (r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || slices.Contains([]rune("-_."), r)) {
			return r
		}
		return '_'
	}, strings.ToLower(text)))
	return strings.TrimLeft(string(name[:min(most, len(name))]), ".")
}
