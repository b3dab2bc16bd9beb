package server

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"

	"boxrun.dev/guest/internal/ports"
	"boxrun.dev/guest/internal/wire"
)

func listPorts(_ *Box, w http.ResponseWriter, _ *http.Request) error {
	listening, err := ports.Listening()
	if err != nil {
		return err
	}
	return writeJSON(w, wire.ListeningPorts{Ports: listening})
}

// connectPort is full duplex: the request's body goes to the program, and what it says comes back in frames, since an answer can't end
// while its request goes on.
func connectPort(_ *Box, w http.ResponseWriter, r *http.Request) error {
	port, err := strconv.ParseUint(r.PathValue("port"), 10, 16)
	if err != nil || port == 0 {
		return &wire.Error{Code: wire.BadRequest, Message: "port " + wire.Text(r.PathValue("port")) + ": not a number from 1 to 65535"}
	}
	conn, err := ports.Dial(r.Context(), uint16(port))
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(r.Context(), func() { conn.Close() })()
	w.Header().Set("Content-Type", "application/octet-stream")
	flush := http.NewResponseController(w).Flush
	if err := flush(); err != nil {
		return errHungUp
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		sendTo(conn, r.Body)
	}()
	if err := receiveFrom(conn, w, flush); err != nil {
		return errBegun{err}
	}
	select {
	case <-sent:
		return nil
	case <-r.Context().Done():
		return errHungUp
	}
}

// sendTo ends without a word when the program takes no more: what it has to say to that comes from the other direction.
func sendTo(conn *net.TCPConn, body io.Reader) {
	if _, err := io.Copy(conn, body); err == nil {
		_ = conn.CloseWrite()
	}
}

// receiveFrom sends what the program says, up to and with its end.
func receiveFrom(conn *net.TCPConn, w io.Writer, flush func() error) error {
	frame := make([]byte, wire.PortHeaderSize+wire.MaxPayload)
	for {
		n, err := conn.Read(frame[wire.PortHeaderSize:])
		kind := wire.PortData
		if n == 0 {
			if !errors.Is(err, io.EOF) {
				return context.Canceled
			}
			kind = wire.PortEnd
		}
		wire.PutPortHeader(frame, kind, n)
		if _, err := w.Write(frame[:wire.PortHeaderSize+n]); err != nil {
			return context.Canceled
		}
		if err := flush(); err != nil {
			return context.Canceled
		}
		if kind == wire.PortEnd {
			return nil
		}
	}
}
