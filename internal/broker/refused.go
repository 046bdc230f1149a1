package broker

import (
	"errors"

	"pulse-scorer/internal/broker/auth"
	"pulse-scorer/internal/broker/wire"
)

// Refused tells whether a broker answers and does not want us: certificate, user,
// password or token are wrong (auth.RefusedError), or something is not allowed
// (wire.DeniedError).
//
// The second is fatal at any time, but where nothing but a periodic check needs it
// (TestSecure/RevokedACLs). The first is so at the start only; while the
// service runs, what the broker wants and what our files hold change one after the
// other when credentials are renewed, the files are read at each new connection, and
// those that are open go on. So it is taken as a broker that cannot be reached: nothing
// is given up, /readyz says that no broker answers, the log says why, and it goes on
// when both agree (TestSecure/RotationGoesOn).
func Refused(err error) bool {
	_, refused := errors.AsType[*auth.RefusedError](err)
	return refused || denied(err)
}

// denied tells whether something is not allowed.
func denied(err error) bool {
	_, denied := errors.AsType[*wire.DeniedError](err)
	return denied
}

// bare is a refusal of the connection without what was asked over it, which does not
// matter; any other error as it is.
func bare(err error) error {
	if refused, ok := errors.AsType[*auth.RefusedError](err); ok {
		return refused
	}
	return err
}
