package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
)

// The wire between QEMU's `-netdev stream` and passt, in both directions:
//
//	0             4
//	+-------------+------------------+
//	| length u32  | Ethernet frame   |   big-endian, repeated
//	+-------------+------------------+
const (
	lengthSize = 4
	// ethernetHeaderSize: destination and source MAC address, type.
	ethernetHeaderSize = 14
	ipv4HeaderSize     = 20
	// maxFrameSize is the longest frame that passt and QEMU send each other: passt's own limit of 64 KiB and a header.
	maxFrameSize = 65535 + ethernetHeaderSize

	typeIPv4 = 0x0800
	typeARP  = 0x0806

	dnsPort = 53
)

// forbidden is where nothing from a box may go: the host's own loopback and services, which a program on the host
// would reach under these addresses, and everything that is not unicast.
var forbidden = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),      // "this host": Linux connects it to loopback
	netip.MustParsePrefix("127.0.0.0/8"),    // loopback
	netip.MustParsePrefix("169.254.0.0/16"), // link-local, cloud metadata
	netip.MustParsePrefix("224.0.0.0/4"),    // multicast
	netip.MustParsePrefix("240.0.0.0/4"),    // reserved, broadcast
}

// filter decides which frames of a guest go on to passt.
type filter struct {
	// subnet is the guest's own network, made up: nothing of it exists on the host, but there may be a real one of the
	// same addresses behind it. Only dns is there.
	subnet netip.Prefix
	dns    netip.Addr
}

// allows says whether a frame from the guest may go on. The frame is hostile.
func (f filter) allows(frame []byte) bool {
	if len(frame) < ethernetHeaderSize {
		return false
	}
	packet := frame[ethernetHeaderSize:]
	switch binary.BigEndian.Uint16(frame[12:]) {
	case typeARP:
		return true
	case typeIPv4:
	default:
		return false
	}
	if len(packet) < ipv4HeaderSize || packet[0]>>4 != 4 {
		return false
	}
	headerSize := int(packet[0]&15) * 4
	// Options could carry a source route, which names other destinations than the one that is checked.
	if headerSize != ipv4HeaderSize || int(binary.BigEndian.Uint16(packet[2:])) > len(packet) {
		return false
	}
	destination := netip.AddrFrom4([4]byte(packet[16:20]))
	for _, prefix := range forbidden {
		if prefix.Contains(destination) {
			return false
		}
	}
	return !f.subnet.Contains(destination) || destination == f.dns && toPort(packet, headerSize, dnsPort)
}

// toPort says whether a packet is UDP or TCP to this port, and not a later fragment, which doesn't tell.
func toPort(packet []byte, headerSize int, port uint16) bool {
	const udp, tcp, fragmentOffset = 17, 6, 0x1fff
	if packet[9] != udp && packet[9] != tcp || binary.BigEndian.Uint16(packet[6:])&fragmentOffset != 0 {
		return false
	}
	return len(packet) >= headerSize+4 && binary.BigEndian.Uint16(packet[headerSize+2:]) == port
}

// forward copies frames for which pass is true, until the source ends, and fails on a length that no frame has.
func forward(to io.Writer, from io.Reader, pass func(frame []byte) bool) error {
	source := bufio.NewReaderSize(from, 4*maxFrameSize)
	buffer := make([]byte, lengthSize+maxFrameSize)
	for {
		if _, err := io.ReadFull(source, buffer[:lengthSize]); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("read a frame's length: %w", err)
		}
		length := binary.BigEndian.Uint32(buffer)
		if length == 0 || length > maxFrameSize {
			return fmt.Errorf("a frame of %d bytes, want 1 to %d", length, maxFrameSize)
		}
		frame := buffer[lengthSize : lengthSize+length]
		if _, err := io.ReadFull(source, frame); err != nil {
			return fmt.Errorf("read a frame of %d bytes: %w", length, err)
		}
		if !pass(frame) {
			continue
		}
		if _, err := to.Write(buffer[:lengthSize+length]); err != nil {
			return fmt.Errorf("pass a frame on: %w", err)
		}
	}
}
