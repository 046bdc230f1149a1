package bench

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sync/errgroup"
)

// team are the processes that work on one load.
type team []*process

// begin starts a contestant's processes and waits until they wait for the load.
func (r *runner) begin(ctx context.Context, c Contestant, job Job) (team, error) {
	from, err := r.program(c, job)
	if err != nil {
		return nil, err
	}
	count := 1
	if c == Service {
		count = r.workers
	}
	var t team
	for range count {
		p, err := start(ctx, from)
		if err != nil {
			return nil, t.giveUp(err)
		}
		t = append(t, p)
	}
	if err := r.awaitTeam(ctx, c, t, job); err != nil {
		return nil, t.giveUp(err)
	}
	return t, nil
}

// awaitTeam waits until a contestant's processes wait for the load.
func (r *runner) awaitTeam(ctx context.Context, c Contestant, t team, job Job) error {
	if c == Service {
		return r.awaitServices(ctx, t, job)
	}
	if c != Streams {
		return t[0].awaitReady(ctx, patience)
	}
	if err := t[0].awaitReady(ctx, warmPatience); err != nil {
		return err
	}
	t[0].forgive() // it has started a Java machine and warmed it up
	return nil
}

// program is what a contestant's processes are started from: this program, but for
// Streams.
func (r *runner) program(c Contestant, job Job) (program, error) {
	if c == Streams {
		return program{path: r.Streams, args: job.Args(), env: r.Environ}, nil
	}
	self, err := os.Executable()
	if err != nil {
		return program{}, fmt.Errorf("find this program: %w", err)
	}
	if c == Service {
		return program{path: self, args: r.Serve, env: r.serviceEnviron(job)}, nil
	}
	return program{path: self, args: r.JobArgs(c, job), env: r.Environ}, nil
}

// awaitServices waits until all have joined the group and have their partitions. Each
// one that joined after another took some from it, so that one is asked again.
func (r *runner) awaitServices(ctx context.Context, t team, job Job) error {
	for _, p := range t {
		if err := p.awaitService(ctx); err != nil {
			return err
		}
	}
	if err := r.admin.awaitMembers(ctx, job.Group, len(t)); err != nil {
		return err
	}
	for _, p := range t {
		if err := p.awaitReadyz(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (t team) giveUp(why error) error {
	_, err := t.end()
	return errors.Join(why, err)
}

// errEnded says that there is nobody left to wait for; why the process has ended, its
// own error says.
var errEnded = errors.New("a process has ended before its work was done")

// whileAlive does something that needs all of the processes, and cuts it short when one
// of them ends: what it waits for would never come.
func (t team) whileAlive(ctx context.Context, do func(ctx context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var watches errgroup.Group
	for _, p := range t {
		watches.Go(func() error {
			select {
			case <-p.ended:
				cancel(errEnded)
			case <-ctx.Done():
			}
			return nil
		})
	}
	err := do(ctx)
	cancel(nil)
	_ = watches.Wait() // they have no errors
	switch {
	case err == nil || !errors.Is(context.Cause(ctx), errEnded):
		return err
	case errors.Is(err, context.Canceled):
		return errEnded // what do has said comes of that
	}
	return errors.Join(errEnded, err)
}

// end stops all at once, so that none takes over what another one leaves, and tells
// what they have taken together.
func (t team) end() (Usage, error) {
	taken := make([]Usage, len(t))
	var all errgroup.Group
	for i, p := range t {
		all.Go(func() (err error) {
			taken[i], err = p.end()
			return err
		})
	}
	err := all.Wait()
	var sum Usage
	for _, u := range taken {
		sum.User += u.User
		sum.System += u.System
		sum.PeakBytes += u.PeakBytes
	}
	return sum, err
}
