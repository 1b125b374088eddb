package dispatch

import (
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/connectors/demail"
)

// text is content in memory.
type text string

func (s text) Open() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(string(s))), nil }
func (s text) Size() int64                  { return int64(len(s)) }

func TestNetSize(t *testing.T) {
	lines := func(b []byte) string {
		var out strings.Builder
		for s := base64.StdEncoding.EncodeToString(b); s != ""; s = s[min(76, len(s)):] {
			out.WriteString(s[:min(76, len(s))] + "\r\n")
		}
		return out.String()
	}
	file := lines(make([]byte, 10_000))
	const head = "From: a@b.example\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
	mixed := head + "preamble\r\n--x\r\nContent-Type: text/plain\r\n\r\n12345\r\n--x\r\nContent-Transfer-Encoding: BASE64\r\n\r\n" + file +
		"--x\r\nContent-Type: multipart/alternative; boundary=y\r\n\r\n--y\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C3=BC=\r\n=C3=9F\r\n--y--\r\n--x--\r\nepilogue\r\n"
	for name, c := range map[string]struct {
		message string
		want    int
	}{
		"empty":          {"", 0},
		"a header":       {"Subject: x\r\n\r\n", 14},
		"plain":          {"Subject: x\r\n\r\n12345\r\n", 14 + 7},
		"base64":         {"Content-Transfer-Encoding: base64\r\n\r\n" + file, 37 + 10_000},
		"other encoding": {"Content-Transfer-Encoding: x-odd\r\n\r\nQUJD\r\n", 36 + 6},
		"parts":          {mixed, len(head) + 5 + 10_000 + 4},
		"no boundary":    {"Content-Type: multipart/mixed\r\n\r\n--x\r\n", 33 + 5},
		"an attached message": {"Content-Type: message/rfc822\r\n\r\nContent-Transfer-Encoding: base64\r\n\r\nQUJD\r\n",
			32 + len("Content-Transfer-Encoding: base64\r\n\r\nQUJD\r\n")},
	} {
		got, err := NetSize(text(c.message))
		if err != nil || got != int64(c.want) {
			t.Errorf("%s: %d, %v; want %d", name, got, err, c.want)
		}
	}
}

// The largest attachment that De-Mail has room for passes, however much larger its encoding is.
func TestNetSizeOfLargest(t *testing.T) {
	const head = "Content-Transfer-Encoding: base64\r\n\r\n"
	body := strings.Repeat(strings.Repeat("A", 76)+"\r\n", (demail.MaxNet-len(head))/57)
	got, err := NetSize(text(head + body))
	if err != nil || got > demail.MaxNet || got < demail.MaxNet-100 || len(body) < demail.MaxNet*4/3 {
		t.Errorf("%d of %d, %v", got, len(head)+len(body), err)
	}
}

// What cannot be taken apart counts as it is: it is not let pass for smaller.
func TestNetSizeOfTooManyParts(t *testing.T) {
	m := "Content-Type: multipart/mixed; boundary=x\r\n\r\n" + strings.Repeat("--x\r\nContent-Transfer-Encoding: base64\r\n\r\nQUJD\r\n", 2000) + "--x--\r\n"
	if got, err := NetSize(text(m)); err != nil || got != int64(len(m)) {
		t.Errorf("%d of %d, %v", got, len(m), err)
	}
}

// brittle is content that fails where it is read, on a try.
type brittle struct {
	text
	after  int
	opened *int
	on     int
}

var errRead = errors.New("the disk is gone")

func (b brittle) Open() (io.ReadCloser, error) {
	if *b.opened++; *b.opened != b.on {
		return b.text.Open()
	}
	if b.after < 0 {
		return nil, errRead
	}
	return io.NopCloser(io.MultiReader(strings.NewReader(string(b.text[:b.after])), errReader{})), nil
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errRead }

func TestNetSizeFails(t *testing.T) {
	m := text("Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Transfer-Encoding: base64\r\n\r\nQUJD\r\n--x--\r\n")
	for _, on := range []int{1, 2} {
		for _, after := range []int{-1, 10, 70} {
			opened := 0
			if got, err := NetSize(brittle{m, after, &opened, on}); !errors.Is(err, errRead) {
				t.Errorf("try %d, after %d bytes: %d, %v", on, after, got, err)
			}
		}
	}
}

// A message is never larger without its encodings, and nothing makes the count fail.
func FuzzNetSize(f *testing.F) {
	f.Add("Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Transfer-Encoding: base64\r\n\r\nQUJD\r\n--x--\r\n")
	f.Add("Content-Transfer-Encoding: quoted-printable\r\n\r\n=41=\r\n=zz\r\n")
	f.Fuzz(func(t *testing.T, message string) {
		got, err := NetSize(text(message))
		if err != nil || got < 0 || got > int64(len(message)) {
			t.Errorf("%d of %d, %v", got, len(message), err)
		}
	})
}
