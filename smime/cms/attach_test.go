package cms

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"testing"
)

// attach puts content into a detached signature.
func attach(t testing.TB, signature, content []byte) []byte {
	t.Helper()
	a, err := Attach(signature, int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w, err := a.Writer(&out)
	if err != nil {
		t.Fatal(err)
	}
	for part := range bytes.Lines(content) {
		if n, err := w.Write(part); err != nil || n != len(part) {
			t.Fatal(n, err)
		}
	}
	for range 2 {
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if int64(out.Len()) != a.Size() {
		t.Errorf("Size is %d, the message has %d bytes", a.Size(), out.Len())
	}
	return out.Bytes()
}

// What is attached is a SignedData that holds its content, for openssl as for us, and DER for every key.
func TestAttachAgainstOpenSSL(t *testing.T) {
	for name, o := range signCases(t) {
		for _, content := range [][]byte{nil, text(100), text(70000)} {
			t.Run(fmt.Sprint(name, len(content)), func(t *testing.T) {
				ca := temp(t, openssl(t, signerOf(o).Raw, "x509", "-inform", "DER"))
				der := attach(t, signDetached(t, o, content), content)
				got, s, err := verifyOpaque(der)
				if err != nil || len(s.Signers) != 1 || s.Signers[0].Err != nil || !bytes.Equal(got, content) {
					t.Fatalf("%+v, %v", s, err)
				}
				got = openssl(t, der, "cms", "-verify", "-binary", "-inform", "DER", "-CAfile", ca, "-purpose", "any")
				if !bytes.Equal(got, content) {
					t.Error("openssl reads other content")
				}
			})
		}
	}
}

func signerOf(o SignOptions) *x509.Certificate { return o.Signers[0].Certificate }

func TestAttachMisuse(t *testing.T) {
	o := get(t, "p256").signer()
	signature := signDetached(t, o, text(100))
	for name, der := range map[string][]byte{
		"nothing": nil, "garbage": []byte("0123"), "cut": signature[:len(signature)-1], "more": append(bytes.Clone(signature), 0),
		"with content": attach(t, signature, text(100)),
	} {
		if _, err := Attach(der, 1); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	a, err := Attach(signature, 100)
	if err != nil {
		t.Fatal(err)
	}
	w, _ := a.Writer(io.Discard)
	if _, err := w.Write(text(101)); !errors.Is(err, errSize) {
		t.Errorf("too much content: %v", err)
	}
	if err := w.Close(); !errors.Is(err, errSize) {
		t.Errorf("too little content: %v", err)
	}
	if _, err := w.Write(nil); !errors.Is(err, errFinished) {
		t.Errorf("after Close: %v", err)
	}
	for room := range 3 { // head, content, tail
		out := &shortWriter{room: room}
		w, err := a.Writer(out)
		if err == nil {
			_, err = w.Write(text(100))
		}
		if err == nil {
			err = w.Close()
		}
		if !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("room for %d writes: %v", room, err)
		}
	}
}
