package codec

// Header is one record header as Kafka carries it. A nil Value is null.
type Header struct {
	Key   string
	Value []byte
}
