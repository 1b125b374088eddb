package proof_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/proof"
)

// confirmation is one that proves something of a submission, or would.
func confirmation(t testing.TB, id, key string, kind demail.MessageType) proof.Evidence {
	t.Helper()
	return proof.Evidence{
		Account: "main", ID: id, Kind: kind, Content: content("confirmation " + id), Fetched: time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC),
		Verdict: proof.Verdict{
			Proven: true, State: "trusted", Keys: demail.Keys{PrivateID: key, DeMailID: "D-" + key}, Sender: address(t, "kontakt@firma.de-mail.de"), Signed: []byte("xml of " + id),
			Certificates: []proof.Blob{{DER: []byte("leaf")}, {DER: bytes.Repeat([]byte("root"), 10<<10)}},
			Revocation:   []proof.Revocation{{Kind: "ocsp", From: "http://ocsp.example", Blob: proof.Blob{DER: []byte("good")}}},
		},
	}
}

func confirm(t testing.TB, s *stand, e proof.Evidence, want ...string) []proof.Record {
	t.Helper()
	matched, duplicate, err := s.Confirm(t.Context(), e)
	if err != nil || duplicate {
		t.Fatalf("confirm %s: duplicate %v, %v", e.ID, duplicate, err)
	}
	var keys []string
	for _, r := range matched {
		keys = append(keys, r.Key)
	}
	if strings.Join(keys, " ") != strings.Join(want, " ") {
		t.Fatalf("confirm %s: matches %q, want %q", e.ID, keys, want)
	}
	return matched
}

func awaits(t testing.TB, s *stand, key string, want ...demail.MessageType) {
	t.Helper()
	if got := record(t, s, key).Awaiting; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s awaits %v, want %v", key, got, want)
	}
}

// Confirmations lead back to what they confirm, and are there as they came.
func TestConfirm(t *testing.T) {
	s := newStand(t)
	m := submission(t, "k1", message("eins", 100))
	begin(t, s, m, proof.None)
	settle(t, s, "k1", taken("P-1"))
	awaits(t, s, "k1", demail.TypeDispatch, demail.TypeReceipt)
	dispatch := confirmation(t, "c1", "k1", demail.TypeDispatch)
	confirm(t, s, dispatch, "k1")
	awaits(t, s, "k1", demail.TypeReceipt)
	large := confirmation(t, "c2", "k1", demail.TypeReceipt)
	large.Content = content(strings.Repeat("with a picture ", 10<<10))
	confirm(t, s, large, "k1")
	s.reopen(t)
	awaits(t, s, "k1")
	matched, duplicate, err := s.Confirm(t.Context(), dispatch)
	if err != nil || !duplicate || len(matched) != 1 {
		t.Errorf("again: %v, %v, %v", matched, duplicate, err)
	}
	r := record(t, s, "k1")
	if len(r.Evidence) != 2 || !r.Evidence[0].Counts || r.Evidence[0].Kind != demail.TypeDispatch || r.Evidence[1].Size != large.Content.Size() || len(r.Evidence[0].Verdicts) != 1 {
		t.Fatalf("%+v", r.Evidence)
	}
	for i, e := range []proof.Evidence{dispatch, large} {
		checkEvidence(t, s, e.ID, e.Content.(content))
		v := r.Evidence[i].Verdict()
		if len(v.Certificates) != 2 || len(v.Revocation) != 1 || v.Revocation[0].From != "http://ocsp.example" || v.Certificates[0].DER != nil {
			t.Fatalf("%+v", v)
		}
		checkBlob(t, s, v.Certificates[1], bytes.Repeat([]byte("root"), 10<<10))
		checkBlob(t, s, v.Revocation[0].Blob, []byte("good"))
	}
}

func checkEvidence(t testing.TB, s *stand, id string, want []byte) {
	t.Helper()
	r, err := s.OpenEvidence(t.Context(), "main", id)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s: %d bytes, %v", id, len(got), err)
	}
}

