package main

import (
	"bufio"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"go.mozilla.org/pkcs7"

	"github.com/siegel-mail/siegel/smime/cms"
)

// operation is one thing to do, from the files of a party to its file "out".
type operation struct {
	name    string
	makes   string // the file that this operation's output becomes, for those that read it
	ours    func(p *party) error
	openssl func(p *party) []string
	pkcs7   func(p *party) error // nil: it cannot
}

// operations are all of them; what makes a file stands before what reads it.
func operations() []operation {
	all := []operation{
		{"sign, detached", "signature", signDetached, opensslSign("-binary"), pkcs7Sign},
		{"verify, detached", "", verifyDetached, opensslVerify("signature", true), nil},
		{"sign, opaque", "opaque", signOpaque, opensslSign("-nodetach", "-binary"), nil},
		{"verify, opaque", "", verifyOpaque, opensslVerify("opaque", false), pkcs7Verify},
	}
	for _, mode := range []string{"cbc", "gcm"} {
		algorithm, file := cms.Algorithm("aes256-"+mode), "encrypted."+mode
		var seal, open func(p *party) error
		if mode == "cbc" {
			seal, open = pkcs7Encrypt, pkcs7Decrypt
		}
		all = append(all,
			operation{"encrypt, " + string(algorithm), file, func(p *party) error { return encrypt(p, algorithm) }, opensslEncrypt("-aes-256-" + mode), seal},
			operation{"decrypt, " + string(algorithm), "", func(p *party) error { return decrypt(p, file) }, opensslDecrypt(file), open})
	}
	return all
}

// doOne does one operation of ours.
func doOne(name, dir string) error {
	if name == "nothing" {
		return nil
	}
	p, err := loadParty(dir)
	if err != nil {
		return err
	}
	for _, o := range operations() {
		if o.name == name {
			return o.ours(p)
		}
	}
	return fmt.Errorf("no operation %q", name)
}

// through reads the file in and writes the file out.
func (p *party) through(in string, f func(r *os.File, w io.Writer) error) error {
	r, err := os.Open(p.file(in))
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := os.Create(p.file("out"))
	if err != nil {
		return err
	}
	b := bufio.NewWriterSize(w, 32<<10)
	return errors.Join(f(r, b), b.Flush(), w.Close())
}

func (p *party) signOptions() cms.SignOptions {
	return cms.SignOptions{Signers: []cms.Signer{{Certificate: p.cert, Key: p.key}}, Time: time.Now()}
}

// signMemory signs content and drops the signature.
func (p *party) signMemory(content []byte) error {
	s, err := cms.NewDetachedSigner(p.signOptions())
	if err != nil {
		return err
	}
	if _, err := s.Write(content); err != nil {
		return err
	}
	_, err = s.Finish()
	return err
}

func signDetached(p *party) error {
	return p.through("plain", func(r *os.File, w io.Writer) error {
		s, err := cms.NewDetachedSigner(p.signOptions())
		if err != nil {
			return err
		}
		if _, err := io.Copy(s, r); err != nil {
			return err
		}
		der, err := s.Finish()
		if err != nil {
			return err
		}
		_, err = w.Write(der)
		return err
	})
}

func verifyDetached(p *party) error {
	signature, err := os.ReadFile(p.file("signature"))
	if err != nil {
		return err
	}
	r, err := os.Open(p.file("plain"))
	if err != nil {
		return err
	}
	defer r.Close()
	signed, err := cms.VerifyDetached(signature, r, cms.Limits{})
	return good(signed, err)
}

func good(signed *cms.Signed, err error) error {
	if err != nil {
		return err
	}
	return signed.Signers[0].Err
}

func signOpaque(p *party) error {
	return p.through("plain", func(r *os.File, w io.Writer) error {
		stat, err := r.Stat()
		if err != nil {
			return err
		}
		s, err := cms.NewOpaqueSigner(w, stat.Size(), p.signOptions())
		if err != nil {
			return err
		}
		_, err = io.Copy(s, r)
		return errors.Join(err, s.Close())
	})
}

