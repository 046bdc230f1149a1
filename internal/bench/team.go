package bench

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"
)

// team are the processes that work on one load.
type team []*process

// begin starts a contestant's processes and waits until they wait for the load.
func (r *runner) begin(ctx context.Context, c Contestant, job Job) (team, error) {
	args, env, count := r.Serve, r.serviceEnviron(job), r.workers
	if c != Service {
		args, env, count = r.JobArgs(c, job), r.Environ, 1
	}
	var t team
	for range count {
		p, err := start(ctx, args, env)
		if err != nil {
			return nil, t.giveUp(err)
		}
		t = append(t, p)
	}
	if c != Service {
		if err := t[0].awaitReady(ctx); err != nil {
			return nil, t.giveUp(err)
		}
		return t, nil
	}
	if err := r.awaitServices(ctx, t, job); err != nil {
		return nil, t.giveUp(err)
	}
	return t, nil
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
