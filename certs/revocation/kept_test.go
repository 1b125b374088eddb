package revocation_test

import (
	"context"
	"crypto/x509"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/siegel-mail/siegel/certs/revocation"
)

// What authorities said is there for evidence as it came, and can be verified by whoever relies on it; nobody is asked for it.
func TestKeptAnswers(t *testing.T) {
	p := newPlace(t)
	kept := &files{all: map[string]file{}}
	leaf, bad, unasked := p.leaf("", "ocsp"), p.leaf("list", ""), p.leaf("", "other")
	p.responder("ocsp", nil)
	p.page("list", p.list(nil, bad))
	c := p.checker(revocation.Options{Cache: kept})
	p.check(c, leaf, "valid")
	p.check(c, bad, "revoked")
	asked := p.count("list") + p.count("ocsp")
	root := p.root.Certificate()
	answers := c.Answers(t.Context(), []*x509.Certificate{leaf, root})
	if len(answers) != 1 || answers[0].Method != revocation.OCSP || answers[0].From != leaf.OCSPServer[0] || !answers[0].Fetched.Equal(p.clock()) {
		t.Fatalf("%+v", answers)
	}
	if r, err := ocsp.ParseResponseForCert(answers[0].DER, leaf, root); err != nil || r.Status != ocsp.Good {
		t.Errorf("%v", err)
	}
	answers = c.Answers(t.Context(), []*x509.Certificate{bad, root})
	if len(answers) != 1 || answers[0].Method != revocation.CRL {
		t.Fatalf("%+v", answers)
	}
	list, err := x509.ParseRevocationList(answers[0].DER)
	if err != nil || list.CheckSignatureFrom(root) != nil || list.RevokedCertificateEntries[0].SerialNumber.Cmp(bad.SerialNumber) != 0 {
		t.Errorf("%v", err)
	}
	if got := c.Answers(t.Context(), []*x509.Certificate{unasked, root}); got != nil || p.count("list")+p.count("ocsp") != asked {
		t.Errorf("%d answers", len(got))
	}
	if got := p.checker(revocation.Options{}).Answers(t.Context(), []*x509.Certificate{leaf, root}); got != nil {
		t.Errorf("%d answers without a cache", len(got))
	}
}

// slowFiles keeps an answer only once it may.
type slowFiles struct {
	*files
	may chan struct{}
}

func (f slowFiles) Save(ctx context.Context, key string, data []byte, fetched, until time.Time) error {
	<-f.may
	return f.files.Save(ctx, key, data, fetched, until)
}

// watched tells that somebody waits for its end.
type watched struct {
	context.Context
	waits chan<- struct{}
}

func (w watched) Done() <-chan struct{} {
	w.waits <- struct{}{}
	return w.Context.Done()
}

// A judgement does not wait for the disk, but what it relied on is there for evidence.
func TestKeptAtOnce(t *testing.T) {
	p := newPlace(t)
	kept := slowFiles{&files{all: map[string]file{}}, make(chan struct{})}
	leaf := p.leaf("", "ocsp")
	p.responder("ocsp", nil)
	c := p.checker(revocation.Options{Cache: kept})
	p.check(c, leaf, "valid")
	path := []*x509.Certificate{leaf, p.root.Certificate()}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if got := c.Answers(gone, path); got != nil {
		t.Errorf("%d answers before any is kept", len(got))
	}
	waits, answers := make(chan struct{}, 1), make(chan int, 1)
	go func() { answers <- len(c.Answers(watched{t.Context(), waits}, path)) }()
	select {
	case n := <-answers:
		t.Errorf("%d answers, and who asked did not wait for the one that was just used", n)
		close(kept.may)
	case <-waits:
		close(kept.may)
		if n := <-answers; n != 1 {
			t.Errorf("%d answers", n)
		}
	}
}
