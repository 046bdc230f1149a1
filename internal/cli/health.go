package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"pulse-scorer/internal/config"
)

// probes are what health can ask, by the word for it.
var probes = map[string]string{"ready": "/readyz", "live": "/livez", "started": "/startupz"}

func newHealth(p Process) *cobra.Command {
	var asJSON bool
	var probe string
	var timeout time.Duration
	command := &cobra.Command{
		Use:   "health",
		Short: "Ask the running service how it is (for images without curl)",
		Long: `health asks the service that runs on this machine, at PULSE_HTTP_ADDR, and shows
what it looks at. It exits 0 when all of it is well and 1 when it is not, or when
nobody answers: so it can be a container's health check. --probe chooses what is
asked: ready (it does its work), live (only a restart would help when it is not),
started (it has been ready once). --json shows everything that /status has.`,
		Example: `  pulse-scorer health
  PULSE_HTTP_ADDR=:9101 pulse-scorer health --probe live
  pulse-scorer health --json`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			path, ok := probes[probe]
			if !ok {
				return usagef("--probe: %q is not known; write ready, live or started", probe)
			}
			if timeout <= 0 {
				return usagef("--timeout: %v is not positive", timeout)
			}
			c, err := p.load(config.NeedNothing)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(command.Context(), timeout)
			defer cancel()
			return askHealth(ctx, p.Stdout, local(c.HTTPAddr), path, asJSON)
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "show what /status has, as JSON")
	command.Flags().StringVar(&probe, "probe", "ready", "what to ask: ready, live or started")
	command.Flags().DurationVar(&timeout, "timeout", 5*time.Second, "longest time to wait for the answer")
	completeWith(command, "probe", "ready\tit does its work", "live\tonly a restart helps when it is not", "started\tit has been ready once")
	return command
}

// local is where a service that listens on addr can be reached from the same machine.
func local(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("localhost", port)
	}
	return addr
}

func askHealth(ctx context.Context, out io.Writer, addr, probe string, asJSON bool) error {
	status, text, err := fetchPage(ctx, "http://"+addr+probe+"?verbose")
	if err != nil {
		return err
	}
	if asJSON {
		if _, text, err = fetchPage(ctx, "http://"+addr+"/status"); err != nil {
			return err
		}
	}
	if err := write(out, text); err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("the service at %s is not well: %s answers %d", addr, probe, status)
	}
	return nil
}

// maxPage is far over what a probe or /status has.
const maxPage = 4 << 20

func fetchPage(ctx context.Context, url string) (status int, text string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, "", fmt.Errorf("ask the service: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if errors.Is(err, context.DeadlineExceeded) {
		return 0, "", fmt.Errorf("%s does not answer in time; the process hangs, or --timeout is too short: %w", url, err)
	}
	if err != nil {
		return 0, "", fmt.Errorf("nobody answers; does the service run on this machine, and is PULSE_HTTP_ADDR that of the service?: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	page, err := io.ReadAll(io.LimitReader(response.Body, maxPage))
	if err != nil {
		return 0, "", fmt.Errorf("answer of %s: %w", url, err)
	}
	return response.StatusCode, string(page), nil
}
