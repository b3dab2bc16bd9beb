package wire

import (
	"encoding/binary"
	"fmt"
)

// What a program says on a connection to one of its ports is the answer of POST /ports/{port}, in frames; what it is told is the
// request's body, as it is.
//
//	data   1 u8 | length u32 | payload    1 to MaxPayload bytes of what it says
//	end    2 u8 | 0 u32                   it says no more; the last frame

// PortFrameType is the first byte of a frame of a port's connection.
type PortFrameType uint8

// The types of frames.
const (
	PortData PortFrameType = 1
	PortEnd  PortFrameType = 2
)

// PortHeaderSize is the length of such a frame's header in bytes.
const PortHeaderSize = 5

// PutPortHeader writes a header into dst, which has at least PortHeaderSize bytes.
func PutPortHeader(dst []byte, t PortFrameType, length int) {
	dst[0] = byte(t)
	binary.BigEndian.PutUint32(dst[1:], uint32(length))
}

// DecodePortHeader reads and checks a header.
func DecodePortHeader(b []byte) (PortFrameType, int, error) {
	if len(b) < PortHeaderSize {
		return 0, 0, fmt.Errorf("decode port frame: %d bytes, want %d", len(b), PortHeaderSize)
	}
	t, length := PortFrameType(b[0]), binary.BigEndian.Uint32(b[1:])
	switch {
	case t == PortData && length > 0 && length <= MaxPayload, t == PortEnd && length == 0:
		return t, int(length), nil
	case t == PortData || t == PortEnd:
		return 0, 0, fmt.Errorf("decode port frame: type %d with %d bytes", t, length)
	}
	return 0, 0, fmt.Errorf("decode port frame: type %d", t)
}

// ListeningPorts answers GET /ports.
type ListeningPorts struct {
	Ports []ListeningPort `json:"ports"`
}

// ListeningPort is a TCP port on which something of the box listens; PID and Process are missing if that is not known.
type ListeningPort struct {
	Port    uint16 `json:"port"`
	Address string `json:"address"`
	PID     int    `json:"pid,omitempty"`
	Process string `json:"process,omitempty"`
}
