package tlsrpt

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func packed(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

const small = `{"organization-name":"X","date-range":{"start-datetime":"2016-04-01T00:00:00Z","end-datetime":"2016-04-01T23:59:59Z"},"contact-info":"a@b.example","report-id":"1","policies":[]}`

// Reports as they come: in each kind of file and mail that is there under testdata, and what is none.
func TestRead(t *testing.T) {
	files, err := filepath.Glob("testdata/received/*")
	if err != nil || len(files) < 3 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for name, form := range map[string]string{"plain": string(text), "compressed": packed(t, string(text))} {
			r, err := Read(strings.NewReader(form))
			if strings.HasSuffix(f, ".eml") && name == "compressed" {
				if !errors.Is(err, ErrNoReport) {
					t.Errorf("%s, %s: %v", f, name, err)
				}
				continue
			}
			if err != nil || len(r.Policies) == 0 || r.Policies[0].Policy.Domain != "company-y.example" || len(r.Policies[0].Policy.MX) != 1 || r.Range.Start.Year() != 2016 {
				t.Errorf("%s, %s: %+v, %v", f, name, r, err)
			}
		}
	}
	for name, text := range map[string]string{
		"nothing": "", "one byte": "x", "text": "Hello\n\nthere", "a mail": "Subject: x\r\n\r\nhello\r\n", "JSON of another kind": `{"a":1}`, "a list": "[1,2]",
		"half": small[:50], "cut gzip": packed(t, small)[:40],
		"parts without any": "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nhello\r\n--x--\r\n",
		"a broken one":      "Content-Type: multipart/report; boundary=x\r\n\r\n--x\r\nContent-Type: application/tlsrpt+json\r\n\r\nhello\r\n--x--\r\n",
	} {
		if r, err := Read(strings.NewReader(text)); !errors.Is(err, ErrNoReport) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

// blanks is JSON without an end.
type blanks struct{ n int64 }

// Read implements io.Reader.
func (b *blanks) Read(p []byte) (int, error) {
	copy(p, bytes.Repeat([]byte(" "), len(p)))
	if b.n == 0 {
		p[0] = '{'
	}
	b.n += int64(len(p))
	return len(p), nil
}

// A report that would fill the memory is refused when the bound is reached, not later.
func TestReadBomb(t *testing.T) {
	endless := &blanks{}
	if _, err := Read(endless); !errors.Is(err, ErrTooBig) || endless.n > maxReceived+(1<<20) {
		t.Error(err, endless.n)
	}
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(z, &blanks{}, maxReceived+(1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(&b); !errors.Is(err, ErrTooBig) {
		t.Error(err)
	}
	parts := "Content-Type: multipart/mixed; boundary=x\r\n\r\n" + strings.Repeat("--x\r\n\r\n\r\n", maxParts+2)
	if _, err := Read(strings.NewReader(parts)); !errors.Is(err, ErrTooBig) {
		t.Error(err)
	}
	list := strings.Replace(small, "[]", "["+strings.Repeat("{},", maxListed)+"{}]", 1)
	if _, err := Read(strings.NewReader(list)); !errors.Is(err, ErrTooBig) {
		t.Error(err)
	}
	for _, one := range []string{"1", "null", "{}", `""`} { // each of few bytes, and many more in memory
		for _, within := range []string{"[%]", `[{"failure-details":[%]}]`, `[{"policy":{"policy-string":[%]}}]`} {
			list := strings.Replace(within, "%", strings.Repeat(one+",", (maxReceived-1000)/(len(one)+1))+one, 1)
			var err error
			if took := allocated(func() { _, err = Read(strings.NewReader(strings.Replace(small, "[]", list, 1))) }); !errors.Is(err, ErrTooBig) || took > 10*maxReceived {
				t.Errorf("%s in %s: %v, %d MiB", one, within, err, took>>20)
			}
		}
	}
	deep := ""
	for i := range 20 {
		deep += "Content-Type: multipart/mixed; boundary=" + strings.Repeat("x", i+1) + "\r\n\r\n--" + strings.Repeat("x", i+1) + "\r\n"
	}
	if _, err := Read(strings.NewReader(deep + "Content-Type: application/tlsrpt+json\r\n\r\n" + small)); !errors.Is(err, ErrNoReport) {
		t.Error(err)
	}
}

// allocated is how many bytes do asks for.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// Whatever comes: it ends, and an error is one of ours.
func FuzzRead(f *testing.F) {
	f.Add([]byte(small))
	files, err := filepath.Glob("testdata/received/*")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(packed(f, small)))
	f.Add([]byte("Content-Type: multipart/report; boundary=x\r\n\r\n--x\r\nContent-Type: application/tlsrpt+json\r\nContent-Transfer-Encoding: base64\r\n\r\ne30=\r\n--x--\r\n"))
	f.Add([]byte("Content-Type: application/octet-stream; name=a.json\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + strings.ReplaceAll(small, "=", "=3D")))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Read(bytes.NewReader(data))
		if err != nil && !errors.Is(err, ErrNoReport) && !errors.Is(err, ErrTooBig) {
			t.Fatal(err)
		}
		if err == nil && r.Policies == nil {
			t.Fatal("no policies")
		}
	})
}
