package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"google.golang.org/grpc/grpclog"

	"pulse-scorer/internal/cli"
)

// version is set when a release is linked: -ldflags "-X main.version=1.2.3".
var version string

func main() {
	os.Exit(run())
}

// run ends the command in order at the first SIGINT or SIGTERM. The second one
// finds the default handling restored and ends the process at once.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	// The library that sends spans over gRPC writes lines of its own to stderr, which are no
	// JSON; what fails comes back as an error too. It is to be told before it is used.
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, io.Discard))
	return cli.Main(ctx, cli.Process{
		Args:    os.Args[1:],
		Environ: os.Environ(),
		Stdin:   os.Stdin,
		Stdout:  os.Stdout,
		Stderr:  os.Stderr,
		Now:     time.Now,
		Version: version,
	})
}
