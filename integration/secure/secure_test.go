//go:build integration

package secure_test

import (
	"context"
	"testing"
)

// One broker for everything: its start is the dearest part.
func TestSecure(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), hangGuard)
	t.Cleanup(cancel) // after the subtests, which run side by side
	l := newLab(ctx, t)
	for name, test := range map[string]func(context.Context, *testing.T, *lab){
		"Ways": testWays, "WrongCredentials": testWrongCredentials, "Hostname": testHostname,
		"RotationGoesOn": testRotation, "CertificateRotation": testCertificateRotation, "ACLs": testACLs,
		"RevokedACLs": testRevoked,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(ctx, t, l)
		})
	}
}
