package devbroker

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"syscall"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
)

// Settings of a Broker. The zero value is a broker without topics, on any
// free port, that forgets everything when it is closed.
type Settings struct {
	// Port on 127.0.0.1; 0 takes any free one.
	Port int
	// DataDir keeps topics, records and groups across restarts; empty keeps
	// nothing.
	DataDir string
	// Topics are created where they do not exist.
	Topics []Topic
}

// Topic is a topic to create.
type Topic struct {
	Name       string
	Partitions int
	// Configs are topic settings by their Kafka names; nil for the defaults.
	Configs map[string]string
}

// validate joins all faults.
func (s Settings) validate() error {
	var faults []error
	if s.Port < 0 || s.Port > 65535 {
		faults = append(faults, fmt.Errorf("port %d does not exist; choose one from 1 to 65535, or 0 for any free one", s.Port))
	}
	for _, topic := range s.Topics {
		if topic.Name == "" || topic.Partitions < 1 {
			faults = append(faults, fmt.Errorf("topic %q with %d partitions; a topic needs a name and a partition", topic.Name, topic.Partitions))
		}
	}
	return errors.Join(faults...)
}

// Broker is a running broker. Its methods may be called concurrently.
type Broker struct {
	cluster *kfake.Cluster
	lock    *lock
	faults  *faultLog
	addrs   []string

	closing sync.Once
	closed  error
}

// Start starts a broker; Close ends it.
func Start(settings Settings) (*Broker, error) {
	if err := settings.validate(); err != nil {
		return nil, fmt.Errorf("start embedded broker: %w", err)
	}
	lock, err := acquire(settings.DataDir)
	if err != nil {
		return nil, fmt.Errorf("start embedded broker: %w", err)
	}
	faults := &faultLog{}
	options := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.Ports(settings.Port),
		kfake.WithLogger(faults),
		kfake.BrokerConfigs(map[string]string{"default.replication.factor": "1"}),
	}
	if settings.DataDir != "" {
		options = append(options, kfake.DataDir(settings.DataDir))
	}
	cluster, err := kfake.NewCluster(options...)
	if err != nil {
		return nil, errors.Join(explain(settings, err), lock.release())
	}
	broker := &Broker{cluster: cluster, lock: lock, faults: faults, addrs: cluster.ListenAddrs()}
	for _, topic := range settings.Topics {
		if err := broker.create(topic); err != nil {
			return nil, errors.Join(err, broker.Close())
		}
	}
	return broker, nil
}

// explain says why the broker did not come up.
func explain(settings Settings, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("start embedded broker: port %d is in use; choose another with --port, or 0 for any free one: %w", settings.Port, err)
	}
	return fmt.Errorf("start embedded broker: %w", err)
}

// create makes a topic, or checks the one that a data directory brought back.
func (b *Broker) create(topic Topic) error {
	err := b.cluster.CreateTopic(topic.Name, int32(topic.Partitions), topic.Configs) //nolint:gosec // Kafka's bound is far below
	if err == nil {
		return nil
	}
	if !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("create topic %s: %w", topic.Name, err)
	}
	if have := len(b.cluster.PartitionInfos(topic.Name)); have != topic.Partitions {
		return fmt.Errorf("topic %s has %d partitions in the data directory, not %d; use another directory", topic.Name, have, topic.Partitions)
	}
	return nil
}

// Addrs returns the broker's addresses, host:port.
func (b *Broker) Addrs() []string { return slices.Clone(b.addrs) }

// EndOffsets returns the log end offset of each partition of a topic, control
// markers included; nil when there is no such topic.
func (b *Broker) EndOffsets(topic string) []int64 {
	var ends []int64
	for _, info := range b.cluster.PartitionInfos(topic) {
		ends = append(ends, info.HighWatermark)
	}
	return ends
}

// TopicConfigs returns the settings a topic was created with; nil when there is
// no such topic.
func (b *Broker) TopicConfigs(topic string) map[string]string {
	info := b.cluster.TopicInfo(topic)
	if info == nil {
		return nil
	}
	configs := make(map[string]string, len(info.Configs))
	for name, value := range maps.All(info.Configs) {
		if value != nil {
			configs[name] = *value
		}
	}
	return configs
}

// Close stops the broker and writes its data directory. The error tells what
// could not be written. Closing again returns the same.
func (b *Broker) Close() error {
	b.closing.Do(func() {
		b.cluster.Close()
		b.closed = errors.Join(b.faults.err(), b.lock.release())
	})
	return b.closed
}

// faultLog keeps what the broker logs as errors: it has no other way to tell
// that its directory could not be written.
type faultLog struct {
	mu   sync.Mutex
	list []error // guarded by mu, the first few
}

var _ kfake.Logger = (*faultLog)(nil)

// Logf implements kfake.Logger.
func (f *faultLog) Logf(level kfake.LogLevel, format string, args ...any) {
	const most = 10
	if level != kfake.LogLevelError {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.list) < most {
		f.list = append(f.list, fmt.Errorf("embedded broker: "+format, args...))
	}
}

func (f *faultLog) err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return errors.Join(f.list...)
}
