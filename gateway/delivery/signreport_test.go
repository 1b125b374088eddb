package delivery

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
)

// plain is content in memory.
type plain string

func (p plain) Open() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(string(p))), nil }
func (p plain) Size() int64                  { return int64(len(p)) }

// A report goes into the queue signed, or as it is where there is no key or the key fails: then the log says so.
func TestSignedReport(t *testing.T) {
	for name, c := range map[string]struct {
		sign SignReport
		want mail.Content
		log  string
	}{
		"no key":       {nil, plain("report"), ""},
		"signed":       {func(c mail.Content) (mail.Content, error) { return "signed " + c.(plain), nil }, plain("signed report"), ""},
		"the key away": {func(mail.Content) (mail.Content, error) { return nil, errors.New("away") }, plain("report"), "could not be signed"},
	} {
		log := logrus.New()
		var out bytes.Buffer
		log.SetOutput(&out)
		s := &Scheduler{o: Options{SignReport: c.sign, Log: log}}
		if got := s.signedReport("0abc", plain("report")); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
		if !strings.Contains(out.String(), c.log) || (c.log == "") != (out.Len() == 0) {
			t.Errorf("%s: log %s", name, &out)
		}
	}
}

// A fault in the making of a report ends neither the process nor the settling of the message it is about.
func TestReportWithFault(t *testing.T) {
	run(t, func(_ *bench, o *Options) {
		o.SignReport = func(mail.Content) (mail.Content, error) { panic("planted") }
	}, func(b *bench) {
		b.hop(always(never, 0))
		b.letter(nil, "bob@x.example")
		b.want("states", b.states, "bob@x.example failed 1")
		list, err := b.List(b.Context(), queue.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Returned(b.Context(), list[0], []int{0}); !errors.Is(err, errReport) {
			t.Errorf("returned: %v", err)
		}
	})
}
