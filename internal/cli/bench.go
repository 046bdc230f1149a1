package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pulse-scorer/internal/bench"
	"pulse-scorer/internal/config"
)

type benchFlags struct {
	load    bench.Load
	rounds  int
	rates   []int
	seconds int
	felt    int
	warmUp  time.Duration
	streams string
	without []string
	profile string
	asJSON  bool
}

func newBench(p Process) *cobra.Command {
	var flags benchFlags
	command := &cobra.Command{
		Use:   "bench",
		Short: "Measure the service on a cluster, beside a raw copy and a client library",
		Long: `bench makes topics of its own, with a load in them, and has the service work
through it, as a process of its own with this environment. In turns with it work
two others: a raw copy of the records, and the same job as one would write it with
the transactions of a client library (franz-go); with --streams a third one, the job on
Kafka Streams. Then it measures how long after its append a signal's result can be
seen, that of all but the copy, beside what the meter shows alone. The
results must be complete and unique, or it exits 1. It deletes its topics.

Ratios say something about a machine that does nothing else. Processor time is of a
process's whole life, start and stop included; that of Kafka Streams is counted from when
its Java machine has started and has been warmed up.`,
		Example: `  PULSE_BROKERS=localhost:9092 pulse-scorer bench
  pulse-scorer bench --rounds 1 --records 100000 --rates 1000
  pulse-scorer bench --rounds 3 --seconds 0 --without transact --profile cpu.pprof`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			c, err := p.load(config.NeedBrokers)
			if err != nil {
				return err
			}
			set, err := flags.settings(p, c)
			if err != nil {
				return err
			}
			return runBench(command.Context(), p, set, flags.asJSON)
		},
	}
	f, usual := command.Flags(), bench.UsualLoad()
	f.IntVar(&flags.load.Records, "records", usual.Records, "records of the load, one in a hundred a repeated one")
	f.IntVar(&flags.load.Series, "series", usual.Series, "series of the load")
	f.IntVar(&flags.load.Partitions, "partitions", usual.Partitions, "partitions of the topics")
	f.IntVar(&flags.rounds, "rounds", 5, "how often each works through the load; 0 measures latency only")
	f.IntSliceVar(&flags.rates, "rates", []int{1000, 10_000}, "signals a second to measure latency at")
	f.IntVar(&flags.seconds, "seconds", 20, "how long latency is measured at each rate in each round; 0 leaves that out")
	f.IntVar(&flags.felt, "latency-rounds", 5, "how often latency is measured at each rate; 0 leaves that out")
	f.DurationVar(&flags.warmUp, "warm-up", 30*time.Second, "how long brokers are kept busy first; one that was just started is slow")
	f.StringVar(&flags.streams, "streams", "", "program that does the job on Kafka Streams; make bench STREAMS=1 builds and gives it")
	f.StringSliceVar(&flags.without, "without", nil, "copy, service, transact or streams: leave it out of the rounds")
	f.StringVar(&flags.profile, "profile", "", "write the service's CPU profile of each run to this file, with a number behind it")
	f.BoolVar(&flags.asJSON, "json", false, "as JSON, with each round")
	command.AddCommand(newBenchScale(p), newBenchJob(p), newBenchServe(p))
	return command
}

func (f *benchFlags) settings(p Process, c config.Config) (bench.Settings, error) {
	set := bench.Settings{
		Brokers: c.Brokers, Load: f.load, Rounds: f.rounds, Rates: f.rates, Length: time.Duration(f.seconds) * time.Second,
		LatencyRounds: f.felt, WarmUp: f.warmUp, Streams: f.streams,
		Without: make(map[bench.Contestant]bool), Environ: p.Environ, Serve: []string{defaultCommand}, JobArgs: jobArgs,
		Progress: func(text string) { _, _ = fmt.Fprintln(p.Stderr, text) },
	}
	for _, name := range f.without {
		if !slices.Contains(bench.Contestants(), bench.Contestant(name)) {
			return bench.Settings{}, usagef("--without: %q is none of %v", name, bench.Contestants())
		}
		set.Without[bench.Contestant(name)] = true
	}
	if f.streams != "" {
		if _, err := exec.LookPath(f.streams); err != nil {
			return bench.Settings{}, usagef("--streams: %w; make bench STREAMS=1 gives the one of the repository", err)
		}
	}
	if f.seconds == 0 || f.felt == 0 {
		set.Rates = nil
	}
	if f.profile != "" {
		set.Serve = []string{"bench", benchServe, f.profile}
	}
	if err := plainOnly(c); err != nil {
		return bench.Settings{}, err
	}
	if err := set.Validate(); err != nil {
		return bench.Settings{}, &usageError{err}
	}
	return set, nil
}

func plainOnly(c config.Config) error {
	if c.TLS || c.SASLMechanism != "" {
		return usagef("bench connects in plain text only, to a cluster made for it: unset PULSE_TLS and PULSE_SASL_MECHANISM")
	}
	return nil
}

func runBench(ctx context.Context, p Process, set bench.Settings, asJSON bool) error {
	report, err := bench.Run(ctx, set, p.Now)
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(p.Stdout, report)
	}
	return report.Write(p.Stdout)
}

// The hidden commands that bench starts.
const (
	benchJob   = "job"
	benchServe = "serve"
)

func jobArgs(c bench.Contestant, j bench.Job) []string {
	return append([]string{"bench", benchJob, string(c)}, j.Args()...)
}

func newBenchJob(p Process) *cobra.Command {
	return &cobra.Command{
		Use: benchJob, Hidden: true, Args: cobra.ExactArgs(6),
		Short: "Work as one of those the service is compared with",
		RunE: func(command *cobra.Command, args []string) error {
			partitions, err := strconv.Atoi(args[5])
			if err != nil {
				return usagef("partitions: %w", err)
			}
			job := bench.Job{
				Brokers: strings.Split(args[1], ","), In: args[2], Out: args[3], Group: args[4], Partitions: partitions, Ready: p.Stdout,
			}
			switch bench.Contestant(args[0]) {
			case bench.Copy:
				return job.Copy(command.Context())
			case bench.Transact:
				return job.Transact(command.Context())
			case bench.Service, bench.Streams, bench.Meter:
			}
			return usagef("%q is no job", args[0])
		},
	}
}

// newBenchServe is serve with a CPU profile.
func newBenchServe(p Process) *cobra.Command {
	serve := newServe(p)
	return &cobra.Command{
		Use: benchServe, Hidden: true, Args: cobra.ExactArgs(1),
		Short: "Serve, and write a CPU profile",
		RunE: func(command *cobra.Command, args []string) error {
			file, err := os.Create(args[0] + "." + strconv.FormatInt(p.Now().UnixMilli(), 10))
			if err != nil {
				return fmt.Errorf("profile: %w", err)
			}
			if err := pprof.StartCPUProfile(file); err != nil {
				return fmt.Errorf("profile: %w", err)
			}
			served := serve.RunE(command, nil)
			pprof.StopCPUProfile()
			return errors.Join(served, file.Close())
		},
	}
}