func checkBlob(t testing.TB, s *stand, b proof.Blob, want []byte) {
	t.Helper()
	r, err := s.OpenBlob(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) || b.Size != int64(len(want)) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// Each recipient's receipt is awaited; copies of one count once.
func TestReceiptOfEach(t *testing.T) {
	s := newStand(t)
	m := submission(t, "k1", message("eins", 100))
	m.Recipients.Cc = []demail.Mailbox{{Address: address(t, "b@stadt.de-mail.de")}, {Address: address(t, "amt@stadt.de-mail.de")}}
	begin(t, s, m, proof.None)
	settle(t, s, "k1", taken("P-1"))
	first := confirmation(t, "c1", "k1", demail.TypeReceipt)
	confirm(t, s, first, "k1")
	copied := first
	copied.ID = "c2"
	confirm(t, s, copied, "k1")
	awaits(t, s, "k1", demail.TypeDispatch, demail.TypeReceipt)
	confirm(t, s, confirmation(t, "c3", "k1", demail.TypeReceipt), "k1")
	awaits(t, s, "k1", demail.TypeDispatch)
}

// Two confirmations of one recipient do not stand for two recipients.
func TestReceiptsOfOne(t *testing.T) {
	s := newStand(t)
	m := submission(t, "k1", message("eins", 100))
	m.Recipients.Cc = []demail.Mailbox{{Address: address(t, "b@stadt.de-mail.de")}}
	begin(t, s, m, proof.None)
	settle(t, s, "k1", taken("P-1"))
	for _, id := range []string{"c1", "c2"} {
		e := confirmation(t, id, "k1", demail.TypeReceipt)
		e.Verdict.Recipient = address(t, "amt@stadt.de-mail.de")
		confirm(t, s, e, "k1")
		awaits(t, s, "k1", demail.TypeDispatch, demail.TypeReceipt)
	}
	other := confirmation(t, "c3", "k1", demail.TypeReceipt)
	other.Verdict.Recipient = address(t, "b@stadt.de-mail.de")
	confirm(t, s, other, "k1")
	awaits(t, s, "k1", demail.TypeDispatch)
}

// What is not proven is kept with its verdict, and ends no waiting and no doubt.
func TestUnproven(t *testing.T) {
	for name, change := range map[string]func(*proof.Evidence){
		"not signed":      func(e *proof.Evidence) { e.Verdict.Proven = false },
		"no sender":       func(e *proof.Evidence) { e.Verdict.Sender = demail.Address{} },
		"a notification":  func(e *proof.Evidence) { e.Kind = demail.TypeNotification },
		"held as malware": func(e *proof.Evidence) { e.Kind = demail.TypeMalwareAcknowledge },
		"of another body": func(e *proof.Evidence) {
			e.Verdict.Keys.Integrity = "v=1; a=sha256; h=from; bh=" + base64.StdEncoding.EncodeToString(make([]byte, 32)) + "; b=" + base64.StdEncoding.EncodeToString(make([]byte, 32))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t)
			for _, state := range []proof.State{proof.Doubtful, proof.Taken} {
				key := string(state)
				begin(t, s, submission(t, key, message(key, 100)), proof.None)
				settle(t, s, key, proof.Result{State: state})
				e := confirmation(t, "c-"+key, key, demail.TypeDispatch)
				change(&e)
				confirm(t, s, e, key)
				r := record(t, s, key)
				if r.State != state || len(r.Evidence) != 1 || state == proof.Taken && len(r.Awaiting) != 2 {
					t.Errorf("%s: %s, awaits %v, %+v", key, r.State, r.Awaiting, r.Evidence)
				}
			}
		})
	}
}

// A confirmation that is proven ends the doubt whether a message was taken.
func TestConfirmationEndsDoubt(t *testing.T) {
	for _, state := range []proof.State{proof.None, proof.Doubtful, proof.Waiting, proof.Refused} {
		t.Run("from "+string(state), func(t *testing.T) {
			s := newStand(t)
			m := submission(t, "k1", message("eins", 100))
			begin(t, s, m, proof.None)
			if state != proof.None {
				settle(t, s, "k1", proof.Result{State: state})
			}
			confirm(t, s, confirmation(t, "c1", "k1", demail.TypeDispatch), "k1")
			r := record(t, s, "k1")
			if r.State != proof.Taken || fmt.Sprint(r.Awaiting) != fmt.Sprint([]demail.MessageType{demail.TypeReceipt}) {
				t.Errorf("%s, awaits %v", r.State, r.Awaiting)
			}
			begin(t, s, m, proof.Taken)
			settle(t, s, "k1", taken("P-1")) // the receipt comes late
			if r := record(t, s, "k1"); r.Receipt.ID != "P-1" || len(r.Awaiting) != 1 {
				t.Errorf("%+v", r)
			}
		})
	}
}

