package wire

import "time"

// SaslHandshakeRequest names the mechanism that a connection is to be
// authenticated with. It begins an authentication, and an authentication anew
// (KIP-368).
type SaslHandshakeRequest struct {
	Mechanism string
}

// API implements Request.
func (*SaslHandshakeRequest) API() APIKey { return SaslHandshake }

// Append implements Request.
func (r *SaslHandshakeRequest) Append(dst []byte, correlationID int32, clientID string) []byte {
	e := begin(dst, SaslHandshake, correlationID, clientID)
	e.string(r.Mechanism)
	return e.end()
}

// SaslHandshakeResponse is the answer to a SaslHandshakeRequest.
type SaslHandshakeResponse struct {
	Code ErrorCode
	// Mechanisms are those that the listener takes.
	Mechanisms []string
}

// Decode implements Response.
func (r *SaslHandshakeResponse) Decode(correlationID int32, payload []byte) error {
	d := open(SaslHandshake, correlationID, payload)
	*r = SaslHandshakeResponse{Code: d.code()}
	for range d.array(2) {
		r.Mechanisms = append(r.Mechanisms, d.string())
	}
	return d.close(SaslHandshake)
}

// SaslAuthenticateRequest carries a message of the mechanism.
type SaslAuthenticateRequest struct {
	Message []byte
}

// API implements Request.
func (*SaslAuthenticateRequest) API() APIKey { return SaslAuthenticate }

// Append implements Request.
func (r *SaslAuthenticateRequest) Append(dst []byte, correlationID int32, clientID string) []byte {
	e := begin(dst, SaslAuthenticate, correlationID, clientID)
	e.bytes(r.Message)
	return e.end()
}

// SaslAuthenticateResponse is the answer to a SaslAuthenticateRequest.
type SaslAuthenticateResponse struct {
	Code ErrorCode
	// Reason is the broker's own word on a failure.
	Reason  string
	Message []byte
	// Lifetime is how long the broker takes requests on the connection before it
	// wants to be authenticated anew; 0 is for ever (KIP-368).
	Lifetime time.Duration
}

// Decode implements Response.
func (r *SaslAuthenticateResponse) Decode(correlationID int32, payload []byte) error {
	d := open(SaslAuthenticate, correlationID, payload)
	*r = SaslAuthenticateResponse{Code: d.code(), Reason: d.string(), Message: d.bytes(), Lifetime: time.Duration(d.int64()) * time.Millisecond}
	return d.close(SaslAuthenticate)
}

// APIVersionsRequest asks what a broker speaks. Here it only shows that the
// broker answers.
type APIVersionsRequest struct{}

// API implements Request.
func (*APIVersionsRequest) API() APIKey { return APIVersions }

// Append implements Request.
func (*APIVersionsRequest) Append(dst []byte, correlationID int32, clientID string) []byte {
	e := begin(dst, APIVersions, correlationID, clientID)
	return e.end()
}

// APIVersionsResponse is the answer to an APIVersionsRequest.
type APIVersionsResponse struct {
	Code ErrorCode
}

// Decode implements Response.
func (r *APIVersionsResponse) Decode(correlationID int32, payload []byte) error {
	d := open(APIVersions, correlationID, payload)
	*r = APIVersionsResponse{Code: d.code()}
	for range d.array(3 * 2) {
		d.take(3 * 2) // key, least and greatest version
	}
	return d.close(APIVersions)
}
