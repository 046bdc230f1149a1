#!/bin/sh
# Stands for the comparison on Kafka Streams in the tests of bench. BENCH_TEST_PROGRAM is the test binary, BENCH_TEST_STREAMS
# what this one does: the job, the job with its results in another topic, or end where it should begin to work.
[ $# -eq 5 ] || { echo "$# arguments, want BROKERS IN OUT GROUP PARTITIONS"; exit 2; }
case $BENCH_TEST_STREAMS in
  works) exec "$BENCH_TEST_PROGRAM" bench job transact "$@" ;;
  loses) exec "$BENCH_TEST_PROGRAM" bench job transact "$1" "$2" elsewhere "$4" "$5" ;;
  ends) echo ready ;;
esac
