// Package wire holds what goes over the line between the host and the agent: the greeting, the frames of an exec's
// output, and the JSON messages. The whole protocol is docs/guest-protocol.md; golden samples are fixtures/guest-wire.
//
//	message    from   where                              layout (integers are big-endian)
//	greeting   agent  first bytes of every connection    "BOXRUN\r\n" | version u16 | 0 u16 | boot id 16 bytes
//	stdout     agent  answer of PUT /execs/{id} and      1 u8 | offset u64 | length u32 | payload
//	                  POST /execs/{id}/output
//	stderr     agent  the same                           2 u8 | offset u64 | length u32 | payload
//	exit       agent  the same, last frame               3 u8 | 0 u64      | length u32 | Exit as JSON
//	start      host   body of PUT /execs/{id}            length u32 | ExecStart as JSON
//	ack        host   after it, and body of              1 or 2 u8 | offset u64
//	                  POST /execs/{id}/output
//
//	output frame   0      1                 9            13
//	               +------+-----------------+------------+----------------+
//	               | type | offset u64      | length u32 | payload        |
//	               +------+-----------------+------------+----------------+
//	ack frame      0      1                 9
//	               +------+-----------------+
//	               | type | offset u64      |
//	               +------+-----------------+
package wire

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// FrameType is the first byte of a frame.
type FrameType uint8

// The types of frames; the first two also name a stream.
const (
	Stdout   FrameType = 1
	Stderr   FrameType = 2
	ExitType FrameType = 3
)

const (
	// FrameHeaderSize is the length of an output frame's header in bytes.
	FrameHeaderSize = 13
	// AckSize is the length of an acknowledgement in bytes.
	AckSize = 9
	// MaxPayload is the longest payload of a stdout or stderr frame, in bytes.
	MaxPayload = 65536
	// MaxExitPayload is the longest payload of an exit frame, in bytes.
	MaxExitPayload = 4096
	// MaxExecStart is the longest ExecStart, in bytes. The kernel takes at most 6 MiB of arguments and environment.
	MaxExecStart = 16 << 20
)

// PutFrameHeader writes an output frame's header into dst, which has at least FrameHeaderSize bytes.
func PutFrameHeader(dst []byte, t FrameType, offset uint64, length int) {
	dst[0] = byte(t)
	binary.BigEndian.PutUint64(dst[1:], offset)
	binary.BigEndian.PutUint32(dst[9:], uint32(length))
}

// Frame is an output frame's header.
type Frame struct {
	Type   FrameType
	Offset uint64
	Length int
}

// DecodeFrameHeader reads and checks an output frame's header.
func DecodeFrameHeader(b []byte) (Frame, error) {
	if len(b) < FrameHeaderSize {
		return Frame{}, fmt.Errorf("decode frame: %d bytes, want %d", len(b), FrameHeaderSize)
	}
	f := Frame{Type: FrameType(b[0]), Offset: binary.BigEndian.Uint64(b[1:])}
	length := binary.BigEndian.Uint32(b[9:])
	limit := uint32(MaxPayload)
	switch f.Type {
	case Stdout, Stderr:
	case ExitType:
		limit = MaxExitPayload
		if f.Offset != 0 {
			return Frame{}, fmt.Errorf("decode frame: exit with offset %d, want 0", f.Offset)
		}
	default:
		return Frame{}, fmt.Errorf("decode frame: unknown type %d", b[0])
	}
	if length == 0 || length > limit {
		return Frame{}, fmt.Errorf("decode frame: length %d of type %d, want 1 to %d", length, b[0], limit)
	}
	f.Length = int(length)
	return f, nil
}

// EncodeExit gives the exit frame of e. A message too long for the frame is cut.
func EncodeExit(e Exit) []byte {
	payload, _ := json.Marshal(e)
	for len(payload) > MaxExitPayload {
		e.Message = strings.ToValidUTF8(e.Message[:len(e.Message)/2], "")
		payload, _ = json.Marshal(e)
	}
	frame := make([]byte, FrameHeaderSize, FrameHeaderSize+len(payload))
	PutFrameHeader(frame, ExitType, 0, len(payload))
	return append(frame, payload...)
}

// EncodeExecStart gives what the body of PUT /execs/{id} begins with.
func EncodeExecStart(s *ExecStart) ([]byte, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text...), nil
}

// ReadExecStart reads what EncodeExecStart gives, and nothing beyond it.
func ReadExecStart(r io.Reader) (*ExecStart, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, &Error{Code: BadRequest, Message: "read request: its first 4 bytes, a length: " + err.Error()}
	}
	length := binary.BigEndian.Uint32(size[:])
	if length > MaxExecStart {
		return nil, &Error{Code: BadRequest, Message: fmt.Sprintf("read request: %d bytes, want at most %d", length, MaxExecStart)}
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(r, text); err != nil {
		return nil, &Error{Code: BadRequest, Message: fmt.Sprintf("read request: want %d bytes: %v", length, err)}
	}
	start := new(ExecStart)
	if err := json.Unmarshal(text, start); err != nil {
		return nil, &Error{Code: BadRequest, Message: "read request: " + err.Error()}
	}
	return start, nil
}

// Ack says that everything of a stream before Offset is stored by the host for good.
type Ack struct {
	Stream FrameType
	Offset uint64
}

// Encode gives the acknowledgement's 9 bytes.
func (a Ack) Encode() []byte {
	return binary.BigEndian.AppendUint64([]byte{byte(a.Stream)}, a.Offset)
}

// DecodeAck reads and checks an acknowledgement.
func DecodeAck(b []byte) (Ack, error) {
	if len(b) != AckSize {
		return Ack{}, fmt.Errorf("decode ack: %d bytes, want %d", len(b), AckSize)
	}
	a := Ack{Stream: FrameType(b[0]), Offset: binary.BigEndian.Uint64(b[1:])}
	if a.Stream != Stdout && a.Stream != Stderr {
		return Ack{}, fmt.Errorf("decode ack: unknown stream %d", b[0])
	}
	return a, nil
}

// Text makes s fit for JSON: bytes that are not UTF-8 become U+FFFD, as encoding/json would silently do.
func Text(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
