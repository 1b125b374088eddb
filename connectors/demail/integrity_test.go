package demail

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func verifyMessage(t testing.TB, v Verifier, data []byte) Result {
	t.Helper()
	h, body := message(t, data)
	r, err := v.Message(context.Background(), h, iotest.OneByteReader(bytes.NewReader(body)))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func vectors(t testing.TB, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(names) == 0 {
		t.Fatal(pattern, err)
	}
	return names
}

// The messages were sealed by dkimpy and OpenSSL.
func TestVectors(t *testing.T) {
	for _, name := range vectors(t, "integrity/*.eml") {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		want := StateTrusted
		if !strings.Contains(name, "-") && !strings.Contains(name, "authoritative") {
			want = StateHashed
		}
		r := verifyMessage(t, verifier(t), data)
		if r.State != want || (want == StateTrusted) != r.Trusted() || r.Integrity == nil {
			t.Errorf("%s: %v: %s", name, r.State, r.Reason)
		}
		if want == StateTrusted && (r.Certificate == nil || r.Reason != "" || len(r.Verdict.Chain) != 1) {
			t.Errorf("%s: %+v", name, r.Signature)
		}
	}
}

// Nothing can be changed in what is covered, not one byte.
func TestEveryByteCounts(t *testing.T) {
	for _, name := range []string{"sha256-rsa-rsa.eml", "sha256-ec-dsa-P-256.eml", "sha256.eml"} {
		data := load(t, "integrity", name)
		h, _ := message(t, data)
		free := 0 // fields that are not covered
		for i := 0; i < len(data); i++ {
			changed := bytes.Clone(data)
			changed[i] ^= 1
			r := func() (r Result) {
				hh, body, err := read(string(changed))
				if err != nil {
					return Result{Signature: broken(err)}
				}
				r, err = verifier(t).Message(t.Context(), hh, strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				return r
			}()
			if r.State <= StateBroken {
				continue
			}
			if covers(h, i) {
				t.Fatalf("%s: the byte %d (%q) can be changed: %v", name, i, data[max(0, i-30):i+1], r.State)
			}
			free++
		}
		if free == 0 {
			t.Errorf("%s: a field that nobody covers was not changed", name)
		}
	}
}

// covers tells whether a byte belongs to what is covered: bytes of these fields may change, at the end of base64 without another meaning.
func covers(h Header, at int) bool {
	for _, f := range h.Fields() {
		if at < len(f.Raw) {
			return slices.ContainsFunc(covered(), f.Is)
		}
		at -= len(f.Raw)
	}
	return true
}

// change applies a change to lines of the header.
func change(t testing.TB, data []byte, old, new string) []byte {
	t.Helper()
	if bytes.Count(data, []byte(old)) != 1 {
		t.Fatalf("%q is there %d times", old, bytes.Count(data, []byte(old)))
	}
	return bytes.Replace(data, []byte(old), []byte(new), 1)
}

func TestForged(t *testing.T) {
	signed, hashed := load(t, "integrity", "sha256-rsa-rsa.eml"), load(t, "integrity", "sha256.eml")
	_, body := message(t, signed)
	for name, c := range map[string]struct {
		data []byte
		want State
		why  string
	}{
		"a field on top": {append([]byte("Subject: You have won\r\n"), signed...), StateBroken, "signature"},
		"a field below the one that counts": { // 3.4, 3.1.21: all others are ignored
			change(t, signed, "MIME-Version: 1.0\r\n", "MIME-Version: 1.0\r\nSubject: You have won\r\n"), StateTrusted, ""},
		"another order": { // fields may be sorted on the way
			change(t, change(t, signed, "Reply-To: erika.mustermann@dmda-a.de-mail.de\r\n", ""), "MIME-Version", "Reply-To: erika.mustermann@dmda-a.de-mail.de\r\nMIME-Version"), StateTrusted, ""},
		"an option that was not there": {change(t, signed, "x-de-mail-private: no", "x-de-mail-private: yes"), StateBroken, "signature"},
		"a name in another case":       {change(t, signed, "x-de-mail-private: no", "X-de-mail-private: no"), StateBroken, "signature"},
		"folded anew":                  {change(t, signed, "Subject: =?", "Subject:\r\n =?"), StateBroken, "signature"},
		"a longer body":                {append(bytes.Clone(signed), "more\r\n"...), StateBroken, "body"},
		"blank lines at the end":       {append(bytes.Clone(signed), "\r\n\r\n\r\n"...), StateTrusted, ""}, // RFC 6376, 3.4.3
		"l does not shorten the body":  {change(t, change(t, signed, "; t=1700000000", "; l=5"), string(body), string(body[:5])), StateBroken, "body"},
		"a digest without a signature": {change(t, signed, "a=sha256/rsa", "a=sha256"), StateBroken, "b is neither"},
		"no certificate":               {without(t, signed, FieldCertificate), StateBroken, FieldCertificate},
		"another certificate":          {recertify(t, signed, "P-256"), StateBroken, "key does not"},
		"another certificate of the kind": {
			recertify(t, signed, "small"), StateBroken, "1024 bits"},
		"no integrity": {without(t, signed, FieldIntegrity), StateMissing, FieldIntegrity},
		"another q":    {change(t, signed, "q=x-header/x-de-mail-signature-certificate", "q=dns/txt"), StateBroken, "q is not"},
		"another c":    {change(t, signed, "c=simple/simple", "c=relaxed/simple"), StateBroken, "c is not"},
		"a digest with an option that wants a signature": {
			resealed(t, hashed, FieldAuthoritative, "yes"), StateBroken, "has to be signed"},
		"a digest with an option that is garbled": {
			resealed(t, hashed, FieldAuthoritative, "YES"), StateBroken, "has to be signed"},
		"a confirmation with a digest": {resealed(t, hashed, FieldMessageType, "confirmation of receipt"), StateBroken, "has to be signed"},
		"an identity with a digest":    {resealed(t, hashed, FieldMessageType, "identification"), StateBroken, "has to be signed"},
		"a digest made anew by somebody": { // that is why it proves nothing
			resealed(t, hashed, FieldSubject, "You have won"), StateHashed, ""},
	} {
		r := verifyMessage(t, verifier(t), c.data)
		if r.State != c.want || !strings.Contains(r.Reason, c.why) {
			t.Errorf("%s: %v: %s", name, r.State, r.Reason)
		}
	}
}

func without(t testing.TB, data []byte, name string) []byte {
	h, body := message(t, data)
	return join(h.Without(name), body)
}

func recertify(t testing.TB, data []byte, key string) []byte {
	h, body := message(t, data)
	return join(h.Without(FieldCertificate).With(foldBase64(FieldCertificate, " ", cert(t, key).Raw)), body)
}

// resealed is what anybody can make: a message with a digest.
func resealed(t testing.TB, data []byte, name, value string) []byte {
	h, body := message(t, data)
	h, err := Sealer{}.Seal(h.Without(name).With(field(t, name, value)), bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return join(h, body)
}

// A field that belongs into the digest and is left out of it could be changed by everybody.
func TestNotCovered(t *testing.T) {
	data := load(t, "integrity", "sha256.eml")
	for _, name := range covered() {
		h, body := message(t, data)
		if _, there := h.First(name); !there {
			t.Fatal(name)
		}
		f, _ := h.First(FieldIntegrity)
		i, err := ParseIntegrity(f.Value())
		if err != nil {
			t.Fatal(err)
		}
		i.Fields = slices.DeleteFunc(i.Fields, func(n string) bool { return strings.EqualFold(n, name) })
		made := field(t, FieldIntegrity, i.header())
		sum, err := headerHash(h, i, made)
		if err != nil {
			t.Fatal(err)
		}
		made.Raw = append(bytes.TrimSuffix(made.Raw, []byte("\r\n")), foldBase64("", "", sum).Raw...)
		if r := verifyMessage(t, verifier(t), join(h.Without(FieldIntegrity).With(made), body)); r.State != StateBroken || r.Reason != name+" is not covered" {
			t.Errorf("%s: %v: %s", name, r.State, r.Reason)
		}
	}
}

func TestTrust(t *testing.T) {
	data := load(t, "integrity", "sha256-ec-dsa-P-256.eml")
	var claims []Claim
	at := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	v := Verifier{Trust: anchor{ca: cert(t, "ca"), claims: &claims}, Now: func() time.Time { return at }}
	if r := verifyMessage(t, v, data); !r.Trusted() || len(claims) != 1 {
		t.Fatal(r, claims)
	}
	if c := claims[0]; !c.Certificate.Equal(cert(t, "P-256")) || !c.At.Equal(at) || c.Provider.String() != "erika.mustermann@dmda-a.de-mail.de" {
		t.Errorf("%+v", c)
	}
	for name, c := range map[string]struct {
		trust Trust
		at    time.Time
		want  State
		why   string
	}{
		"nobody to ask":     {nil, at, StateUntrusted, "no authority is configured"},
		"unknown issuer":    {anchor{ca: cert(t, "rsa")}, at, StateUntrusted, "nobody knows"},
		"not yet":           {anchor{ca: cert(t, "ca")}, at.AddDate(-10, 0, 0), StateUntrusted, "not valid"},
		"undecided":         {verdict{Standing: StandingUndecided, Reason: "the list is away"}, at, StateUndecided, "the list is away"},
		"an empty verdict":  {verdict{}, at, StateUntrusted, "not trusted"},
		"a strange verdict": {verdict{Standing: 9}, at, StateUntrusted, ""},
	} {
		r := verifyMessage(t, Verifier{Trust: c.trust, Now: func() time.Time { return c.at }}, data)
		if r.State != c.want || !strings.Contains(r.Reason, c.why) || r.Trusted() || r.Certificate == nil {
			t.Errorf("%s: %v: %s", name, r.State, r.Reason)
		}
	}
	// What does not fit is nobody's, whoever would be believed.
	broken := change(t, data, "x-de-mail-private: no", "x-de-mail-private: yes")
	if r := verifyMessage(t, Verifier{Trust: verdict{Standing: StandingTrusted}}, broken); r.State != StateBroken || r.Certificate != nil {
		t.Error(r)
	}
	if (Signature{}).Trusted() || (&Verdict{}).Standing != StandingUntrusted {
		t.Error("what is empty is trusted")
	}
	for s, want := range []string{"missing", "broken", "hashed", "untrusted", "undecided", "trusted", "trusted"} {
		if State(s).String() != want {
			t.Error(s, State(s))
		}
	}
}

func TestVerifyReadsAll(t *testing.T) {
	h, body := message(t, load(t, "integrity", "sha256.eml"))
	for _, h := range []Header{h, h.Without(FieldIntegrity), h.Without(FieldIntegrity).With(field(t, FieldIntegrity, "x")), h.Without(FieldSubject)} {
		var stored bytes.Buffer
		if _, err := verifier(t).Message(t.Context(), h, io.TeeReader(bytes.NewReader(body), &stored)); err != nil || !bytes.Equal(stored.Bytes(), body) {
			t.Errorf("%d bytes were read of %d: %v", stored.Len(), len(body), err)
		}
		if _, err := verifier(t).Message(t.Context(), h, iotest.ErrReader(io.ErrUnexpectedEOF)); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Error(err)
		}
	}
}

func TestVerifyReadError(t *testing.T) {
	h, _ := message(t, load(t, "integrity", "sha256.eml"))
	if _, err := verifier(t).Message(t.Context(), h, iotest.ErrReader(io.ErrUnexpectedEOF)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
	if _, err := (Sealer{}).Seal(h, iotest.ErrReader(io.ErrUnexpectedEOF)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
}

// What a provider adds to the digest is covered too; what it need not cover can be changed, and Covers says so.
func TestCoversMore(t *testing.T) {
	data := load(t, "integrity", "sha256.eml")
	retyped := change(t, data, "Content-Type: text/plain", "Content-Type: text/html")
	if r := verifyMessage(t, verifier(t), retyped); r.State != StateHashed || r.Integrity.Covers("Content-Type") || !r.Integrity.Covers("subject") {
		t.Error(r.State, r.Reason)
	}
	h, body := message(t, data)
	f, _ := h.First(FieldIntegrity)
	i, err := ParseIntegrity(f.Value())
	if err != nil {
		t.Fatal(err)
	}
	i.Fields = append(i.Fields, "content-type")
	made := field(t, FieldIntegrity, i.header())
	sum, err := headerHash(h, i, made)
	if err != nil {
		t.Fatal(err)
	}
	made.Raw = append(bytes.TrimSuffix(made.Raw, []byte("\r\n")), foldBase64("", "", sum).Raw...)
	more := join(h.Without(FieldIntegrity).With(made), body)
	if r := verifyMessage(t, verifier(t), more); r.State != StateHashed || !r.Integrity.Covers("Content-Type") {
		t.Error(r.State, r.Reason)
	}
	if r := verifyMessage(t, verifier(t), change(t, more, "Content-Type: text/plain", "Content-Type: text/html")); r.State != StateBroken {
		t.Error(r.State)
	}
}

func TestParseIntegrity(t *testing.T) {
	const bh, b = "bh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=", "b=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
	const q = "q=" + query
	for in, want := range map[string]Integrity{
		"a=sha256;h=from;" + bh + ";" + b:                                 {Hash: crypto.SHA256},
		" a=sha256 ; h= From :\r\n\tDate; d=x; s=y; " + bh + ";" + b:      {Hash: crypto.SHA256},
		"a=sha256/rsa;h=from;" + q + ";" + bh + ";b=AAAA;":                {Hash: crypto.SHA256, Algorithm: RSA},
		"a=sha256/ec-dsa;h=from;" + q + ";" + bh + ";b=AA AA":             {Hash: crypto.SHA256, Algorithm: ECDSA},
		"a=sha256/rsassa-pss;h=from;c=simple;" + q + ";" + bh + ";b=AA==": {Hash: crypto.SHA256, Algorithm: PSS},
		"v=1;a=sha256;c=simple/simple;h=from;l=5;x=1;" + bh + ";" + b:     {Hash: crypto.SHA256},
	} {
		i, err := ParseIntegrity(in)
		if err != nil || i.Hash != want.Hash || i.Algorithm != want.Algorithm || !i.Covers("FROM") {
			t.Errorf("%s: %+v, %v", in, i, err)
		}
	}
	for _, in := range []string{
		"", ";", "a", "a=sha256", "a=sha256;h=from;" + bh, "a=sha256;" + bh + ";" + b, "h=from;" + bh + ";" + b,
		"a=sha1;h=from;" + bh + ";" + b, "a=md5/rsa;h=from;" + q + ";" + bh + ";" + b, "a=SHA256;h=from;" + bh + ";" + b,
		"a=sha256/;h=from;" + bh + ";" + b, "a=sha256/dsa;h=from;" + q + ";" + bh + ";" + b, "a=rsa-sha256;h=from;" + q + ";" + bh + ";" + b,
		"a=sha256/rsa;h=from;" + bh + ";" + b, "a=sha256;h=from;h=date;" + bh + ";" + b, "a=sha256;h=from:From;" + bh + ";" + b,
		"a=sha256;h=from:;" + bh + ";" + b, "a=sha256;h=fr om;" + bh + ";" + b, "a=sha256;h=x-de-mail-integrity;" + bh + ";" + b,
		"a=sha256;h=from;bh=AAAA;" + b, "a=sha256;h=from;" + bh + ";b=AAAA", "a=sha512;h=from;" + bh + ";" + b, "a=sha256;h=from;" + bh + ";b=!",
		"v=2;a=sha256;h=from;" + bh + ";" + b, "a=sha256;c=simple/relaxed;h=from;" + bh + ";" + b, "a=sha256;-=1;h=from;" + bh + ";" + b,
		"a=sha256;h=from;" + bh + ";" + b + strings.Repeat("=", 9000),
	} {
		i, err := ParseIntegrity(in)
		if !errors.Is(err, ErrField) || !strings.Contains(err.Error(), FieldIntegrity) {
			t.Errorf("%.80s: %+v, %v", in, i, err)
		}
	}
}

func TestBodyHash(t *testing.T) {
	// RFC 6376, erratum 1376: the digest of an empty body, which counts as one line end.
	for _, body := range []string{"", "\r\n", "\r\n\r\n", strings.Repeat("\r\n", 1000)} {
		sum, err := BodyHash(iotest.HalfReader(strings.NewReader(body)), crypto.SHA256)
		if want, _ := parseBase64("frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY="); err != nil || !bytes.Equal(sum, want) {
			t.Errorf("%d bytes: %x, %v", len(body), sum, err)
		}
	}
	for in, want := range map[string]string{
		"a": "a\r\n", "a\r\n": "a\r\n", "a\r\n\r\n": "a\r\n", "\r\na": "\r\na\r\n", "a\r\n \r\n": "a\r\n \r\n", "a\r": "a\r\r\n", "a\n": "a\n\r\n", "\r": "\r\r\n",
		"a\r\n\r": "a\r\n\r\r\n", "a\r\r\n\r\nb\r\n\n": "a\r\r\n\r\nb\r\n\n\r\n",
	} {
		sum, err := BodyHash(iotest.OneByteReader(strings.NewReader(in)), crypto.SHA512)
		if err != nil || !bytes.Equal(sum, digestBytes(crypto.SHA512, []byte(want))) {
			t.Errorf("%q: %v", in, err)
		}
		all, err := BodyDigests(strings.NewReader(in))
		if err != nil || len(all) != 3 || !bytes.Equal(all[crypto.SHA512], sum) {
			t.Errorf("%q: %v, %v", in, all, err)
		}
	}
}

// What we seal, dkimpy and OpenSSL check, and so do we.
func TestSealChecked(t *testing.T) {
	peer(t, "dkimverify")
	peer(t, "openssl")
	h, body := message(t, load(t, "normal.eml"))
	sealers := map[string]Sealer{"digest": {}, "digest 384": {Hash: crypto.SHA384}, "rsa": sealer(t, "rsa", RSA), "pss": sealer(t, "rsa", PSS)}
	for _, c := range []string{"P-256", "P-384", "P-521"} {
		sealers[c] = sealer(t, c, ECDSA)
	}
	for name, s := range sealers {
		for _, hash := range []crypto.Hash{s.Hash, crypto.SHA512} {
			s.Hash = hash
			sealed, err := s.Seal(h, bytes.NewReader(body))
			if err != nil {
				t.Fatal(name, err)
			}
			data := join(sealed, body)
			want, says := StateTrusted, "signed\n"
			if s.Key == nil {
				want, says = StateHashed, "hashed\n"
			}
			if r := verifyMessage(t, verifier(t), data); r.State != want {
				t.Errorf("%s: %v: %s", name, r.State, r.Reason)
			}
			cmd := exec.Command("/usr/bin/python3", "testdata/demail.py", "check") // the system's, which has Debian's modules
			cmd.Stdin = bytes.NewReader(data)
			if out, err := cmd.CombinedOutput(); err != nil || string(out) != says {
				t.Errorf("%s: %v\n%s", name, err, out)
			}
		}
	}
}

func TestSealRefuses(t *testing.T) {
	h, body := message(t, load(t, "normal.eml"))
	rsaKey, rsaCert := pair(t, "rsa")
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]Sealer{
		"no certificate":    {Key: rsaKey, Algorithm: RSA},
		"no key":            {Certificate: rsaCert, Algorithm: RSA},
		"no algorithm":      {Key: rsaKey, Certificate: rsaCert},
		"another hash":      {Hash: crypto.SHA1},
		"another algorithm": {Key: rsaKey, Certificate: rsaCert, Algorithm: ECDSA},
		"another key":       {Key: other, Certificate: rsaCert, Algorithm: PSS},
		"unknown algorithm": {Key: rsaKey, Certificate: rsaCert, Algorithm: "dsa"},
	} {
		if _, err := s.Seal(h, bytes.NewReader(body)); !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Sealed again, it has one seal.
	once, err := sealer(t, "rsa", RSA).Seal(h, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	again, err := Sealer{}.Seal(once, bytes.NewReader(body))
	if err != nil || len(again.Fields()) != len(once.Fields())-1 {
		t.Error(err)
	}
}

// A message of 45 MiB is verified as it comes: the memory does not grow with it.
func TestVerifyStreams(t *testing.T) {
	h, _ := message(t, load(t, "normal.eml"))
	body := func() io.Reader {
		return io.LimitReader(repeat("All work and no play makes Jack a dull boy.\r\n"), MaxGross)
	}
	sealed, err := Sealer{}.Seal(h, body())
	if err != nil {
		t.Fatal(err)
	}
	got := testing.AllocsPerRun(1, func() {
		if r, err := verifier(t).Message(t.Context(), sealed, body()); err != nil || r.State != StateHashed {
			t.Error(r, err)
		}
	})
	if got > 1000 {
		t.Errorf("%v allocations", got)
	}
}

type repeat string

// Read gives the text over and over.
func (r repeat) Read(p []byte) (int, error) {
	n := 0
	for n+len(r) <= len(p) {
		n += copy(p[n:], r)
	}
	return n, nil
}