// A stranger who got a message from here knows its private id, and may send one of his own under it: what confirms his proves nothing of ours.
func TestStrangersConfirmation(t *testing.T) {
	s := newStand(t)
	begin(t, s, submission(t, "k1", message("eins", 100)), proof.None)
	settle(t, s, "k1", proof.Result{State: proof.Doubtful})
	e := confirmation(t, "c1", "k1", demail.TypeReceipt)
	e.Verdict.Sender = address(t, "amt@stadt.de-mail.de")
	confirm(t, s, e)
	if r := record(t, s, "k1"); r.State != proof.Doubtful || len(r.Evidence) != 0 {
		t.Errorf("%+v", r)
	}
	unmatched, err := s.Unmatched(t.Context())
	if err != nil || len(unmatched) != 1 || unmatched[0].ID != "c1" {
		t.Errorf("%v, %v", unmatched, err)
	}
	checkEvidence(t, s, "c1", e.Content.(content))
}

// integrity is what X-de-mail-integrity of a message would say.
func integrity(r proof.Record, hash string) string {
	b := func(p []byte) string { return base64.StdEncoding.EncodeToString(p) }
	sum := r.Bodies[hash]
	return "a=" + hash + "; h=From; bh=" + b(sum) + "; b=" + b(sum)
}

// Where the private id is missing, the provider's id, the Message-ID or the digest lead back.
func TestOtherKeys(t *testing.T) {
	s := newStand(t)
	for _, key := range []string{"k1", "k2"} {
		m := submission(t, key, message(key, 100))
		begin(t, s, m, proof.None)
		settle(t, s, key, taken("P-"+key))
	}
	r := record(t, s, "k1")
	for i, c := range []struct {
		keys    demail.Keys
		account string
		want    []string
	}{
		{keys: demail.Keys{DeMailID: "P-k1"}, want: []string{"k1"}},
		{keys: demail.Keys{DeMailID: "P-k1"}, account: "other"},
		{keys: demail.Keys{MessageID: "<k1@firma.example>"}, want: []string{"k1"}},
		{keys: demail.Keys{MessageID: "k1@firma.example", DeMailID: "unknown"}, want: []string{"k1"}},
		{keys: demail.Keys{MessageID: "<k1@firma.example>", Integrity: integrity(record(t, s, "k2"), "sha256")}},
		{keys: demail.Keys{Integrity: integrity(r, "sha256")}, want: []string{"k1"}},
		{keys: demail.Keys{Integrity: integrity(r, "sha384")}, want: []string{"k1"}},
		{keys: demail.Keys{Integrity: integrity(r, "sha512")}, want: []string{"k1"}},
		{keys: demail.Keys{PrivateID: "another", MessageID: "<k1@firma.example>"}},
		{keys: demail.Keys{Integrity: "nonsense"}},
		{},
	} {
		e := confirmation(t, fmt.Sprintf("c%d", i), "", demail.TypeReceipt)
		e.Verdict.Keys = c.keys
		if c.account != "" {
			e.Account = c.account
		}
		confirm(t, s, e, c.want...)
	}
}

// Whether what is confirmed is what was sent is said.
func TestSameBody(t *testing.T) {
	s := newStand(t)
	for _, key := range []string{"k1", "k2"} {
		begin(t, s, submission(t, key, message(key, 100)), proof.None)
		settle(t, s, key, taken("P-"+key))
	}
	for id, of := range map[string]string{"yes": integrity(record(t, s, "k1"), "sha256"), "no": integrity(record(t, s, "k2"), "sha512"), "": "nonsense"} {
		e := confirmation(t, "c-"+id, "k1", demail.TypeReceipt)
		e.Verdict.Keys.Integrity = of
		confirm(t, s, e, "k1")
	}
	for _, e := range record(t, s, "k1").Evidence {
		if e.SameBody != strings.TrimPrefix(e.ID, "c-") {
			t.Errorf("%s: %q", e.ID, e.SameBody)
		}
	}
}

