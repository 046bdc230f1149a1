// Command pulse-scorer scores signals from Kafka, exactly once. It turns the
// operating system's signals into an end of its context, and the command's
// outcome into an exit code; everything else is in internal/cli.
package main
