//go:build integration

package secure_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// acl allows one operation.
type acl struct {
	operation kmsg.ACLOperation
	resource  kmsg.ACLResourceType
	pattern   kmsg.ACLResourcePatternType
	name      string
	// purpose is the comment that it stands under in the README.
	purpose string
}

// The purposes, by the first word of the comments in the README.
const (
	toServe   = "serve,"
	toCreate  = "to"
	toRedrive = "produce"
	toAudit   = "audit,"
)

// readmeACLs reads the list in the README, for another name of group and topics.
func readmeACLs(t *testing.T, name string) []acl {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatalf("read the list: %v", err)
	}
	rename := strings.NewReplacer("pulse.signals.scored", name+".out", "pulse.signals", name+".in", "pulse-scorer", name)
	var list []acl
	purpose := ""
	for line := range strings.SplitSeq(string(text), "\n") {
		words := strings.Fields(line)
		switch {
		case len(words) > 1 && words[0] == "#":
			purpose = words[1]
		case len(words) > 1 && words[0] == "acl" && strings.HasPrefix(words[1], "--"):
			list = append(list, parseACL(t, words[1:], purpose, rename)...)
		}
	}
	if len(list) < 10 {
		t.Fatalf("the README has %d ACLs; is the list still there?", len(list))
	}
	return list
}

// parseACL reads the words of one call of kafka-acls.
func parseACL(t *testing.T, words []string, purpose string, rename *strings.Replacer) []acl {
	t.Helper()
	one := acl{purpose: purpose, pattern: kmsg.ACLResourcePatternTypeLiteral}
	var operations []kmsg.ACLOperation
	for i := 0; i < len(words); i += 2 {
		value := words[i+1]
		var err error
		switch words[i] {
		case "--operation":
			var operation kmsg.ACLOperation
			operation, err = kmsg.ParseACLOperation(value)
			operations = append(operations, operation)
		case "--resource-pattern-type":
			one.pattern, err = kmsg.ParseACLResourcePatternType(value)
		case "--topic":
			one.resource, one.name = kmsg.ACLResourceTypeTopic, rename.Replace(value)
		case "--group":
			one.resource, one.name = kmsg.ACLResourceTypeGroup, rename.Replace(value)
		case "--transactional-id":
			one.resource, one.name = kmsg.ACLResourceTypeTransactionalId, rename.Replace(value)
		default:
			t.Fatalf("acl %v: option %s is not known here", words, words[i])
		}
		if err != nil {
			t.Fatalf("acl %v: %v", words, err)
		}
	}
	var list []acl
	for _, one.operation = range operations {
		list = append(list, one)
	}
	return list
}

// grant allows a user all of a list.
func (l *lab) grant(ctx context.Context, t *testing.T, user string, list []acl) {
	t.Helper()
	req := kmsg.NewPtrCreateACLsRequest()
	for _, a := range list {
		one := kmsg.NewCreateACLsRequestCreation()
		one.Principal, one.Host = "User:"+user, "*"
		one.ResourceType, one.ResourceName, one.ResourcePatternType = a.resource, a.name, a.pattern
		one.Operation, one.PermissionType = a.operation, kmsg.ACLPermissionTypeAllow
		req.Creations = append(req.Creations, one)
	}
	res, err := req.RequestWith(ctx, l.admin)
	if err == nil {
		for _, result := range res.Results {
			if err = kerr.ErrorForCode(result.ErrorCode); err != nil {
				break
			}
		}
	}
	if err != nil {
		t.Fatalf("grant to %s: %v", user, err)
	}
	l.awaitGranted(ctx, t, user, func(n int) bool { return n >= len(req.Creations) })
}

