package main

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
)

var testFilter = filter{subnet: netip.MustParsePrefix("10.0.2.0/24"), dns: netip.MustParseAddr("10.0.2.3")}

// ipv4 makes a frame with a packet to an address and port.
func ipv4(destination string, protocol byte, port uint16) []byte {
	frame := make([]byte, ethernetHeaderSize+ipv4HeaderSize+8)
	binary.BigEndian.PutUint16(frame[12:], typeIPv4)
	packet := frame[ethernetHeaderSize:]
	packet[0] = 0x45
	binary.BigEndian.PutUint16(packet[2:], uint16(len(packet)))
	packet[9] = protocol
	to := netip.MustParseAddr(destination).As4()
	copy(packet[16:], to[:])
	binary.BigEndian.PutUint16(packet[22:], port)
	return frame
}

func TestFilterDecidesByDestination(t *testing.T) {
	const icmp, tcp, udp = 1, 6, 17
	for _, c := range []struct {
		destination string
		protocol    byte
		port        uint16
		want        bool
	}{
		{"93.184.216.34", tcp, 443, true},
		{"192.168.1.1", tcp, 80, true},
		{"10.1.2.3", udp, 9, true},
		{"126.255.255.255", tcp, 80, true},
		{"128.0.0.1", tcp, 80, true},
		{"169.253.255.255", tcp, 80, true},
		{"0.0.0.0", tcp, 80, false},
		{"0.255.0.1", tcp, 80, false},
		{"127.0.0.1", tcp, 80, false},
		{"127.255.255.254", udp, 53, false},
		{"169.254.169.254", tcp, 80, false},
		{"169.254.0.1", icmp, 0, false},
		{"224.0.0.251", udp, 5353, false},
		{"239.255.255.250", udp, 1900, false},
		{"240.0.0.1", tcp, 80, false},
		{"255.255.255.255", udp, 67, false},
		{"10.0.2.2", tcp, 80, false},
		{"10.0.2.2", icmp, 0, false},
		{"10.0.2.255", udp, 9, false},
		{"10.0.2.3", udp, 53, true},
		{"10.0.2.3", tcp, 53, true},
		{"10.0.2.3", tcp, 80, false},
		{"10.0.2.3", icmp, 53, false},
	} {
		if got := testFilter.allows(ipv4(c.destination, c.protocol, c.port)); got != c.want {
			t.Errorf("to %s, protocol %d, port %d: %v, want %v", c.destination, c.protocol, c.port, got, c.want)
		}
	}
}

func TestFilterDropsWhatIsNotPlainIPv4OrARP(t *testing.T) {
	good := ipv4("8.8.8.8", 6, 80)
	change := func(f func(frame []byte) []byte) []byte { return f(bytes.Clone(good)) }
	for name, c := range map[string]struct {
		frame []byte
		want  bool
	}{
		"plain":                 {good, true},
		"ARP":                   {change(func(f []byte) []byte { f[13] = 0x06; return f }), true},
		"IPv6":                  {change(func(f []byte) []byte { f[12], f[13] = 0x86, 0xdd; return f }), false},
		"VLAN":                  {change(func(f []byte) []byte { f[12], f[13] = 0x81, 0x00; return f }), false},
		"empty":                 {nil, false},
		"short":                 {good[:13], false},
		"no header":             {good[:ethernetHeaderSize+19], false},
		"version 6":             {change(func(f []byte) []byte { f[14] = 0x65; return f }), false},
		"options":               {change(func(f []byte) []byte { f[14] = 0x46; return f }), false},
		"header too short":      {change(func(f []byte) []byte { f[14] = 0x44; return f }), false},
		"longer than its frame": {change(func(f []byte) []byte { f[17] = 0xff; return f }), false},
		"later fragment to the resolver": {func() []byte {
			f := ipv4("10.0.2.3", 17, 53)
			f[ethernetHeaderSize+7] = 1
			return f
		}(), false},
	} {
		if got := testFilter.allows(c.frame); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func framed(frames ...[]byte) []byte {
	var out []byte
	for _, f := range frames {
		out = binary.BigEndian.AppendUint32(out, uint32(len(f)))
		out = append(out, f...)
	}
	return out
}

func TestForwardPassesWholeFramesAndLeavesOutTheOthers(t *testing.T) {
	good, bad := ipv4("8.8.8.8", 6, 80), ipv4("127.0.0.1", 6, 80)
	large := append(ipv4("8.8.4.4", 6, 80), make([]byte, maxFrameSize-len(good))...)
	var out bytes.Buffer
	if err := forward(&out, bytes.NewReader(framed(good, bad, large, good)), testFilter.allows); err != nil {
		t.Fatal(err)
	}
	if want := framed(good, large, good); !bytes.Equal(out.Bytes(), want) {
		t.Errorf("%d bytes came out, want %d", out.Len(), len(want))
	}
}

func TestForwardEndsAtALengthThatNoFrameHas(t *testing.T) {
	for _, length := range []uint32{0, maxFrameSize + 1, 1 << 31} {
		in := binary.BigEndian.AppendUint32(nil, length)
		err := forward(&bytes.Buffer{}, bytes.NewReader(in), func([]byte) bool { return true })
		if err == nil || !strings.Contains(err.Error(), "want 1 to") {
			t.Errorf("length %d: %v", length, err)
		}
	}
}

func TestForwardEndsWithAnErrorInTheMiddleOfAFrame(t *testing.T) {
	in := framed(ipv4("8.8.8.8", 6, 80))
	if err := forward(&bytes.Buffer{}, bytes.NewReader(in[:len(in)-1]), testFilter.allows); err == nil {
		t.Error("no error")
	}
}
