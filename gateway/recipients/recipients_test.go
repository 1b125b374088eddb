package recipients_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/recipients"
)

func Example() {
	list, faults := recipients.Parse(strings.NewReader(`
alice@firma.example
*@lists.firma.example   # all of them
`), "+")
	fmt.Println(list.Len(), faults)
	for _, text := range []string{"Alice@Firma.example", "alice+shop@firma.example", "any@lists.firma.example", "bob@firma.example", "postmaster@firma.example"} {
		a, _ := mail.ParseAddress(text)
		fmt.Println(text, list.Has(a))
	}
	// Output:
	// 2 []
	// Alice@Firma.example true
	// alice+shop@firma.example true
	// any@lists.firma.example true
	// bob@firma.example false
	// postmaster@firma.example true
}

func address(t testing.TB, s string) mail.Address {
	t.Helper()
	a, err := mail.ParseAddress(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestHas(t *testing.T) {
	text := "\ufeffalice@firma.example\r\n  BOB@FIRMA.example  # the boss\n\n# nobody\n\"o d d\"@firma.example\nü@bücher.example\n" +
		"*@lists.firma.example\n@more.firma.example\nsupport@*.firma.example\n*@*.sub.firma.example\n"
	for _, tag := range []string{"", "+", "--"} {
		list, faults := recipients.Parse(strings.NewReader(text), tag)
		if faults != nil {
			t.Fatal(faults)
		}
		if list.Len() != 8 {
			t.Errorf("%d entries", list.Len())
		}
		for s, want := range map[string]bool{
			"alice@firma.example": true, "ALICE@firma.EXAMPLE": true, "bob@firma.example": true, `"o d d"@firma.example`: true,
			"Ü@xn--bcher-kva.example": true, "x@lists.firma.example": true, "y@more.firma.example": true,
			"support@a.firma.example": true, "z@a.sub.firma.example": true, "POSTMASTER@firma.example": true,
			"carol@firma.example": false, "support@firma.example": false, "z@sub.firma.example": false, "alice@other.example": false,
			"alic@firma.example": false, "alice@firma.example.other.example": false, "*@firma.example": false,
			"alice+@firma.example": tag == "+", "alice+x@firma.example": tag == "+", "alice--x+y@firma.example": tag == "--",
			"+x@firma.example": false, "carol+x@firma.example": false,
		} {
			if got := list.Has(address(t, s)); got != want {
				t.Errorf("tag %q: %s: %v", tag, s, got)
			}
		}
		if list.Has(mail.Address{}) {
			t.Error("nobody is in the list")
		}
	}
}

func TestFaults(t *testing.T) {
	for text, want := range map[string]string{
		"":                           "there is no address in this file",
		"# only\n\n":                 "there is no address in this file",
		"a@b.example\n*\n":           "line 2: this line would let everything in",
		"<>":                         "line 1: this line would let everything in",
		"firma.example":              "line 1: this is no address; write user@domain, or *@domain",
		"a@b.example c@d.example":    "line 1: this is no address: ",
		"a@b.example\nal*@b.example": "line 2: this is no address: ",
		"a@b.example\n" + strings.Repeat("x", 5000):          "line 2: this line is far too long",
		strings.Repeat("a@b.example # a comment\n", 700_000): "the file is larger than 16 MB",
	} {
		list, faults := recipients.Parse(strings.NewReader(text), "")
		if list != nil || len(faults) != 1 || !strings.HasPrefix(faults[0].Error(), want) || !errors.Is(faults[0], recipients.ErrFile) {
			t.Errorf("%.40q: %v, want %q", text, faults, want)
		}
	}
	if _, faults := recipients.Parse(strings.NewReader(strings.Repeat("bad\n", 1000)), ""); len(faults) != 20 || faults[19].Line != 20 {
		t.Errorf("%d faults", len(faults))
	}
}

func TestUnserved(t *testing.T) {
	ours, _ := mail.ParsePatterns("@firma.example", "@*.firma.example")
	for text, want := range map[string]string{
		"a@firma.example\n*@x.firma.example": "", "a@firma.example\nb@other.example": "b@other.example",
		"*@other.example\na@firma.example": "@other.example", "*@*.other.example": "",
	} {
		list, _ := recipients.Parse(strings.NewReader(text), "")
		if got := list.Unserved(ours); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}

// Two hundred thousand addresses take up little more than their letters.
func TestMemory(t *testing.T) {
	const n = 200_000
	var text bytes.Buffer
	for i := range n {
		fmt.Fprintf(&text, "firstname.lastname%06d@firma.example\n", i)
	}
	held := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := held()
	list, faults := recipients.Parse(&text, "")
	if faults != nil {
		t.Fatal(faults)
	}
	if used := held() - before; used > 100*n {
		t.Errorf("%d addresses take up %d MB", n, used>>20)
	}
	runtime.KeepAlive(&text) // it was there before, too
	if !list.Has(address(t, "Firstname.Lastname199999@firma.example")) || list.Has(address(t, "firstname.lastname200000@firma.example")) {
		t.Error("not found")
	}
}

// clock is a time that the test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// A change is taken when it has settled; a file that is gone or spoilt leaves what it was, with one warning.
func TestFileFollows(t *testing.T) {
	path, c := filepath.Join(t.TempDir(), "recipients"), &clock{now: time.Now()}
	var said bytes.Buffer
	log := logrus.New()
	log.SetOutput(&said)
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, c.Now(), c.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := recipients.Open(path, recipients.Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	write("bad\nworse\n")
	if _, err := recipients.Open(path, recipients.Options{}); !errors.Is(err, recipients.ErrFile) || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("bad file: %v", err)
	}
	write("alice@firma.example\n")
	f, err := recipients.Open(path, recipients.Options{Log: log, Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	has := func(who string, want bool) {
		t.Helper()
		if got, err := f.Known(context.Background(), address(t, who+"@firma.example")); got != want || err != nil {
			t.Errorf("%s: %v, %v; the log says %s", who, got, err, said.String())
		}
	}
	has("alice", true)
	write("bob@firma.example\n")
	has("bob", false) // not looked at yet
	c.pass(recipients.Interval)
	has("bob", true)
	has("alice", false)

	c.pass(recipients.Interval)
	write("carol@firma.example\n")
	has("bob", true) // it was written just now, and may be half of itself
	c.pass(recipients.Interval)
	has("carol", true)

	for _, spoil := range []func(){func() { os.Remove(path) }, func() { write("worse") }} {
		said.Reset()
		spoil()
		for range 3 {
			c.pass(recipients.Interval)
			has("carol", true)
		}
		if n := strings.Count(said.String(), "stays in force"); n != 1 {
			t.Errorf("%d warnings: %s", n, said.String())
		}
	}
	write("dave@firma.example\nerin@firma.example\n")
	c.pass(recipients.Interval)
	has("erin", true)
	if f.Len() != 2 {
		t.Errorf("%d entries", f.Len())
	}
	c.pass(-24 * time.Hour) // a clock that was set back does not keep it from looking
	write("frank@firma.example\n")
	c.pass(recipients.Interval)
	has("frank", true)
}

func TestAtOnce(t *testing.T) {
	path, c := filepath.Join(t.TempDir(), "recipients"), &clock{now: time.Now()}
	if err := os.WriteFile(path, []byte("alice@firma.example\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := recipients.Open(path, recipients.Options{Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 200 {
				c.pass(time.Second)
				if i%20 == 0 {
					os.WriteFile(path, []byte("alice@firma.example\n"), 0o600)
				}
				if known, err := f.Known(context.Background(), address(t, "alice@firma.example")); !known || err != nil {
					t.Errorf("%v, %v", known, err)
				}
			}
		})
	}
	all.Wait()
}

// Whatever is in a file: what is taken from it is found again, and nothing stands for everything.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"alice@firma.example\n*@b.example # x", "@*.x", "\ufeffa@b\r\n", "\"a#b\"@c", "*", "a+b@c", "\xff@x", "<>"} {
		f.Add(s, "+")
	}
	f.Fuzz(func(t *testing.T, text, tag string) {
		list, faults := recipients.Parse(strings.NewReader(text), tag)
		if (list == nil) != (len(faults) > 0) {
			t.Fatalf("%v and %v", list, faults)
		}
		if list == nil {
			return
		}
		for line := range strings.Lines(text) {
			line, _, _ = strings.Cut(strings.TrimPrefix(line, "\ufeff"), "#")
			if a, err := mail.ParseAddress(strings.TrimSpace(line)); err == nil && !strings.Contains(a.Local, "*") && a.Local != "" && !list.Has(a) {
				t.Errorf("%q: %s is not found", text, a)
			}
		}
		if list.Has(mail.Address{Local: "nobody-has-this-name", Domain: "nowhere.invalid"}) && !strings.Contains(text, "invalid") {
			t.Errorf("%q stands for everything", text)
		}
	})
}