func verifyOpaque(p *party) error {
	return p.through("opaque", func(r *os.File, w io.Writer) error {
		v, err := cms.NewVerifier(r, cms.Limits{})
		if err != nil {
			return err
		}
		if _, err := io.Copy(w, v); err != nil {
			return err
		}
		signed, err := v.Signed()
		return good(signed, err)
	})
}

func encrypt(p *party, algorithm cms.Algorithm) error {
	return p.through("plain", func(r *os.File, w io.Writer) error {
		stat, err := r.Stat()
		if err != nil {
			return err
		}
		e, err := cms.NewEncrypter(w, cms.EncryptOptions{Recipients: []cms.Recipient{{Certificate: p.cert}}, Algorithm: algorithm, Size: stat.Size()})
		if err != nil {
			return err
		}
		_, err = io.Copy(e, r)
		return errors.Join(err, e.Close())
	})
}

func decrypt(p *party, file string) error {
	return p.through(file, func(r *os.File, w io.Writer) error {
		keys := func([]cms.RecipientID) []cms.Key { return []cms.Key{{Certificate: p.cert, Decrypter: p.key}} }
		d, err := cms.NewDecrypter(r, cms.DecryptOptions{Keys: keys})
		if err != nil {
			return err
		}
		_, err = io.Copy(w, d)
		return err
	})
}

func opensslSign(options ...string) func(*party) []string {
	return func(p *party) []string {
		return append([]string{"cms", "-sign", "-stream", "-in", p.file("plain"), "-signer", p.file("crt"), "-inkey", p.file("key"), "-outform", "DER", "-out", p.file("theirs")}, options...)
	}
}

func opensslVerify(file string, detached bool) func(*party) []string {
	return func(p *party) []string {
		args := []string{"cms", "-verify", "-binary", "-inform", "DER", "-in", p.file(file), "-CAfile", p.file("crt"), "-purpose", "any", "-out", p.file("theirs")}
		if detached {
			args = append(args, "-content", p.file("plain"))
		}
		return args
	}
}

func opensslEncrypt(cipher string) func(*party) []string {
	return func(p *party) []string {
		return []string{"cms", "-encrypt", "-binary", "-stream", cipher, "-in", p.file("plain"), "-outform", "DER", "-out", p.file("theirs"), "-recip", p.file("crt")}
	}
}

func opensslDecrypt(file string) func(*party) []string {
	return func(p *party) []string {
		return []string{"cms", "-decrypt", "-binary", "-inform", "DER", "-in", p.file(file), "-out", p.file("theirs"), "-recip", p.file("crt"), "-inkey", p.file("key")}
	}
}

func pkcs7Sign(p *party) error {
	content, err := os.ReadFile(p.file("plain"))
	if err != nil {
		return err
	}
	s, err := pkcs7.NewSignedData(content)
	if err != nil {
		return err
	}
	s.SetDigestAlgorithm(pkcs7.OIDDigestAlgorithmSHA256)
	if err := s.AddSigner(p.cert, p.key, pkcs7.SignerInfoConfig{}); err != nil {
		return err
	}
	s.Detach()
	_, err = s.Finish()
	return err
}

func pkcs7Verify(p *party) error {
	message, err := os.ReadFile(p.file("opaque"))
	if err != nil {
		return err
	}
	m, err := pkcs7.Parse(message)
	if err != nil {
		return err
	}
	return m.Verify()
}

func pkcs7Encrypt(p *party) error {
	content, err := os.ReadFile(p.file("plain"))
	if err != nil {
		return err
	}
	pkcs7.ContentEncryptionAlgorithm = pkcs7.EncryptionAlgorithmAES256CBC
	_, err = pkcs7.Encrypt(content, []*x509.Certificate{p.cert})
	return err
}

func pkcs7Decrypt(p *party) error {
	message, err := os.ReadFile(p.file("encrypted.cbc"))
	if err != nil {
		return err
	}
	m, err := pkcs7.Parse(message)
	if err != nil {
		return err
	}
	_, err = m.Decrypt(p.cert, p.key)
	return err
}
