// Package image starts the service's own image beside a broker's and uses it as an operator would.
//
// Its tests carry the build tag image beside integration, and a make target of their own (make integration-image): unlike
// the rest of integration they cannot do without a container engine. The image is built by deploy/image.sh, which needs no
// registry: the Dockerfile's last stage, with the binary of the Go at hand.
package image
