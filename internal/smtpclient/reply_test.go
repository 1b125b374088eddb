package smtpclient

import (
	"bufio"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func parseReply(s string) (Reply, error) {
	return readReply(bufio.NewReaderSize(strings.NewReader(s), maxReplyLine), nil)
}

func TestReadReply(t *testing.T) {
	cases := map[string]struct{ code, enhanced, text string }{
		"250 ok\r\n":                 {"250", "", "ok"},
		"250\r\n":                    {"250", "", ""},
		"250 \n":                     {"250", "", ""},
		"550 5.1.1 no such user\r\n": {"550", "5.1.1", "no such user"},
		"550 5.1.1\r\n":              {"550", "5.1.1", ""},
		"550-5.1.1 no\r\n550 5.1.1 such user\r\n": {"550", "5.1.1", "no such user"},
		"550-5.1.1 no\r\n550 5.7.1 such user\r\n": {"550", "5.1.1", "no 5.7.1 such user"},
		"550-no\r\n550 5.1.1 user\r\n":            {"550", "", "no 5.1.1 user"},
		"550 4.1.1 other class\r\n":               {"550", "", "4.1.1 other class"},
		"550 5.1 short\r\n":                       {"550", "", "5.1 short"},
		"550 5.1.1. dots\r\n":                     {"550", "", "5.1.1. dots"},
		"550 5..1 dots\r\n":                       {"550", "", "5..1 dots"},
		"550 5.1234.1 long\r\n":                   {"550", "", "5.1234.1 long"},
		"550 5.1.1x\r\n":                          {"550", "", "5.1.1x"},
		"550 5.7.509 long\r\n":                    {"550", "5.7.509", "long"},
		"250 a\x07b\x1b[31m\xff\r\n":              {"250", "", "a?b?[31m?"},
		"250 schön\r\n":                           {"250", "", "schön"},
		"250-" + strings.Repeat("a", 700) + "\r\n250-" + strings.Repeat("b", 700) + "\r\n250 c\r\n": {"250", "",
			strings.Repeat("a", 700) + " " + strings.Repeat("b", 323)},
	}
	for in, want := range cases {
		r, err := parseReply(in)
		if err != nil || fmt.Sprint(r.Code) != want.code || r.Enhanced != want.enhanced || r.Text != want.text {
			t.Errorf("%.60q: %+v %v, want %+v", in, r, err, want)
		}
	}
	for _, in := range []string{"", "2", "25\r\n", "250ok\r\n", "150 x\r\n", "650 x\r\n", "2a0 x\r\n", "250_x\r\n", "250-a\r\n", "250 no end",
		"250-a\r\n251 b\r\n", " 250 x\r\n", strings.Repeat("250-x\r\n", maxReplyLines+1), "250 " + strings.Repeat("x", maxReplyLine) + "\r\n"} {
		if r, err := parseReply(in); err == nil {
			t.Errorf("%.60q was read as %v", in, r)
		}
	}
}

func TestReplyString(t *testing.T) {
	for want, r := range map[string]Reply{
		"550 5.1.1 no": {Code: 550, Enhanced: "5.1.1", Text: "no"}, "250 ok": {Code: 250, Text: "ok"}, "250": {Code: 250}, "450 4.0.0": {Code: 450, Enhanced: "4.0.0"},
	} {
		if r.String() != want || r.Error() != want {
			t.Errorf("%q, want %q", r.String(), want)
		}
	}
	if r := (Reply{Code: 450}); !r.Temporary() || r.Permanent() || r.Positive() {
		t.Error("450 is temporary")
	}
}

// No reply is out of bounds, unprintable or of a class that does not exist.
func FuzzReply(f *testing.F) {
	for _, s := range []string{"250 ok\r\n", "250-a\r\n250 b\r\n", "550 5.1.1 x\r\n", "550-5.1.1 x\r\n550 5.1.1\r\n", "250\n", "421 \xff\x00\r\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := parseReply(s)
		if err != nil {
			if r != (Reply{}) {
				t.Fatalf("an error and %+v", r)
			}
			return
		}
		if r.Code < 200 || r.Code > 599 || len(r.Text) > maxReplyText || strings.ContainsAny(r.Text, "\r\n\x00\x1b") {
			t.Fatalf("%q: %+v", s, r)
		}
		if len(r.Text) < maxReplyText-4 && !utf8.ValidString(r.Text) {
			t.Fatalf("%q: text is not UTF-8", s)
		}
		if e := r.Enhanced; e != "" && (len(e) < 5 || len(e) > 9 || e[0] != byte('0'+r.Code/100) || strings.Count(e, ".") != 2) {
			t.Fatalf("%q: enhanced code %q", s, e)
		}
		if _, err := parseReply(s[:len(s)-1]); err == nil && !strings.Contains(s[:len(s)-1], "\n") {
			t.Fatalf("%q is a reply without its end", s)
		}
	})
}

func FuzzAddress(f *testing.F) {
	for _, s := range []string{"a@b", `"a b"@c`, `"a\" b"@c`, "a b@c", "a>@b", "a\r\n@b", `"`, `"\`} {
		f.Add(s)
	}
	c := &Client{ext: map[string]string{"DSN": ""}}
	f.Fuzz(func(t *testing.T, s string) {
		if !cleanAddress(s) {
			return
		}
		line := string(c.appendRcpt(nil, &Recipient{Address: s, ORcpt: "rfc822;" + s}))
		if strings.Count(line, ">") != 1 || strings.Count(line, "<") != 1 || strings.Index(line, "\r\n") != len(line)-2 || strings.ContainsAny(line[:len(line)-2], "\r\n\x00") {
			t.Fatalf("%q becomes %q", s, line)
		}
	})
}

func TestErrorWraps(t *testing.T) {
	reply := &Reply{Code: 554, Text: "no"}
	var err error = fmt.Errorf("dialing: %w", &Error{StageGreeting, reply})
	var got *Reply
	if !errors.As(err, &got) || got != reply || err.Error() != "dialing: waiting for the greeting: 554 no" {
		t.Errorf("%v", err)
	}
}
