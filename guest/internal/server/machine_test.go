package server

import (
	"encoding/json"
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"testing"

	"boxrun.dev/guest/internal/wire"
)

// counting is a machine that counts how often it is set up.
type counting struct {
	Machine
	times int
}

func (m *counting) SetUp(*wire.Setup) (*Box, error) {
	m.times++
	return &Box{}, nil
}

func TestSetupIsDoneOnceAndATemplatesAnew(t *testing.T) {
	machine := &counting{}
	handler := New(machine, wire.BootID{}, nil, log.New(io.Discard, "", 0)).routes()
	template := wire.Setup{Hostname: "t", Volumes: []wire.Volume{}, Template: true}
	box := wire.Setup{Hostname: "b", UnixNS: "1", Entropy: []byte("x"), Modules: []string{"m"}, Network: &wire.Network{DNS: []string{"192.0.2.1"}}}
	again := box
	again.UnixNS, again.Entropy = "2", []byte("y")
	// Equal, and not the same.
	again.Network = &wire.Network{DNS: []string{"192.0.2.1"}}
	other := box
	other.Network = &wire.Network{DNS: []string{"192.0.2.2"}}
	for i, c := range []struct {
		setup  wire.Setup
		answer string
		times  int
	}{
		{template, wire.OK, 1}, {template, wire.OK, 2}, {box, wire.OK, 3}, {again, wire.OK, 3},
		{other, "EXISTS", 3}, {template, "EXISTS", 3}, {box, wire.OK, 3},
	} {
		body, err := json.Marshal(c.setup)
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest("POST", "/setup", strings.NewReader(string(body))))
		if !strings.Contains(w.Body.String(), c.answer) || machine.times != c.times {
			t.Errorf("%d: %s, and set up %d times; want %s and %d", i, w.Body, machine.times, c.answer, c.times)
		}
	}
}