// awaitGranted waits until the broker, which hears of it from the controller, knows as
// many ACLs of a user as there are to be.
func (l *lab) awaitGranted(ctx context.Context, t *testing.T, user string, enough func(n int) bool) {
	t.Helper()
	req := kmsg.NewPtrDescribeACLsRequest()
	req.Principal = new("User:" + user)
	req.ResourceType, req.ResourcePatternType = kmsg.ACLResourceTypeAny, kmsg.ACLResourcePatternTypeAny
	req.Operation, req.PermissionType = kmsg.ACLOperationAny, kmsg.ACLPermissionTypeAny
	pause := time.NewTicker(10 * time.Millisecond)
	defer pause.Stop()
	for {
		res, err := req.RequestWith(ctx, l.admin)
		if err != nil {
			t.Fatalf("ACLs of %s: %v", user, err)
		}
		found := 0
		for _, resource := range res.Resources {
			found += len(resource.ACLs)
		}
		if enough(found) {
			return
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
			t.Fatalf("ACLs of %s: %d are known, want another number", user, found)
		}
	}
}

// as is the site for a user of OAUTHBEARER, who needs no account.
func (s *site) as(t *testing.T, user string) *site {
	t.Helper()
	file := s.write(t, "tokens/"+user, s.keys.token(t, user, time.Hour))
	return s.with("PULSE_BROKERS="+s.at(saslTLSPort), "PULSE_TLS=true", "PULSE_TLS_CA="+s.dir+"/tls/ca.pem",
		"PULSE_SASL_MECHANISM=OAUTHBEARER", "PULSE_SASL_TOKEN_FILE="+file)
}

func purposes(list []acl, of ...string) []acl {
	return slices.DeleteFunc(slices.Clone(list), func(a acl) bool { return !slices.Contains(of, a.purpose) })
}

// testACLs goes through the list in the README.
func testACLs(ctx context.Context, t *testing.T, l *lab) {
	s := l.site("acl", 0)
	s.makeTopics(ctx, t)
	list := readmeACLs(t, s.name)
	service := purposes(list, toServe)
	tools := purposes(list, toServe, toRedrive, toAudit)

	t.Run("the list for serve is enough", func(t *testing.T) {
		l.grant(ctx, t, "server", service)
		mine := s.as(t, "server").with("PULSE_TOPICS_CREATE=false", "PULSE_HEALTH_INTERVAL=1s")
		service := mine.serve(ctx, t)
		s.plain().must(ctx, t, signals(0, 10)+"no signal\n", "produce", "-")
		s.expectScored(ctx, t, 10)
		service.await(ctx, t, 0, 1, "assigned")
		service.awaitAllWell(ctx, t)
		service.awaitDead(ctx, t, 1)
		for _, command := range [][]string{{"lag"}, {"topics"}, {"dlq", "list"}, {"dlq", "show", "0:0"}} {
			mine.must(ctx, t, "", command...)
		}
		service.end(ctx, t)
	})
	for _, lacking := range service {
		expectDenied(ctx, t, s, service, lacking, "PULSE_TOPICS_CREATE=false", "serve")
	}
	for _, lacking := range purposes(list, toRedrive, toAudit) {
		commands := map[string][][]string{toRedrive: {{"dlq", "redrive"}}, toAudit: {{"audit"}, {"find", "3"}, {"verify"}}}[lacking.purpose]
		if lacking.resource == kmsg.ACLResourceTypeGroup {
			commands = append(commands, []string{"dlq", "hold", "--all"})
		}
		for _, command := range commands {
			expectDenied(ctx, t, s, tools, lacking, "", command...)
		}
	}
	t.Run("the list for tools is enough", func(t *testing.T) {
		l.grant(ctx, t, "operator", tools)
		mine := s.as(t, "operator")
		mine.must(ctx, t, signals(10, 10), "produce", "-")
		mine.must(ctx, t, "", "find", "3")
		if out := mine.must(ctx, t, "", "audit"); !strings.Contains(out, "balanced") {
			t.Errorf("audit says %s", out)
		}
		mine.must(ctx, t, "", "verify")
		mine.must(ctx, t, "", "dlq", "hold", "--all")
		mine.must(ctx, t, "", "dlq", "hold", "--release", "--all")
		mine.must(ctx, t, "", "dlq", "redrive")
	})
	testCreation(ctx, t, l)
}