// What could not be decided is judged again, and both verdicts stand there.
func TestJudgedAgain(t *testing.T) {
	s := newStand(t)
	begin(t, s, submission(t, "k1", message("eins", 100)), proof.None)
	settle(t, s, "k1", taken("P-1"))
	e := confirmation(t, "c1", "k1", demail.TypeDispatch)
	better := e.Verdict
	e.Verdict.Proven, e.Verdict.Undecided, e.Verdict.State = false, true, "undecided"
	e.Verdict.Revocation = nil
	confirm(t, s, e, "k1")
	undecided, err := s.Undecided(t.Context())
	if err != nil || len(undecided) != 1 || undecided[0].ID != "c1" {
		t.Fatalf("%v, %v", undecided, err)
	}
	for range 2 {
		if _, duplicate, err := s.Confirm(t.Context(), e); err != nil || !duplicate {
			t.Fatal(duplicate, err)
		}
	}
	e.Verdict = better
	e.Verdict.At = s.clock.Now()
	matched, duplicate, err := s.Confirm(t.Context(), e)
	if err != nil || !duplicate || len(matched) != 1 || len(matched[0].Awaiting) != 1 {
		t.Fatalf("%+v, %v, %v", matched, duplicate, err)
	}
	k := matched[0].Evidence[0]
	if len(k.Verdicts) != 2 || !k.Counts || !k.Verdict().Proven || k.Verdicts[0].Proven {
		t.Errorf("%+v", k)
	}
	e.Verdict.Proven = false // a worse one changes nothing
	if matched, _, err := s.Confirm(t.Context(), e); err != nil || len(matched[0].Evidence[0].Verdicts) != 2 || !matched[0].Evidence[0].Counts {
		t.Errorf("%+v, %v", matched, err)
	}
	if undecided, err := s.Undecided(t.Context()); err != nil || len(undecided) != 0 {
		t.Errorf("%v, %v", undecided, err)
	}
	checkBlob(t, s, k.Verdict().Revocation[0].Blob, []byte("good"))
}

func TestConfirmRefuses(t *testing.T) {
	s := newStand(t)
	for name, change := range map[string]func(*proof.Evidence){
		"no account":          func(e *proof.Evidence) { e.Account = "" },
		"no id":               func(e *proof.Evidence) { e.ID = "" },
		"a letter":            func(e *proof.Evidence) { e.Kind = demail.TypeNormal },
		"no content":          func(e *proof.Evidence) { e.Content = nil },
		"length":              func(e *proof.Evidence) { e.Content = liar{content("x")} },
		"many certificates":   func(e *proof.Evidence) { e.Verdict.Certificates = make([]proof.Blob, 21) },
		"an empty one":        func(e *proof.Evidence) { e.Verdict.Certificates = make([]proof.Blob, 1) },
		"a key of a megabyte": func(e *proof.Evidence) { e.Verdict.Keys.Integrity = strings.Repeat("k", 1<<20) },
	} {
		e := confirmation(t, "c1", "k1", demail.TypeDispatch)
		change(&e)
		if _, _, err := s.Confirm(t.Context(), e); !errors.Is(err, proof.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if all, err := s.Unmatched(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
}

// Of a message that was fetched it is known whether the queue has it, so that it is neither lost nor put there twice.
func TestArrived(t *testing.T) {
	s := newStand(t)
	a := proof.Arrival{
		Account: "main", ID: "L-1", Mailbox: address(t, "kontakt@firma.de-mail.de"), Kind: demail.TypeNormal, Size: 17, SHA256: []byte("sum"), Queue: "q1",
		Sender: address(t, "amt@stadt.de-mail.de"), MessageID: "<x@y>", Verdict: confirmation(t, "", "", "").Verdict,
	}
	if known, duplicate, err := s.Arrived(t.Context(), a); err != nil || duplicate || known.Queue != "q1" || known.Fetched.IsZero() {
		t.Fatalf("%+v, %v, %v", known, duplicate, err)
	}
	s.reopen(t)
	again := a
	again.Queue = "q2"
	if known, duplicate, err := s.Arrived(t.Context(), again); err != nil || duplicate || known.Queue != "q1" {
		t.Fatalf("%+v, %v, %v", known, duplicate, err)
	}
	to := []mail.Address{author(t, "berta@firma.example")}
	if err := s.Delivered(t.Context(), "main", "L-1", to, s.clock.Now()); err != nil {
		t.Fatal(err)
	}
	if known, duplicate, err := s.Arrived(t.Context(), again); err != nil || !duplicate || fmt.Sprint(known.To) != fmt.Sprint(to) || !known.Delivered.Equal(s.clock.Now()) {
		t.Fatalf("%+v, %v, %v", known, duplicate, err)
	}
	if err := s.Delivered(t.Context(), "main", "L-2", to, s.clock.Now()); !errors.Is(err, proof.ErrUnknown) {
		t.Errorf("%v", err)
	}
	other := a
	other.Account = "other"
	if _, duplicate, err := s.Arrived(t.Context(), other); err != nil || duplicate {
		t.Errorf("the same id of another account: %v, %v", duplicate, err)
	}
	list, next, err := s.Arrivals(t.Context(), proof.Filter{Account: "main"})
	if err != nil || next != 0 || len(list) != 1 || list[0].ID != "L-1" || list[0].SHA256 == nil {
		t.Errorf("%+v, %d, %v", list, next, err)
	}
	checkBlob(t, s, list[0].Verdict.Certificates[0], []byte("leaf"))
}
