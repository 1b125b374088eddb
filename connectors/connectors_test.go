package connectors_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/demail"
)

func address(t testing.TB, s string) demail.Address {
	t.Helper()
	a, err := demail.ParseAddress(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

type content []byte

func (c content) Open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(c)), nil }
func (c content) Size() int64                  { return int64(len(c)) }

type huge struct{ content }

func (huge) Size() int64 { return demail.MaxGross + 1 }

func TestCheck(t *testing.T) {
	good := connectors.Message{Key: "a-1", Sender: address(t, "a@b.de-mail.de"), Content: content("x"),
		Recipients: demail.Recipients{Bcc: []demail.Mailbox{{Address: address(t, "c@d.de-mail.de")}}}}
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*connectors.Message)
		want   error
	}{
		"no key":        {func(m *connectors.Message) { m.Key = "" }, connectors.ErrRejected},
		"blank":         {func(m *connectors.Message) { m.Key = "a b" }, connectors.ErrRejected},
		"umlaut":        {func(m *connectors.Message) { m.Key = "ä" }, connectors.ErrRejected},
		"long key":      {func(m *connectors.Message) { m.Key = strings.Repeat("k", 257) }, connectors.ErrRejected},
		"no sender":     {func(m *connectors.Message) { m.Sender = demail.Address{} }, connectors.ErrRejected},
		"no recipients": {func(m *connectors.Message) { m.Recipients = demail.Recipients{} }, connectors.ErrRejected},
		"empty one":     {func(m *connectors.Message) { m.Recipients.To = []demail.Mailbox{{}} }, connectors.ErrRejected},
		"too many":      {func(m *connectors.Message) { m.Recipients.Cc = make([]demail.Mailbox, 1000) }, connectors.ErrRejected},
		"no content":    {func(m *connectors.Message) { m.Content = nil }, connectors.ErrRejected},
		"too large":     {func(m *connectors.Message) { m.Content = huge{} }, connectors.ErrTooLarge},
	} {
		m := good
		c.change(&m)
		if err := m.Check(); connectors.Class(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCheckAnswers(t *testing.T) {
	got, err := connectors.CheckDomains([]string{"A.de-mail.de", "a.DE-mail.de", "b.example"})
	if err != nil || fmt.Sprint(got) != "[a.de-mail.de b.example]" {
		t.Error(got, err)
	}
	if got, err := connectors.CheckDomains(nil); err != nil || len(got) != 0 {
		t.Error(got, err)
	}
	for _, d := range [][]string{{"not a domain"}, {"a.de", ""}, make([]string, connectors.MaxDomains+1)} {
		if got, err := connectors.CheckDomains(d); !errors.Is(err, connectors.ErrUnavailable) || got != nil {
			t.Error(got, err)
		}
	}
	for id, ok := range map[string]bool{"a": true, "ä 1": true, strings.Repeat("x", 1024): true, "": false, "a\nb": false, "\x7f": false, strings.Repeat("x", 1025): false} {
		if err := connectors.CheckID(id); (err == nil) != ok || err != nil && !errors.Is(err, connectors.ErrUnavailable) {
			t.Errorf("%.20q: %v", id, err)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestBounded(t *testing.T) {
	n, err := io.Copy(io.Discard, connectors.Bounded(zeros{}))
	if n != connectors.MaxIncoming || connectors.Class(err) != connectors.ErrTooLarge {
		t.Error(n, err)
	}
	if n, err := io.Copy(io.Discard, connectors.Bounded(io.LimitReader(zeros{}, connectors.MaxIncoming))); n != connectors.MaxIncoming || err != nil {
		t.Error(n, err)
	}
	r := connectors.Bounded(io.MultiReader(strings.NewReader("half"), iotest.ErrReader(io.ErrUnexpectedEOF)))
	data, err := io.ReadAll(r)
	if string(data) != "half" || connectors.Class(err) != connectors.ErrUnavailable || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%q, %v", data, err)
	}
	if n, again := r.Read(make([]byte, 1)); n != 0 || again != err {
		t.Error("an error passes", n, again)
	}
	if _, err := io.ReadAll(connectors.Bounded(iotest.ErrReader(connectors.Errorf(connectors.ErrLogin, "x")))); connectors.Class(err) != connectors.ErrLogin {
		t.Error(err)
	}
	if err := iotest.TestReader(connectors.Bounded(strings.NewReader("whole")), []byte("whole")); err != nil {
		t.Error(err)
	}
}

func TestError(t *testing.T) {
	a := address(t, "a@b.de-mail.de")
	e := &connectors.Error{Class: connectors.ErrRejected, Code: "4711\r\nX", Text: strings.Repeat("x", 1000) + "\x1b[2J", Addresses: []demail.Address{a, a, a, a}, Err: errors.New("password hunter2")}
	s := fmt.Errorf("wrapped: %w", e).Error()
	if len(s) > 600 || strings.ContainsAny(s, "\r\n\x1b") || strings.Contains(s, "hunter2") || strings.Count(s, "a@b.de-mail.de") != 3 || !strings.Contains(s, `4711\r\nX`) {
		t.Errorf("%q", s)
	}
	if !errors.Is(e, connectors.ErrRejected) || !errors.Is(e, e.Err) {
		t.Error("what lies behind is lost")
	}
	if empty := new(connectors.Error); !errors.Is(empty, connectors.ErrInDoubt) || !strings.Contains(empty.Error(), "not known") {
		t.Error(empty)
	}
}

func TestClassAndOutcome(t *testing.T) {
	for name, c := range map[string]struct {
		err     error
		class   error
		outcome connectors.Outcome
	}{
		"none":          {nil, nil, connectors.Taken},
		"unknown":       {errors.New("x"), nil, connectors.Doubtful},
		"canceled":      {context.Canceled, nil, connectors.Doubtful},
		"unavailable":   {connectors.ErrUnavailable, connectors.ErrUnavailable, connectors.Later},
		"rejected":      {fmt.Errorf("x: %w", connectors.ErrRejected), connectors.ErrRejected, connectors.Never},
		"no address":    {connectors.Errorf(connectors.ErrNoSuchAddress, "x"), connectors.ErrNoSuchAddress, connectors.Never},
		"not entitled":  {connectors.Errorf(connectors.ErrNotEntitled, "x"), connectors.ErrNotEntitled, connectors.Never},
		"not today":     {&connectors.Error{Class: connectors.ErrNotEntitled, After: time.Hour}, connectors.ErrNotEntitled, connectors.Later},
		"too large":     {connectors.ErrTooLarge, connectors.ErrTooLarge, connectors.Never},
		"login":         {connectors.ErrLogin, connectors.ErrLogin, connectors.Mend},
		"in doubt":      {connectors.ErrInDoubt, connectors.ErrInDoubt, connectors.Doubtful},
		"not found":     {connectors.ErrNotFound, connectors.ErrNotFound, connectors.Doubtful},
		"lost":          {connectors.Lost(connectors.ErrUnavailable, "x"), connectors.ErrInDoubt, connectors.Doubtful},
		"lost, wrapped": {fmt.Errorf("x: %w", connectors.Lost(connectors.ErrLogin, "x")), connectors.ErrInDoubt, connectors.Doubtful},
		"joined":        {errors.Join(connectors.ErrUnavailable, connectors.ErrInDoubt), connectors.ErrInDoubt, connectors.Doubtful},
		"unsent":        {connectors.Unsent(io.EOF, "x"), connectors.ErrUnavailable, connectors.Later},
		"unsent, login": {connectors.Unsent(connectors.ErrLogin, "x"), connectors.ErrLogin, connectors.Mend},
		"unsent, doubt": {connectors.Unsent(connectors.ErrInDoubt, "x"), connectors.ErrUnavailable, connectors.Later},
		"no class":      {&connectors.Error{}, connectors.ErrInDoubt, connectors.Doubtful},
	} {
		if got := connectors.Class(c.err); got != c.class {
			t.Errorf("%s: %v", name, got)
		}
		if got := connectors.OutcomeOf(c.err); got != c.outcome {
			t.Errorf("%s: %v", name, got)
		}
	}
	if !errors.Is(connectors.Lost(context.Canceled, "x"), context.Canceled) {
		t.Error("the cause is lost")
	}
}

func ExampleOutcomeOf() {
	lost := connectors.Lost(io.ErrUnexpectedEOF, "the connection ended before the answer")
	fmt.Println(lost)
	fmt.Println(connectors.OutcomeOf(lost) == connectors.Doubtful)
	// Output:
	// connectors: it is not known whether the provider has taken the message: the connection ended before the answer
	// true
}
