// Package hostside is the host's end of the protocol, for the agent's tests.
package hostside

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"boxrun.dev/guest/internal/wire"
)

// Client is one connection to an agent.
type Client struct {
	Greeting wire.Greeting
	HTTP     *http.Client
	conn     net.Conn
}

// Dial connects and reads the greeting. It tries again, as a host does, when none comes or something else.
func Dial(path string, limit time.Duration) (*Client, error) {
	end := time.Now().Add(limit)
	wait := 200 * time.Millisecond
	for {
		c, err := dialOnce(path, wait)
		if err == nil {
			return c, nil
		}
		if time.Now().After(end) {
			return nil, err
		}
		time.Sleep(5 * time.Millisecond)
		wait = min(wait*3/2, 5*time.Second)
	}
}

func dialOnce(path string, wait time.Duration) (*Client, error) {
	conn, err := net.Dial("unix", path)
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadDeadline(time.Now().Add(wait))
	var b [wire.GreetingSize]byte
	if _, err := io.ReadFull(conn, b[:]); err != nil {
		conn.Close()
		return nil, fmt.Errorf("read greeting: %w", err)
	}
	g, err := wire.DecodeGreeting(b[:])
	if err != nil {
		conn.Close()
		return nil, err
	}
	_ = conn.SetReadDeadline(time.Time{})
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	once := make(chan net.Conn, 1)
	once <- conn
	transport := &http.Transport{
		Protocols:          protocols,
		DisableCompression: true,
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			select {
			case c := <-once:
				return c, nil
			default:
				return nil, errors.New("the connection is gone")
			}
		},
		HTTP2: &http.HTTP2Config{MaxReadFrameSize: 1 << 20, MaxReceiveBufferPerConnection: 16 << 20, MaxReceiveBufferPerStream: 4 << 20},
	}
	c := &Client{Greeting: g, HTTP: &http.Client{Transport: transport}, conn: conn}
	// The first request settles the connection; requests at once before that would each want one of their own.
	if err := c.JSON("GET", "/hello", nil, nil); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Close hangs up.
func (c *Client) Close() { c.conn.Close() }

// Do sends a request and gives the answer; a failure of the agent's is a *wire.Error. The caller closes the body.
func (c *Client) Do(ctx context.Context, method, target string, body io.Reader) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://agent"+target, body)
	if err != nil {
		return nil, err
	}
	answer, err := c.HTTP.Do(r)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode < 400 {
		return answer, nil
	}
	defer answer.Body.Close()
	failure := &wire.Error{}
	if err := json.NewDecoder(answer.Body).Decode(failure); err != nil {
		return nil, fmt.Errorf("%s %s: status %d: %w", method, target, answer.StatusCode, err)
	}
	return nil, failure
}

// JSON sends and receives JSON; in and out may be nil.
func (c *Client) JSON(method, target string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	answer, err := c.Do(context.Background(), method, target, body)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(text, out)
}

// Bytes sends raw bytes and gives the answer's.
func (c *Client) Bytes(method, target string, body io.Reader) ([]byte, error) {
	answer, err := c.Do(context.Background(), method, target, body)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	return io.ReadAll(answer.Body)
}

// Path is a target with a path of the box.
func Path(route, path string) string { return route + "?path=" + url.QueryEscape(path) }

// Output is an exec's output being read.
type Output struct {
	Body io.ReadCloser
	acks *io.PipeWriter
}

// Start starts a command, or finds the one with that id, and begins to read its output.
func (c *Client) Start(id string, start wire.ExecStart) (*Output, error) {
	head, err := wire.EncodeExecStart(&start)
	if err != nil {
		return nil, err
	}
	r, w := io.Pipe()
	// Its Close lets go of a writer, which an answer that comes early needs.
	body := struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), r), r}
	answer, err := c.Do(context.Background(), "PUT", "/execs/"+id, body)
	if err != nil {
		return nil, err
	}
	return &Output{answer.Body, w}, nil
}

// Read begins to read an exec's output at the given offsets.
func (c *Client) Read(id string, stdout, stderr uint64) (*Output, error) {
	r, w := io.Pipe()
	answer, err := c.Do(context.Background(), "POST", fmt.Sprintf("/execs/%s/output?stdout=%d&stderr=%d", id, stdout, stderr), r)
	if err != nil {
		return nil, err
	}
	return &Output{answer.Body, w}, nil
}

// Close stops reading.
func (o *Output) Close() {
	o.acks.Close()
	o.Body.Close()
}

// Next gives the next frame.
func (o *Output) Next() (wire.Frame, []byte, error) {
	var head [wire.FrameHeaderSize]byte
	if _, err := io.ReadFull(o.Body, head[:]); err != nil {
		return wire.Frame{}, nil, err
	}
	f, err := wire.DecodeFrameHeader(head[:])
	if err != nil {
		return f, nil, err
	}
	payload := make([]byte, f.Length)
	_, err = io.ReadFull(o.Body, payload)
	return f, payload, err
}

// Ack acknowledges.
func (o *Output) Ack(stream wire.FrameType, offset uint64) error {
	_, err := o.acks.Write(wire.Ack{Stream: stream, Offset: offset}.Encode())
	return err
}

// Result is a finished exec.
type Result struct {
	Stdout, Stderr []byte
	Exit           wire.Exit
}

// Finish reads an exec's output from the beginning to its exit, acknowledges as it goes, and forgets the exec.
func (c *Client) Finish(id string) (Result, error) {
	o, err := c.Read(id, 0, 0)
	if err != nil {
		return Result{}, err
	}
	return c.finish(id, o)
}

func (c *Client) finish(id string, o *Output) (Result, error) {
	var r Result
	defer o.Close()
	for {
		f, payload, err := o.Next()
		if err != nil {
			return r, fmt.Errorf("exec %s: %w", id, err)
		}
		var to *[]byte
		switch f.Type {
		case wire.ExitType:
			if err := json.Unmarshal(payload, &r.Exit); err != nil {
				return r, err
			}
			return r, c.JSON("POST", "/execs/forget", wire.Forget{IDs: []string{id}}, nil)
		case wire.Stdout:
			to = &r.Stdout
		case wire.Stderr:
			to = &r.Stderr
		}
		if f.Offset != uint64(len(*to)) {
			return r, fmt.Errorf("exec %s: stream %d: frame at %d, want %d", id, f.Type, f.Offset, len(*to))
		}
		*to = append(*to, payload...)
		// The agent may have sent its last frame and closed the stream already: then there is nobody to acknowledge to.
		_ = o.Ack(f.Type, uint64(len(*to)))
	}
}

// Run starts a command, reads its output and waits for its end.
func (c *Client) Run(id string, start wire.ExecStart) (Result, error) {
	o, err := c.Start(id, start)
	if err != nil {
		return Result{}, err
	}
	return c.finish(id, o)
}
