package bench

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Settings of a Run.
type Settings struct {
	Brokers []string
	Load    Load
	// Rounds are how often each contestant works through the load.
	Rounds int
	// Rates are those that latency is measured at, in signals a second, for Length
	// each, in LatencyRounds rounds.
	Rates         []int
	Length        time.Duration
	LatencyRounds int
	// WarmUp is how long the brokers are kept busy before anything is measured.
	WarmUp time.Duration
	// Streams is a program that does a Job's work on Kafka Streams: it is called with
	// Job.Args, says "ready" on a line of its own when it reads, and ends with 0 at a
	// SIGTERM. "" leaves that contestant out.
	Streams string
	// Without leaves contestants out.
	Without map[Contestant]bool
	// Serve are the arguments that make this program a service, Environ what it
	// gets of the environment; topics, group and HTTP address are set to ones of its
	// own.
	Serve   []string
	Environ []string
	// JobArgs makes the arguments of a process that works as a Job.
	JobArgs func(c Contestant, job Job) []string
	// Progress is told what is done next.
	Progress func(text string)
}

// Contestant is one who works on the load.
type Contestant string

// The contestants.
const (
	Service  Contestant = "service"
	Copy     Contestant = "copy"
	Transact Contestant = "transact"
	Streams  Contestant = "streams"
)

// Contestants are all there are, in the order of the first round.
func Contestants() []Contestant { return []Contestant{Copy, Service, Transact, Streams} }

// takesPart tells whether a contestant is measured.
func (s *Settings) takesPart(c Contestant) bool {
	return !s.Without[c] && (c != Streams || s.Streams != "")
}

// Validate joins all faults.
func (s *Settings) Validate() error {
	var faults []error
	atLeast := func(name string, n, least int) {
		if n < least {
			faults = append(faults, fmt.Errorf("--%s: %d is less than %d", name, n, least))
		}
	}
	atLeast("records", s.Load.Records, repeatEvery)
	atLeast("series", s.Load.Series, 1)
	atLeast("partitions", s.Load.Partitions, 1)
	atLeast("rounds", s.Rounds, 0)
	atLeast("latency-rounds", s.LatencyRounds, 0)
	for _, rate := range s.Rates {
		atLeast("rates", rate, 1)
	}
	if s.WarmUp < 0 {
		faults = append(faults, fmt.Errorf("--warm-up: %v is less than nothing", s.WarmUp))
	}
	if len(s.Rates) > 0 && s.Length < time.Second {
		faults = append(faults, fmt.Errorf("--seconds: %v is less than a second", s.Length))
	}
	return errors.Join(faults...)
}

// Measured is what came of one contestant's work on the load.
type Measured struct {
	Records int           `json:"records"`
	Took    time.Duration `json:"took_ns"`
	Usage   Usage         `json:"usage"`
}

// Round is one of each.
type Round map[Contestant]Measured

// Report is what a Run has measured.
type Report struct {
	Load   Load
	Rounds []Round
	Felt   []Felt
	Length time.Duration
}

// runner carries out a Run.
type runner struct {
	Settings

	admin *admin
	now   func() time.Time
	// prefix begins the names of all topics and groups of the run.
	prefix string
	// workers are how many services share the load.
	workers int
}

func newRunner(s Settings, now func() time.Time) (*runner, error) {
	a, err := newAdmin(s.Brokers)
	if err != nil {
		return nil, err
	}
	return &runner{Settings: s, admin: a, now: now, prefix: fmt.Sprintf("bench-%d", now().UnixMilli()), workers: 1}, nil
}

// close deletes the topics of the run.
func (r *runner) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	defer r.admin.close()
	return r.admin.drop(ctx, r.prefix)
}

// Run measures. The topics that it makes, and those that the service makes of them,
// are deleted when it ends, whatever the end.
func Run(ctx context.Context, s Settings, now func() time.Time) (report Report, err error) {
	if err := s.Validate(); err != nil {
		return Report{}, err
	}
	r, err := newRunner(s, now)
	if err != nil {
		return Report{}, err
	}
	defer func() { err = errors.Join(err, r.close(ctx)) }()
	report = Report{Load: s.Load, Length: s.Length}
	if err := r.warm(ctx); err != nil {
		return report, err
	}
	for i := range s.Rounds {
		round, err := r.round(ctx, i)
		if err != nil {
			return report, fmt.Errorf("round %d: %w", i+1, err)
		}
		report.Rounds = append(report.Rounds, round)
	}
	report.Felt, err = r.feelAll(ctx)
	return report, err
}

// round lets each contestant work once, the first one another one each time.
func (r *runner) round(ctx context.Context, number int) (Round, error) {
	var all []Contestant
	for _, c := range Contestants() {
		if r.takesPart(c) {
			all = append(all, c)
		}
	}
	round := make(Round)
	for i := range all {
		c := all[(i+number)%len(all)]
		r.Progress(fmt.Sprintf("round %d of %d: %s", number+1, r.Rounds, c))
		name := fmt.Sprintf("%s-%d-%s", r.prefix, number, c)
		measured, err := r.work(ctx, c, name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c, err)
		}
		round[c] = measured
		if err := r.admin.drop(ctx, name); err != nil {
			return nil, err
		}
	}
	return round, nil
}

// work has a contestant work through a load.
func (r *runner) work(ctx context.Context, c Contestant, name string) (m Measured, err error) {
	job := Job{Brokers: r.Brokers, In: name + ".in", Out: name + ".out", Group: name, Partitions: r.Load.Partitions}
	if err := r.admin.create(ctx, r.Load.partitions(), job.In, job.Out); err != nil {
		return Measured{}, err
	}
	load, err := r.Load.hold(ctx, r.Brokers, job.In, float64(r.now().UnixMilli())/1000)
	if err != nil {
		return Measured{}, err
	}
	defer load.close()
	t, err := r.begin(ctx, c, job)
	if err != nil {
		return Measured{}, err
	}
	began := r.now()
	err = t.whileAlive(ctx, func(ctx context.Context) error {
		if err := load.release(ctx); err != nil {
			return err
		}
		if c == Copy {
			return r.admin.awaitEnd(ctx, job.Out, r.Load.Records)
		}
		return r.admin.awaitCommitted(ctx, job.Group, job.In, load.ends)
	})
	m = Measured{Records: r.Load.Records, Took: r.now().Sub(began)}
	usage, endErr := t.end()
	m.Usage = usage
	if err := errors.Join(err, endErr); err != nil {
		return Measured{}, err
	}
	if c != Copy {
		err = r.Load.check(ctx, r.admin, r.Brokers, job.Out)
	}
	return m, err
}

// serviceEnviron is the environment with topics, group and address for a job.
func (r *runner) serviceEnviron(job Job) []string {
	env := append([]string(nil), r.Environ...)
	for name, value := range map[string]string{
		"BROKERS": strings.Join(job.Brokers, ","), "TOPIC_INPUT": job.In, "TOPIC_OUTPUT": job.Out, "GROUP": job.Group,
		"HTTP_ADDR": "127.0.0.1:0", "LOG_FORMAT": "json", "LOG_LEVEL": "info",
		"TOPIC_RETRY": "", "TOPIC_DLQ": "", "TOPIC_STATE": "", "TOPIC_MODELS": "", "INSTANCE_ID": "",
	} {
		env = append(env, "PULSE_"+name+"="+value) // the last one of a name counts
	}
	return env
}
