// Package secure has the tests of secured connections on a real Apache Kafka: every
// way in, with right and wrong credentials, files that change under a running
// service, and the list of ACLs in the README with an authorizer on.
//
// One broker, started from its jars (../kafka/secure.sh), has a listener for each way.
// Certificates and the key of tokens are made by the test.
package secure