// testCreation is for topics that are missing, and one that has to grow.
func testCreation(ctx context.Context, t *testing.T, l *lab) {
	for i, lacking := range readmeACLs(t, "") {
		if lacking.purpose == toCreate && lacking.operation == kmsg.ACLOperationCreate {
			s := l.site(fmt.Sprintf("acl-missing-%d", i), 0) // others would find some topics made
			list := readmeACLs(t, s.name)
			expectDenied(ctx, t, s, purposes(list, toServe, toCreate), list[i], "", "serve")
		}
	}
	s := l.site("acl-create", 0)
	list := purposes(readmeACLs(t, s.name), toServe, toCreate)
	t.Run("the list for creation is enough", func(t *testing.T) {
		l.grant(ctx, t, "creator", list)
		service := s.as(t, "creator").serve(ctx, t)
		service.await(ctx, t, 0, 1, "assigned")
		service.end(ctx, t)
	})
	l.grow(ctx, t, s.name+".in")
	l.grow(ctx, t, s.name+".out")
	for _, lacking := range list {
		if lacking.operation == kmsg.ACLOperationAlter {
			expectDenied(ctx, t, s, list, lacking, "", "serve")
		}
	}
	t.Run("the list for growth is enough", func(t *testing.T) {
		service := s.as(t, "creator").serve(ctx, t)
		service.await(ctx, t, 0, 1, "assigned")
		service.end(ctx, t)
	})
}

// grow gives a topic two partitions.
func (l *lab) grow(ctx context.Context, t *testing.T, name string) {
	t.Helper()
	topic := kmsg.NewCreatePartitionsRequestTopic()
	topic.Topic, topic.Count = name, 2
	req := kmsg.NewPtrCreatePartitionsRequest()
	req.Topics, req.TimeoutMillis = append(req.Topics, topic), 10_000
	res, err := req.RequestWith(ctx, l.admin)
	if err == nil {
		err = kerr.ErrorForCode(res.Topics[0].ErrorCode)
	}
	if err != nil {
		t.Fatalf("grow %s: %v", name, err)
	}
}

// expectDenied runs a command as a user who lacks one of a list. It must end with one
// line that names what is lacking.
func expectDenied(ctx context.Context, t *testing.T, s *site, list []acl, lacking acl, variable string, command ...string) {
	t.Helper()
	what := strings.Join(command, "-") + "-without-" + lacking.operation.String() + "-on-" + lacking.name
	t.Run(what, func(t *testing.T) {
		user := s.name + "-" + strings.ToLower(what)
		s.grant(ctx, t, user, slices.DeleteFunc(slices.Clone(list), func(a acl) bool { return a == lacking }))
		bounded, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		code, stdout, stderr := s.as(t, user).with(variable).command(bounded, "", command...)
		said := complaint(stderr)
		operation := kafkaName(lacking.operation)
		if code != 1 || !strings.Contains(said, "not allowed to "+operation+" on ") || !strings.Contains(said, "--operation "+operation+" --") ||
			!strings.Contains(said, lacking.name) {
			t.Errorf("exit %d, %q; want 1, and a line that names %s and %s\n%s%s", code, said, operation, lacking.name, stdout, stderr)
		}
		t.Log(said)
	})
}

// complaint is what a command has ended with: one line, or everything to show.
func complaint(stderr string) string {
	var lines []string
	for line := range strings.SplitSeq(strings.TrimSpace(stderr), "\n") {
		if strings.HasPrefix(line, "pulse-scorer: ") && !strings.HasPrefix(line, "pulse-scorer: warning:") {
			lines = append(lines, line)
		}
	}
	if len(lines) == 1 && strings.HasSuffix(strings.TrimSpace(stderr), lines[0]) {
		return lines[0]
	}
	return "not one line at the end"
}

// kafkaName is an operation as kafka-acls writes it.
func kafkaName(operation kmsg.ACLOperation) string {
	for _, name := range []string{"Read", "Write", "Create", "Alter", "Describe", "DescribeConfigs"} {
		if strings.EqualFold(strings.ReplaceAll(operation.String(), "_", ""), name) {
			return name
		}
	}
	return operation.String()
}
