"""Produces signals: python produce.py FILE.ndjson, with PULSE_BROKERS set."""

import json
import os
import sys

from confluent_kafka import Producer

failed = []


def delivered(error, message):
    if error is not None:
        failed.append(f"{message.key()}: {error}")


producer = Producer({
    "bootstrap.servers": os.environ["PULSE_BROKERS"],
    # Kafka's own partitioner. librdkafka's default is another one, and would put the
    # signals of a series elsewhere than Java producers do.
    "partitioner": "murmur2_random",
    # No signal twice when the producer itself tries again, and none out of order.
    "enable.idempotence": True,
    "compression.type": "lz4",
})
topic = os.environ.get("PULSE_TOPIC_INPUT", "pulse.signals")
with open(sys.argv[1], encoding="utf-8") as lines:
    for line in lines:
        # The key is the name: it keeps a series in one partition, and so in order.
        key = json.loads(line)["name"]
        while True:
            try:
                producer.produce(topic, key=key, value=line.rstrip("\n"), on_delivery=delivered)
                break
            except BufferError:  # the queue is full: wait until some have been delivered
                producer.poll(1)
        producer.poll(0)
unsent = producer.flush(60)
if failed or unsent:
    sys.exit(f"{unsent} signals not delivered in time; {failed[:5]}")
