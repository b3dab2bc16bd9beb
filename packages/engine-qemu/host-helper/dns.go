package main

import (
	"bufio"
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"
)

const (
	udpHeaderSize = 8
	dnsHeaderSize = 12
	protocolUDP   = 17
	// maxAnswerSize: what fits into a packet of the guest's card, whose MTU is 1500.
	maxAnswerSize = 1500 - ipv4HeaderSize - udpHeaderSize
	// maxQueries of one box are asked at a time; a resolver asks again for what is dropped.
	maxQueries   = 128
	maxServers   = 3
	answerLimit  = 2 * time.Second
	truncatedBit = 0x02
)

// resolver answers the guest's name queries, which it sends to dns by UDP, with what a name server of the host says: one that the host has
// now, while passt keeps those of its start. A program on the host asks in the same way.
type resolver struct {
	dns netip.Addr
	// file lists the host's name servers: /etc/resolv.conf.
	file string
	port string
	// answer takes a frame for the guest.
	answer func(frame []byte)
	slots  chan struct{}
}

func newResolver(dns netip.Addr, answer func([]byte)) *resolver {
	return &resolver{dns: dns, file: "/etc/resolv.conf", port: "53", answer: answer, slots: make(chan struct{}, maxQueries)}
}

// takes says whether the frame, which the filter allows, is such a query, and sees to its answer. The frame is hostile.
func (r *resolver) takes(frame []byte) bool {
	if len(frame) < ethernetHeaderSize+ipv4HeaderSize+udpHeaderSize || binary.BigEndian.Uint16(frame[12:]) != typeIPv4 {
		return false
	}
	packet := frame[ethernetHeaderSize:]
	const anyFragment = 0x3fff
	isWhole := binary.BigEndian.Uint16(packet[6:])&anyFragment == 0
	if packet[9] != protocolUDP || !isWhole || netip.AddrFrom4([4]byte(packet[16:20])) != r.dns {
		return false
	}
	datagram := packet[ipv4HeaderSize:]
	size := int(binary.BigEndian.Uint16(datagram[4:]))
	if binary.BigEndian.Uint16(datagram[2:]) != dnsPort || size < udpHeaderSize+dnsHeaderSize || size > len(datagram) {
		return false
	}
	select {
	case r.slots <- struct{}{}:
	default:
		return true
	}
	// The frame's bytes are the reader's.
	headers := append([]byte(nil), frame[:ethernetHeaderSize+ipv4HeaderSize+udpHeaderSize]...)
	query := append([]byte(nil), datagram[udpHeaderSize:size]...)
	go func() {
		defer func() { <-r.slots }()
		if answer := r.ask(query); answer != nil {
			r.answer(answerFrame(headers, fitting(answer)))
		}
	}()
	return true
}

// ask asks one name server after the other; nil if none answers.
func (r *resolver) ask(query []byte) []byte {
	for _, server := range r.servers() {
		if answer, err := askOne(net.JoinHostPort(server, r.port), query); err == nil {
			return answer
		}
	}
	return nil
}

func (r *resolver) servers() []string {
	var servers []string
	if file, err := os.Open(r.file); err == nil {
		defer file.Close()
		lines := bufio.NewScanner(file)
		for lines.Scan() && len(servers) < maxServers {
			if fields := strings.Fields(lines.Text()); len(fields) > 1 && fields[0] == "nameserver" {
				servers = append(servers, fields[1])
			}
		}
	}
	if len(servers) == 0 {
		// As resolv.conf(5) says.
		return []string{"127.0.0.1"}
	}
	return servers
}

func askOne(server string, query []byte) ([]byte, error) {
	conn, err := net.DialTimeout("udp", server, answerLimit)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(answerLimit)); err != nil {
		return nil, err
	}
	if _, err := conn.Write(query); err != nil {
		return nil, err
	}
	buffer := make([]byte, 65535)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			return nil, err
		}
		if n >= dnsHeaderSize && buffer[0] == query[0] && buffer[1] == query[1] {
			return buffer[:n], nil
		}
	}
}

// fitting is the answer if it fits into a packet, else one without records that says so: then the guest asks by TCP.
func fitting(answer []byte) []byte {
	if len(answer) <= maxAnswerSize {
		return answer
	}
	end := dnsHeaderSize
	for end < len(answer) && answer[end] != 0 {
		end += 1 + int(answer[end])
	}
	// The name's end, type and class.
	end += 1 + 4
	if end > maxAnswerSize {
		end = dnsHeaderSize
	}
	short := append([]byte(nil), answer[:end]...)
	short[2] |= truncatedBit
	binary.BigEndian.PutUint16(short[4:], uint16(min(end-dnsHeaderSize, 1)))
	clear(short[6:dnsHeaderSize])
	return short
}

// answerFrame is the way back of the headers of a query, with another content.
func answerFrame(query, content []byte) []byte {
	frame := make([]byte, len(query)+len(content))
	copy(frame, query[6:12])
	copy(frame[6:], query[:6])
	binary.BigEndian.PutUint16(frame[12:], typeIPv4)
	packet := frame[ethernetHeaderSize:]
	packet[0] = 0x45
	binary.BigEndian.PutUint16(packet[2:], uint16(len(packet)))
	packet[8], packet[9] = 64, protocolUDP
	copy(packet[12:], query[ethernetHeaderSize+16:ethernetHeaderSize+20])
	copy(packet[16:], query[ethernetHeaderSize+12:ethernetHeaderSize+16])
	binary.BigEndian.PutUint16(packet[10:], checksum(packet[:ipv4HeaderSize]))
	datagram := packet[ipv4HeaderSize:]
	asked := query[ethernetHeaderSize+ipv4HeaderSize:]
	copy(datagram, asked[2:4])
	copy(datagram[2:], asked[:2])
	// Its checksum may be left out in IPv4.
	binary.BigEndian.PutUint16(datagram[4:], uint16(len(datagram)))
	copy(datagram[udpHeaderSize:], content)
	return frame
}

func checksum(header []byte) uint16 {
	var sum uint32
	for i := 0; i < len(header); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(header[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
