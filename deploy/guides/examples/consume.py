"""Prints results: python consume.py GROUP COUNT, with PULSE_BROKERS set; ends after COUNT results."""

import json
import os
import sys

from confluent_kafka import Consumer

consumer = Consumer({
    "bootstrap.servers": os.environ["PULSE_BROKERS"],
    "group.id": sys.argv[1],
    # Results of transactions that are aborted, or not decided yet, must not be seen.
    # It is librdkafka's default and not that of most other clients: say it.
    "isolation.level": "read_committed",
    "auto.offset.reset": "earliest",
    "enable.auto.commit": False,
})
consumer.subscribe([os.environ.get("PULSE_TOPIC_OUTPUT", "pulse.signals.scored")])
wanted = int(sys.argv[2])
try:
    while wanted > 0:
        message = consumer.poll(1)
        if message is None:
            continue
        if message.error():
            sys.exit(f"consume: {message.error()}")
        result = json.loads(message.value())
        # Fields that you do not know are new ones: ignore them.
        print(result["id"], result["name"], result["kind"], result["trust_score"], flush=True)
        # Commit when what comes of the result is stored; a crash before gives it again.
        consumer.commit(message, asynchronous=False)
        wanted -= 1
finally:
    consumer.close()
