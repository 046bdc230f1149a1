#!/bin/sh
# Computes for a while, says that it is ready, and does nothing until it is told to end.
trap 'exit 0' TERM
i=0
while [ $i -lt 300000 ]; do i=$((i + 1)); done
echo ready
while :; do sleep 0.1; done
