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
	defer cancel()
	l := newLab(ctx, t)
	t.Run("all", func(t *testing.T) { // waits for what runs side by side
		for name, test := range map[string]func(context.Context, *testing.T, *lab){
			"Ways": testWays, "WrongCredentials": testWrongCredentials, "Hostname": testHostname,
			"RotationGoesOn": testRotation, "CertificateRotation": testCertificateRotation, "ACLs": testACLs,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(ctx, t, l)
			})
		}
	})
}
