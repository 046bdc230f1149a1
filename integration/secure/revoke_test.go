//go:build integration

package secure_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// revoke takes a permission from a user, who is left with so many.
func (l *lab) revoke(ctx context.Context, t *testing.T, user string, a acl, left int) {
	t.Helper()
	one := kmsg.NewDeleteACLsRequestFilter()
	one.Principal, one.Host = new("User:"+user), new("*")
	one.ResourceType, one.ResourceName, one.ResourcePatternType = a.resource, new(a.name), a.pattern
	one.Operation, one.PermissionType = a.operation, kmsg.ACLPermissionTypeAllow
	req := kmsg.NewPtrDeleteACLsRequest()
	req.Filters = append(req.Filters, one)
	res, err := req.RequestWith(ctx, l.admin)
	if err == nil {
		err = kerr.ErrorForCode(res.Results[0].ErrorCode)
	}
	if err != nil || len(res.Results[0].MatchingACLs) != 1 {
		t.Fatalf("take from %s: %v, %+v", user, err, res.Results)
	}
	l.awaitGranted(ctx, t, user, func(n int) bool { return n == left })
}

// testRevoked takes each permission of the list for serve from a service that works. It
// must end with one line that names it; where only the periodic checks need it, it goes on
// scoring, and they say so.
func testRevoked(ctx context.Context, t *testing.T, l *lab) {
	for i := range purposes(readmeACLs(t, ""), toServe) {
		s := l.site(fmt.Sprintf("revoked-%d", i), 0)
		list := purposes(readmeACLs(t, s.name), toServe)
		lost := list[i]
		t.Run(lost.operation.String()+" on "+lost.name, func(t *testing.T) {
			s.makeTopics(ctx, t)
			s.grant(ctx, t, s.name, list)
			service := s.as(t, s.name).with("PULSE_TOPICS_CREATE=false", "PULSE_HEALTH_INTERVAL=1s").serve(ctx, t)
			service.await(ctx, t, 0, 1, "assigned")
			s.plain().must(ctx, t, signals(0, 10), "produce", "-")
			s.expectScored(ctx, t, 10)
			s.revoke(ctx, t, s.name, lost, len(list)-1)
			s.plain().must(ctx, t, signals(10, 10), "produce", "-")
			if lost.operation == kmsg.ACLOperationDescribeConfigs {
				service.expectUnchecked(ctx, t, lost)
				s.expectScored(ctx, t, 20)
				service.end(ctx, t)
				return
			}
			service.expectDenied(ctx, t, lost)
		})
	}
}

// revokedGuard is for what looks at a permission only now and then, every second here.
const revokedGuard = time.Minute

// expectDenied waits for the service to end for want of a permission.
func (r *running) expectDenied(ctx context.Context, t *testing.T, lost acl) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, revokedGuard)
	defer cancel()
	code := 0
	select {
	case code = <-r.code:
	case <-ctx.Done():
		t.Fatalf("%s: it goes on without %v on %s", r.site.name, lost.operation, lost.name)
	}
	written, _ := r.log.since(0)
	said := complaint(written)
	operation := kafkaName(lost.operation)
	if code != 1 || !strings.Contains(said, "not allowed to "+operation+" on ") || !strings.Contains(said, lost.name) {
		t.Errorf("exit %d, %q; want 1, and a line that names %s and %s", code, said, operation, lost.name)
	}
	t.Log(said)
}

// expectUnchecked waits until the checks cannot be made for want of a permission.
func (r *running) expectUnchecked(ctx context.Context, t *testing.T, lost acl) {
	t.Helper()
	r.awaitMetrics(ctx, t, func(metrics string) bool { return strings.Contains(metrics, "\npulse_health{check=\"topics\"} 0\n") })
	r.await(ctx, t, 0, 1, "not allowed to DescribeConfigs on topic "+lost.name)
	if written, _ := r.log.since(0); strings.Contains(written, "no broker answers") {
		t.Error("the log says that no broker answers, and one has refused")
	}
}
