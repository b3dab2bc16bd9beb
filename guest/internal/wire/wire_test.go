package wire

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

type sample struct {
	Name    string `json:"name"`
	Hex     string `json:"hex"`
	Version uint16 `json:"version"`
	BootID  string `json:"boot_id"`
	Type    uint8  `json:"type"`
	Stream  uint8  `json:"stream"`
	Offset  string `json:"offset"`
	Payload string `json:"payload_hex"`
	Exit    *Exit  `json:"exit"`
	Start   *ExecStart
}

func golden(t *testing.T, name string) (good, malformed []sample) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../../fixtures/guest-wire", name))
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Samples, Malformed []sample }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Samples) == 0 || len(file.Malformed) == 0 {
		t.Fatalf("%s has no samples", name)
	}
	return file.Samples, file.Malformed
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (s sample) offset(t *testing.T) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(s.Offset, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestGreetingMatchesGolden(t *testing.T) {
	good, malformed := golden(t, "greeting.json")
	for _, s := range good {
		want := Greeting{Version: s.Version}
		copy(want.BootID[:], unhex(t, s.BootID))
		if got := hex.EncodeToString(want.Encode()); got != s.Hex {
			t.Errorf("%s: encoded %s, want %s", s.Name, got, s.Hex)
		}
		if got, err := DecodeGreeting(unhex(t, s.Hex)); err != nil || got != want {
			t.Errorf("%s: decoded %v, %v", s.Name, got, err)
		}
	}
	for _, s := range malformed {
		if _, err := DecodeGreeting(unhex(t, s.Hex)); err == nil {
			t.Errorf("%s: decoded without an error", s.Name)
		}
	}
}

func TestOutputFramesMatchGolden(t *testing.T) {
	good, malformed := golden(t, "output.json")
	for _, s := range good {
		payload := unhex(t, s.Payload)
		frame := make([]byte, FrameHeaderSize)
		PutFrameHeader(frame, FrameType(s.Type), s.offset(t), len(payload))
		frame = append(frame, payload...)
		if s.Exit != nil {
			frame = EncodeExit(*s.Exit)
		}
		if got := hex.EncodeToString(frame); got != s.Hex {
			t.Errorf("%s: encoded %s, want %s", s.Name, got, s.Hex)
		}
		want := Frame{FrameType(s.Type), s.offset(t), len(payload)}
		if got, err := DecodeFrameHeader(unhex(t, s.Hex)); err != nil || got != want {
			t.Errorf("%s: decoded %v, %v", s.Name, got, err)
		}
	}
	for _, s := range malformed {
		if f, err := DecodeFrameHeader(unhex(t, s.Hex)); err == nil {
			t.Errorf("%s: decoded as %v", s.Name, f)
		}
	}
}

func TestAcksMatchGolden(t *testing.T) {
	good, malformed := golden(t, "ack.json")
	for _, s := range good {
		want := Ack{FrameType(s.Stream), s.offset(t)}
		if got := hex.EncodeToString(want.Encode()); got != s.Hex {
			t.Errorf("%s: encoded %s, want %s", s.Name, got, s.Hex)
		}
		if got, err := DecodeAck(unhex(t, s.Hex)); err != nil || got != want {
			t.Errorf("%s: decoded %v, %v", s.Name, got, err)
		}
	}
	for _, s := range malformed {
		if a, err := DecodeAck(unhex(t, s.Hex)); err == nil {
			t.Errorf("%s: decoded as %v", s.Name, a)
		}
	}
}

func TestExecStartMatchesGolden(t *testing.T) {
	good, malformed := golden(t, "start.json")
	for _, s := range good {
		body := bytes.NewReader(append(unhex(t, s.Hex), "what follows"...))
		got, err := ReadExecStart(body)
		if err != nil || !reflect.DeepEqual(got, s.Start) || body.Len() != len("what follows") {
			t.Errorf("%s: read %+v, %v, and left %d bytes", s.Name, got, err, body.Len())
		}
		encoded, err := EncodeExecStart(s.Start)
		if again, _ := ReadExecStart(bytes.NewReader(encoded)); err != nil || !reflect.DeepEqual(again, s.Start) {
			t.Errorf("%s: encoded as %q, %v", s.Name, encoded, err)
		}
	}
	for _, s := range malformed {
		if start, err := ReadExecStart(bytes.NewReader(unhex(t, s.Hex))); err == nil {
			t.Errorf("%s: read as %+v", s.Name, start)
		}
	}
}

func TestLongExitMessageIsCutToTheFrame(t *testing.T) {
	frame := EncodeExit(Exit{Code: 127, Reason: NotStarted, Message: strings.Repeat("é\x01", 5000)})
	f, err := DecodeFrameHeader(frame)
	if err != nil {
		t.Fatal(err)
	}
	var e Exit
	if err := json.Unmarshal(frame[FrameHeaderSize:], &e); err != nil {
		t.Fatal(err)
	}
	if f.Length != len(frame)-FrameHeaderSize || e.Code != 127 || !bytes.HasPrefix([]byte(e.Message), []byte("é")) {
		t.Errorf("frame %v, exit %v", f, e)
	}
}

func TestPortFramesMatchGolden(t *testing.T) {
	good, malformed := golden(t, "port.json")
	for _, s := range good {
		payload := unhex(t, s.Payload)
		frame := make([]byte, PortHeaderSize)
		PutPortHeader(frame, PortFrameType(s.Type), len(payload))
		if got := hex.EncodeToString(append(frame, payload...)); got != s.Hex {
			t.Errorf("%s: encoded %s, want %s", s.Name, got, s.Hex)
		}
		if kind, length, err := DecodePortHeader(unhex(t, s.Hex)); err != nil || uint8(kind) != s.Type || length != len(payload) {
			t.Errorf("%s: decoded %d, %d, %v", s.Name, kind, length, err)
		}
	}
	for _, s := range malformed {
		if kind, length, err := DecodePortHeader(unhex(t, s.Hex)); err == nil {
			t.Errorf("%s: decoded as %d, %d", s.Name, kind, length)
		}
	}
}
