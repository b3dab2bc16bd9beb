// Package ports reaches the services of the box: TCP on its own loopback, and nothing else.
package ports

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"

	"boxrun.dev/guest/internal/wire"
)

// loopback is where a service of the box may listen, in the order in which it is tried.
var loopback = []string{"127.0.0.1", "::1"}

// Dial connects to a port. Refused if nothing listens there.
func Dial(ctx context.Context, port uint16) (*net.TCPConn, error) {
	var dialer net.Dialer
	var failures []error
	for _, address := range loopback {
		conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(address, strconv.Itoa(int(port))))
		if err == nil {
			return conn.(*net.TCPConn), nil
		}
		failures = append(failures, err)
	}
	for _, err := range failures {
		// A kernel without IPv6 has no ::1 to refuse anything.
		if errors.Is(err, syscall.ECONNREFUSED) {
			return nil, &wire.Error{Code: wire.Refused, Message: fmt.Sprintf("nothing listens on port %d of 127.0.0.1 or ::1", port)}
		}
	}
	return nil, &wire.Error{Code: wire.IO, Message: wire.Text(failures[0].Error())}
}
