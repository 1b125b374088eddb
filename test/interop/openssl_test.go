package interop

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// openSSL is the openssl command.
type openSSL struct {
	desk
	release string
}

func newOpenSSL(t testing.TB, w *world) peer {
	t.Helper()
	out, err := run(nil, "openssl", "version")
	if err != nil {
		t.Fatal(err)
	}
	return openSSL{desk{w}, strings.Join(strings.Split(strings.Fields(string(out))[1], ".")[:2], ".")}
}

func (openSSL) name() string      { return "OpenSSL" }
func (o openSSL) version() string { return o.release }

// opensslName is what openssl calls a digest.
func opensslName(hash string) string { return strings.ToLower(strings.ReplaceAll(hash, "-", "")) }

func (o openSSL) sign(c signCase, content []byte) ([]byte, error) {
	return o.files(content, func(dir string) error {
		args := []string{"cms", "-sign", "-binary", "-in", filepath.Join(dir, "in"), "-out", filepath.Join(dir, "out"), "-outform", "DER", "-md", opensslName(hashNames[c.hash])}
		switch c.form {
		case opaque:
			args = append(args, "-nodetach")
		case streamed:
			args = append(args, "-nodetach", "-stream")
		}
		if c.ski {
			args = append(args, "-keyid")
		}
		if c.bare {
			args = append(args, "-noattr")
		}
		for i, p := range o.w.signers(c) {
			args = append(args, "-signer", p.file("crt"), "-inkey", p.file("key"))
			if c.schemes[i].pss {
				args = append(args, "-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_pss_saltlen:digest")
			}
		}
		_, err := run(nil, "openssl", args...)
		return err
	})
}

func (o openSSL) verify(c signCase, message, content []byte) error {
	return o.signedFiles(c, message, content, func(dir string) error {
		args := []string{"cms", "-verify", "-binary", "-inform", "DER", "-in", filepath.Join(dir, "in"), "-CAfile", o.w.root.file("crt"), "-out", filepath.Join(dir, "out")}
		if c.form == detached {
			args = append(args, "-content", filepath.Join(dir, "content"))
		}
		_, err := run(nil, "openssl", args...)
		return err
	})
}

func (o openSSL) encrypt(c sealCase, content []byte) ([]byte, error) {
	return o.files(content, func(dir string) error {
		args := []string{"cms", "-encrypt", "-binary", "-in", filepath.Join(dir, "in"), "-out", filepath.Join(dir, "out"), "-outform", "DER"}
		switch c.algorithm {
		case "des-ede3-cbc":
			args = append(args, "-des3")
		case "rc2-cbc":
			args = append(args, "-provider", "default", "-provider", "legacy", "-rc2")
		case "chacha20-poly1305":
			args = append(args, "-chacha20-poly1305")
		default:
			args = append(args, "-aes-"+c.algorithm[3:])
		}
		if c.form == streamed {
			args = append(args, "-stream")
		}
		if c.ski {
			args = append(args, "-keyid")
		}
		for i, p := range o.w.recipients(c) {
			args = append(args, "-recip", p.file("crt"))
			args = append(args, opensslTransport(c.transports[i])...)
		}
		_, err := run(nil, "openssl", args...)
		return err
	})
}

// opensslTransport are the options of one recipient.
func opensslTransport(t transport) []string {
	var options []string
	switch {
	case t.oaep:
		options = []string{"rsa_padding_mode:oaep", "rsa_oaep_md:" + opensslName(hashNames[t.hash]), "rsa_mgf1_md:" + opensslName(hashNames[t.mgf])}
		if t.label != "" {
			options = append(options, "rsa_oaep_label:"+hex.EncodeToString([]byte(t.label)))
		}
	case t.hash != 0 && t.person != "x25519":
		options = []string{"ecdh_kdf_md:" + opensslName(hashNames[t.hash])}
		if t.cofac {
			options = append(options, "ecdh_cofactor_mode:1")
		}
	}
	var args []string
	for _, s := range options {
		args = append(args, "-keyopt", s)
	}
	return args
}

func (o openSSL) decrypt(c sealCase, p person, message, content []byte) error {
	return o.openedFiles(message, content, func(dir string) error {
		args := []string{"cms", "-decrypt", "-binary", "-inform", "DER", "-in", filepath.Join(dir, "in"), "-out", filepath.Join(dir, "out"), "-recip", p.file("crt"), "-inkey", p.file("key")}
		if c.algorithm == "rc2-cbc" {
			args = append(args, "-provider", "default", "-provider", "legacy")
		}
		_, err := run(nil, "openssl", args...)
		if err != nil {
			os.Remove(filepath.Join(dir, "out"))
		}
		return err
	})
}
