// Package auth opens connections to brokers: TLS, client certificates, and SASL
// with PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 and OAUTHBEARER.
//
// # Guarantees
//
// Certificates, passwords and tokens are read from their files at every new
// connection. One that cannot be used is logged, and the last good one stays
// (TestSource_ABrokenFileLeavesTheLastGoodValue). What is refused, by us or by the
// broker, is a RefusedError that names the variable to look at
// (TestRefusal_NamesWhatToDo; on a real Kafka TestSecure/WrongCredentials). No
// secret is in an error or a log line.
//
// # Decisions
//
//   - This is done while dialling, and not by kafka-go's Transport (v0.4.51): its
//     TLS and SASL fields are fixed for the life of a Transport, it sets no deadline
//     for the SASL exchange, it has no OAUTHBEARER, and it drops the session
//     lifetime that the broker answers, so a broker with connections.max.reauth.ms,
//     or one whose tokens expire, cuts its connections in the middle of the work.
//     Its implementations of PLAIN and SCRAM are used.
//   - A connection is authenticated anew (KIP-368) between two requests, once most
//     of the session lifetime has passed (session.go). Apache Kafka wants the same
//     user as before; a token of another user ends the connection, and the next one
//     begins with it.
//   - In TLS 1.3 a server judges the client's certificate after the client's
//     handshake has ended. Therefore one request goes over a new TLS connection
//     before it is handed out: the refusal is seen here.
package auth
