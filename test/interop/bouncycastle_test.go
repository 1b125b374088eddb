package interop

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// bouncyCastle is a virtual machine that runs testdata/Peer.java and answers one request a line.
type bouncyCastle struct {
	desk
	release string
	cmd     *exec.Cmd

	mu      sync.Mutex
	in      io.WriteCloser
	answers *bufio.Scanner
}

// jars are where Debian has them.
func jars() string {
	var all []string
	for _, name := range []string{"bcmail", "bcpkix", "bcprov", "bcutil"} {
		all = append(all, filepath.Join("/usr/share/java", name+".jar"))
	}
	return strings.Join(all, ":")
}

// theMachine is started once for all tests.
var theMachine = sync.OnceValues(func() (*bouncyCastle, error) {
	w, err := theWorld()
	if err != nil {
		return nil, err
	}
	classes := filepath.Join(w.dir, "classes")
	if _, err := run(nil, "javac", "-J-XX:TieredStopAtLevel=1", "-nowarn", "-d", classes, "-cp", jars(), filepath.Join("testdata", "Peer.java")); err != nil {
		return nil, err
	}
	b := &bouncyCastle{desk: desk{w}, cmd: exec.Command("java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", classes+":"+jars(), "Peer")}
	if b.in, err = b.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := b.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	b.answers = bufio.NewScanner(out)
	if err := b.cmd.Start(); err != nil {
		return nil, err
	}
	atEnd(b.end)
	info, err := b.answer()
	b.release = info[strings.LastIndex(info, "v")+1:]
	return b, err
})

func newBouncyCastle(t testing.TB, _ *world) peer {
	t.Helper()
	b, err := theMachine()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// end ends the virtual machine.
func (b *bouncyCastle) end() {
	b.in.Close()
	b.cmd.Wait()
}

// answer reads one line.
func (b *bouncyCastle) answer() (string, error) {
	if !b.answers.Scan() {
		return "", errors.Join(errors.New("the virtual machine has ended"), b.answers.Err())
	}
	status, text, _ := strings.Cut(b.answers.Text(), " ")
	if status != "ok" {
		return "", errors.New(text)
	}
	return text, nil
}

func (b *bouncyCastle) ask(operation string, words ...string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, err := fmt.Fprintln(b.in, operation, strings.Join(words, " ")); err != nil {
		return err
	}
	_, err := b.answer()
	return err
}

func (*bouncyCastle) name() string      { return "BouncyCastle" }
func (b *bouncyCastle) version() string { return b.release }

// javaSigner is what Java calls a signature algorithm.
func javaSigner(c signCase, s signScheme) string {
	hash := strings.ReplaceAll(hashNames[c.hash], "-", "")
	switch {
	case s.person == "ed25519":
		return "Ed25519"
	case s.pss:
		return hash + "withRSAandMGF1"
	case strings.HasPrefix(s.person, "rsa"):
		return hash + "withRSA"
	}
	return hash + "withECDSA"
}

func (b *bouncyCastle) sign(c signCase, content []byte) ([]byte, error) {
	return b.files(content, func(dir string) error {
		var certs, keys, schemes []string
		for i, p := range b.w.signers(c) {
			certs, keys, schemes = append(certs, p.file("crt.der")), append(keys, p.file("key.der")), append(schemes, javaSigner(c, c.schemes[i]))
		}
		form := map[string]string{detached: "detached", opaque: "opaque", streamed: "stream"}[c.form]
		words := []string{"in=" + dir + "/in", "out=" + dir + "/out", "cert=" + strings.Join(certs, ","), "key=" + strings.Join(keys, ","),
			"scheme=" + strings.Join(schemes, ","), fmt.Sprint("ski=", c.ski), "form=" + form}
		if c.bare {
			words = append(words, "bare=true")
		}
		return b.ask("sign", words...)
	})
}

func (b *bouncyCastle) verify(c signCase, message, content []byte) error {
	return b.signedFiles(c, message, content, func(dir string) error {
		words := []string{"in=" + dir + "/in", "ca=" + b.w.root.file("crt.der"), "out=" + dir + "/out"}
		if c.form == detached {
			words = append(words[:2], "content="+dir+"/content")
		}
		return b.ask("verify", words...)
	})
}

func (b *bouncyCastle) encrypt(c sealCase, content []byte) ([]byte, error) {
	return b.files(content, func(dir string) error {
		var certs, ways []string
		for i, p := range b.w.recipients(c) {
			t := c.transports[i]
			way := "rsa"
			switch {
			case t.oaep:
				way = "oaep/" + hashNames[t.hash] + "/" + hashNames[t.mgf]
				if t.label != "" {
					way += "/" + t.label
				}
			case t.person == "x25519":
				way = "x25519/" + hashNames[t.hash]
			case t.cofac:
				way = "ecdhc/" + hashNames[t.hash]
			case t.hash != 0:
				way = "ecdh/" + hashNames[t.hash]
			}
			certs, ways = append(certs, p.file("crt.der")), append(ways, way)
		}
		form := map[string]string{opaque: "der", streamed: "stream"}[c.form]
		return b.ask("encrypt", "in="+dir+"/in", "out="+dir+"/out", "cert="+strings.Join(certs, ","), "transport="+strings.Join(ways, ","), "algorithm="+c.algorithm, "form="+form, fmt.Sprint("ski=", c.ski))
	})
}

func (b *bouncyCastle) decrypt(c sealCase, p person, message, content []byte) error {
	return b.openedFiles(message, content, func(dir string) error {
		return b.ask("decrypt", "in="+dir+"/in", "out="+dir+"/out", "cert="+p.file("crt.der"), "key="+p.file("key.der"))
	})
}

// compress returns a CompressedData (RFC 3274).
func (b *bouncyCastle) compress(content []byte) ([]byte, error) {
	return b.files(content, func(dir string) error { return b.ask("compress", "in="+dir+"/in", "out="+dir+"/out") })
}
