package main

import (
	"bytes"
	"fmt"
	"io"
	stdlog "log"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/sirupsen/logrus"
)

// toldLog is a log that tells of each line.
type toldLog struct {
	mu    sync.Mutex
	text  bytes.Buffer
	lines chan struct{}
}

func (t *toldLog) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text.Write(p)
	t.lines <- struct{}{}
	return len(p), nil
}

// A peer says more than it announced: net/http tells the log, and nothing of what was said is in it.
func TestLibrariesShowNoMail(t *testing.T) {
	out := &toldLog{lines: make(chan struct{}, 100)}
	log := logrus.New()
	log.SetOutput(out)
	before, flags := stdlog.Writer(), stdlog.Flags()
	stdlog.SetOutput(hushed{log})
	stdlog.SetFlags(0)
	t.Cleanup(func() { stdlog.SetOutput(before); stdlog.SetFlags(flags) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b := make([]byte, 4096)
			_, _ = c.Read(b)
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloSubject: planted subject\r\n\r\nplanted body\r\n")
			_, _ = c.Read(b) // until the client ends it
			c.Close()
		}
	}()
	client := &http.Client{Transport: new(http.Transport)}
	resp, err := client.Get("http://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(resp.Body); err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	<-out.lines
	out.mu.Lock()
	defer out.mu.Unlock()
	if text := out.text.String(); strings.Contains(text, "planted") || !strings.Contains(text, "Unsolicited response") {
		t.Errorf("the log: %s", text)
	}
}

// What is quoted is left out, and there is one line.
func TestHushed(t *testing.T) {
	for in, want := range map[string]string{
		"http: superfluous response\n":                `"from a library: http: superfluous response"`,
		"malformed HTTP response \"planted\" planted": `"from a library: malformed HTTP response ..."`,
		"panic\nplanted":                              `"from a library: panic"`,
		"":                                            `"from a library: "`,
	} {
		var out bytes.Buffer
		log := logrus.New()
		log.SetOutput(&out)
		if n, err := (hushed{log}).Write([]byte(in)); n != len(in) || err != nil {
			t.Errorf("%q: %d, %v", in, n, err)
		}
		if !strings.Contains(out.String(), want) || strings.Contains(out.String(), "planted") {
			t.Errorf("%q: %s", in, &out)
		}
	}
}
