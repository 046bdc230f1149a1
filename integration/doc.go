// Package integration runs the service's promises against a real Apache Kafka.
//
// Its tests carry the build tag integration, so that "go test ./..." needs neither a container engine nor a broker; make
// integration runs them. None of them may skip: a suite that ran nothing proves nothing, so where no Kafka can be had they
// fail and say what to do (see kafkatest).
package integration
