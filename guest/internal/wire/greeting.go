package wire

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// Version is the protocol's version, sent in the greeting and by GET /hello.
const Version = 2

// AgentVersion is the agent's own version, told by GET /hello.
const AgentVersion = "0.4.0"

// GreetingSize is the greeting's length in bytes.
const GreetingSize = 28

const greetingMagic = "BOXRUN\r\n"

// BootID names one life of one VM.
type BootID [16]byte

// String gives the id as 32 hexadecimal digits.
func (id BootID) String() string { return hex.EncodeToString(id[:]) }

// Greeting is what the agent sends first on every connection.
type Greeting struct {
	Version uint16
	BootID  BootID
}

// Encode gives the greeting's 28 bytes.
func (g Greeting) Encode() []byte {
	b := make([]byte, 0, GreetingSize)
	b = append(b, greetingMagic...)
	b = binary.BigEndian.AppendUint16(b, g.Version)
	b = binary.BigEndian.AppendUint16(b, 0)
	return append(b, g.BootID[:]...)
}

// DecodeGreeting reads a greeting; it fails on any other length or magic.
func DecodeGreeting(b []byte) (Greeting, error) {
	if len(b) != GreetingSize {
		return Greeting{}, fmt.Errorf("decode greeting: %d bytes, want %d", len(b), GreetingSize)
	}
	if string(b[:8]) != greetingMagic {
		return Greeting{}, fmt.Errorf("decode greeting: it begins with %q", b[:8])
	}
	g := Greeting{Version: binary.BigEndian.Uint16(b[8:])}
	copy(g.BootID[:], b[12:])
	return g, nil
}
