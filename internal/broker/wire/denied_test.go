package wire_test

import (
	"errors"
	"strings"
	"testing"

	"pulse-scorer/internal/broker/wire"
)

func TestDenied_NamesOperationAndResource(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		api  wire.APIKey
		code wire.ErrorCode
		want string
	}{
		{wire.Produce, wire.TopicAuthorizationFailed, "--operation Write --topic name"},
		{wire.AddPartitionsToTxn, wire.TopicAuthorizationFailed, "--operation Write --topic name"},
		{wire.Fetch, wire.TopicAuthorizationFailed, "--operation Read --topic name"},
		{wire.TxnOffsetCommit, wire.TopicAuthorizationFailed, "--operation Read --topic name"},
		{wire.ListOffsets, wire.TopicAuthorizationFailed, "--operation Describe --topic name"},
		{wire.JoinGroup, wire.GroupAuthorizationFailed, "--operation Read --group name"},
		{wire.FindCoordinator, wire.GroupAuthorizationFailed, "--operation Read --group name"},
		{wire.DescribeGroups, wire.GroupAuthorizationFailed, "--operation Describe --group name"},
		{wire.FindCoordinator, wire.TransactionalIDAuthorizationFailed, "--operation Write --transactional-id name"},
		{wire.InitProducerID, wire.TransactionalIDAuthorizationFailed, "--operation Write --transactional-id name"},
		{wire.DescribeTransactions, wire.TransactionalIDAuthorizationFailed, "--operation Describe --transactional-id name"},
		{wire.DescribeQuorum, wire.ClusterAuthorizationFailed, "--operation Describe --cluster"},
		{wire.InitProducerID, wire.ClusterAuthorizationFailed, "--operation IdempotentWrite --cluster"},
	} {
		err := wire.Denied(c.api, c.code, "name")
		if !errors.Is(err, c.code) || !strings.HasSuffix(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v, %v: %v, want one line that ends with %q", c.api, c.code, err, c.want)
		}
	}
	if err := wire.Denied(wire.Produce, 0, "name"); err != nil {
		t.Errorf("code 0: %v, want nil", err)
	}
	if err := wire.Denied(wire.Produce, wire.NotCoordinator, "name"); !errors.Is(err, wire.NotCoordinator) || errors.As(err, new(*wire.DeniedError)) {
		t.Errorf("another code: %v, want the code", err)
	}
}
