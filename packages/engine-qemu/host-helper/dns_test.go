package main

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// nameServer answers every query on address with the query itself and text.
func nameServer(t *testing.T, address, text string) (port string) {
	t.Helper()
	conn, err := net.ListenPacket("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo(append(bytes.Clone(buffer[:n]), text...), from)
		}
	}()
	return strconv.Itoa(conn.LocalAddr().(*net.UDPAddr).Port)
}

var query = []byte("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03one\x07example\x00\x00\x01\x00\x01")

// queryFrame is a guest's query to 10.0.2.3:53 from its port 4000.
func queryFrame(content []byte) []byte {
	frame := []byte("gatewayguest")
	frame = append(frame, 8, 0)
	packet := make([]byte, ipv4HeaderSize+udpHeaderSize)
	packet[0], packet[9] = 0x45, protocolUDP
	binary.BigEndian.PutUint16(packet[2:], uint16(len(packet)+len(content)))
	copy(packet[12:], []byte{10, 0, 2, 15, 10, 0, 2, 3})
	binary.BigEndian.PutUint16(packet[20:], 4000)
	binary.BigEndian.PutUint16(packet[22:], dnsPort)
	binary.BigEndian.PutUint16(packet[24:], uint16(udpHeaderSize+len(content)))
	return append(append(frame, packet...), content...)
}

func testResolver(t *testing.T, port string) (r *resolver, answers chan []byte, servers func(string)) {
	t.Helper()
	answers = make(chan []byte, 8)
	r = newResolver(netip.MustParseAddr("10.0.2.3"), func(frame []byte) { answers <- frame })
	r.file, r.port = filepath.Join(t.TempDir(), "resolv.conf"), port
	servers = func(lines string) {
		if err := os.WriteFile(r.file, []byte(lines), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return r, answers, servers
}

func next(t *testing.T, answers chan []byte) []byte {
	t.Helper()
	select {
	case frame := <-answers:
		return frame
	case <-time.After(20 * time.Second):
		t.Fatal("no answer")
		return nil
	}
}

func TestNameServersAreTheHostsOfTheMoment(t *testing.T) {
	port := nameServer(t, "127.0.0.2:0", "first")
	nameServer(t, "127.0.0.3:"+port, "second")
	r, answers, servers := testResolver(t, port)
	servers("# mine\nnameserver 127.0.0.2\noptions edns0\n")
	if !r.takes(queryFrame(query)) {
		t.Fatal("a query was not taken")
	}
	frame := next(t, answers)
	want := queryFrame(append(bytes.Clone(query), "first"...))
	copy(want, "yguestgatewa")
	packet := frame[ethernetHeaderSize:]
	if !bytes.Equal(frame[:14], want[:14]) || !bytes.Equal(packet[12:20], []byte{10, 0, 2, 3, 10, 0, 2, 15}) || checksum(packet[:20]) != 0 {
		t.Errorf("headers of the answer: %x", frame[:34])
	}
	if binary.BigEndian.Uint16(packet[20:]) != dnsPort || binary.BigEndian.Uint16(packet[22:]) != 4000 || !bytes.HasSuffix(frame, []byte("first")) {
		t.Errorf("the answer: %q", packet[20:])
	}
	// The first of these does not answer: nobody is there.
	servers("nameserver 127.0.0.4\nnameserver 127.0.0.3\n")
	r.takes(queryFrame(query))
	if frame := next(t, answers); !bytes.HasSuffix(frame, []byte("second")) {
		t.Errorf("after the change: %q", frame)
	}
}

func TestOnlyWholeQueriesAreTaken(t *testing.T) {
	r, _, _ := testResolver(t, "1")
	changed := func(offset int, value byte) []byte {
		frame := queryFrame(query)
		frame[offset] = value
		return frame
	}
	const packet, datagram = ethernetHeaderSize, ethernetHeaderSize + ipv4HeaderSize
	for name, frame := range map[string][]byte{
		"TCP":                  changed(packet+9, 6),
		"another address":      changed(packet+19, 4),
		"another port":         changed(datagram+3, 54),
		"a first fragment":     changed(packet+6, 0x20),
		"a later fragment":     changed(packet+7, 1),
		"a length beyond it":   changed(datagram+4, 9),
		"a length of nothing":  changed(datagram+5, 3),
		"half a DNS header":    queryFrame(query[:5]),
		"no datagram":          queryFrame(query)[:datagram+3],
		"ARP":                  changed(13, 6),
		"nothing of a frame":   nil,
		"nothing but a header": queryFrame(query)[:ethernetHeaderSize],
	} {
		if r.takes(frame) {
			t.Errorf("%s was taken", name)
		}
	}
}

func TestAnswerThatDoesNotFitSaysSo(t *testing.T) {
	long := append(bytes.Clone(query), make([]byte, 2000)...)
	short := fitting(long)
	if !bytes.Equal(short[dnsHeaderSize:], query[dnsHeaderSize:]) || short[2]&truncatedBit == 0 || !bytes.Equal(short[6:12], make([]byte, 6)) {
		t.Errorf("cut to %x", short)
	}
	// A question that never ends.
	endless := append(bytes.Clone(query[:dnsHeaderSize]), bytes.Repeat([]byte{63}, 3000)...)
	if short := fitting(endless); len(short) != dnsHeaderSize || short[5] != 0 {
		t.Errorf("cut to %x", short)
	}
	if whole := fitting(query); !bytes.Equal(whole, query) {
		t.Errorf("a short answer became %x", whole)
	}
}
