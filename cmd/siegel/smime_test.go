package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// correspondents has OpenSSL make an authority and certificates of every kind below it, into one folder:
//
//	ca.pem, ca.key, crl.pem    the authority, and its list of revoked certificates
//	NAME.pem, NAME.key, NAME.p12 (password geheim)    alice and bob (RSA), ec, bp, x25519, pss, eve (revoked), old (expired)
//	m.eml    a message from alice@firma.example to bob
func correspondents(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	put := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	openssl := func(args ...string) {
		t.Helper()
		cmd := exec.Command("openssl", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	put("ca.cnf", "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\npolicy=p\nunique_subject=no\n[p]\ncommonName=supplied\n")
	put("index.txt", "")
	put("serial", "1000\n")
	openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=CA", "-days", "3650")
	openssl("genpkey", "-algorithm", "ED25519", "-out", "any.key") // X25519 cannot sign a request of its own
	for _, c := range []struct {
		name, address, usage string
		key                  []string
	}{
		{"alice", "alice@firma.example", "digitalSignature,keyEncipherment", []string{"RSA"}},
		{"bob", "bob@x.example", "digitalSignature,keyEncipherment", []string{"RSA"}},
		{"ec", "alice@firma.example", "digitalSignature,keyAgreement", []string{"EC", "-pkeyopt", "ec_paramgen_curve:P-384"}},
		{"bp", "alice@firma.example", "digitalSignature,keyAgreement", []string{"EC", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1"}},
		{"x25519", "alice@firma.example", "keyAgreement", []string{"X25519"}},
		{"pss", "alice@firma.example", "digitalSignature", []string{"RSA-PSS"}},
		{"eve", "alice@firma.example", "digitalSignature", []string{"EC", "-pkeyopt", "ec_paramgen_curve:P-256"}},
	} {
		put("ext", "keyUsage="+c.usage+"\nextendedKeyUsage=emailProtection\nsubjectAltName=email:"+c.address+"\n")
		openssl(append([]string{"genpkey", "-out", c.name + ".key", "-algorithm"}, c.key...)...)
		openssl("pkey", "-in", c.name+".key", "-pubout", "-out", "pub")
		openssl("req", "-new", "-key", "any.key", "-subj", "/CN="+c.name, "-out", "csr")
		openssl("x509", "-req", "-in", "csr", "-force_pubkey", "pub", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "365", "-extfile", "ext", "-out", c.name+".pem")
		openssl("pkcs12", "-export", "-in", c.name+".pem", "-inkey", c.name+".key", "-out", c.name+".p12", "-passout", "pass:geheim")
	}
	openssl("ca", "-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key", "-revoke", "eve.pem", "-crl_reason", "keyCompromise")
	openssl("ca", "-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key", "-gencrl", "-crldays", "30", "-out", "crl.pem")
	put("m.eml", "From: Alice <alice@firma.example>\nTo: bob@x.example\nSubject: Angebot\nDate: "+time.Now().Format(time.RFC1123Z)+"\nContent-Type: text/plain\n\nThe offer is enclosed.\n")
	return dir
}

// TestSMIMECommands runs the scripts of siegel smime, with OpenSSL at the other end.
func TestSMIMECommands(t *testing.T) {
	world := correspondents(t)
	now := time.Now().UTC()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/smime", RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("LATER", now.AddDate(2, 0, 0).Format(time.RFC3339))
			e.Setenv("BEFORE", now.AddDate(-1, 0, 0).Format(time.RFC3339))
			return os.CopyFS(e.WorkDir, os.DirFS(world))
		},
	})
}

// command is siegel as a process of its own.
func command(dir string, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Args[0] = "siegel" // see TestMain
	cmd.Dir = dir
	return cmd
}

// measured is a program that runs siegel with the arguments after the first, and writes into the file of that name how
// much memory it had resident at most, in KiB. Linux counts what a parent had when it forked as memory of the child, and
// the tests have much: so this one, which has done nothing else, is between.
func measured() {
	cmd := command(".", os.Args[2:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	used, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		fmt.Fprintln(os.Stderr, "this system does not tell what a process took")
		os.Exit(1)
	}
	if err := os.WriteFile(os.Args[1], []byte(strconv.FormatInt(used.Maxrss, 10)), 0o600); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// The documentation's commands do what it says, in the order in which they stand there.
func TestSMIMEDocumentation(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "smime.md"))
	if err != nil {
		t.Fatal(err)
	}
	dir, bin := t.TempDir(), t.TempDir()
	if err := os.Symlink(must(os.Executable()), filepath.Join(bin, "siegel")); err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	inBlock := false
	for line := range strings.SplitSeq(string(text), "\n") {
		switch {
		case strings.HasPrefix(line, "```"):
			inBlock = line == "```sh"
		case inBlock:
			script.WriteString(line + "\n")
		}
	}
	cmd := exec.Command("sh", "-e")
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(script.String())
	cmd.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, script.String(), out)
	}
	if n := strings.Count(script.String(), "siegel smime"); n < 10 || bytes.Count(out, []byte("verdict: valid")) < 2 {
		t.Errorf("%d commands; they print\n%s", n, out)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(fmt.Sprint(err))
	}
	return v
}

// A message of any size takes little memory, whichever way.
func TestSMIMELarge(t *testing.T) {

	world := correspondents(t)
	f, err := os.OpenFile(filepath.Join(world, "m.eml"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	text := bytes.Repeat([]byte(strings.Repeat("0123456789abcde", 5)+"\n"), 10_000)
	for n := 0; n < largeMessage; n += len(text) {
		if _, err := f.Write(text); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	run := func(in, out string, args ...string) {
		t.Helper()
		cmd := command(world, append([]string{"peak", "smime"}, append(args, in)...)...)
		cmd.Args[0] = "measured"
		to, err := os.Create(filepath.Join(world, out))
		if err != nil {
			t.Fatal(err)
		}
		defer to.Close()
		var stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = to, &stderr
		if err := cmd.Run(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, &stderr)
		}
		peak, err := os.ReadFile(filepath.Join(world, "peak"))
		if err != nil {
			t.Fatal(err)
		}
		if kib, err := strconv.ParseInt(string(peak), 10, 64); err != nil || kib*1024 > mostMemory {
			t.Errorf("%v: %s KiB", args, peak)
		}
	}
	run("m.eml", "signed.eml", "sign", "--key", "alice.p12", "--password", "geheim")
	run("signed.eml", "verdict", "verify", "--ca", "ca.pem")
	run("m.eml", "protected.eml", "protect", "--key", "alice.p12", "--to", "bob.pem", "--password", "geheim")
	run("protected.eml", "verdict", "verify", "--ca", "ca.pem", "--key", "bob.p12", "--password", "geheim")
	run("protected.eml", "plain.eml", "decrypt", "--key", "bob.p12", "--password", "geheim")
	info, err := os.Stat(filepath.Join(world, "plain.eml"))
	if err != nil || info.Size() < largeMessage {
		t.Errorf("%v, %v", info, err)
	}
}

// A signal ends what waits for a message, and nothing stays behind.
func TestSMIMESignal(t *testing.T) {
	temp := t.TempDir()
	cmd := command(t.TempDir(), "smime", "verify")
	cmd.Env = append(os.Environ(), "TMPDIR="+temp)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write(make([]byte, 1<<20)); err != nil { // more than a pipe holds: it is being read
		t.Fatal(err)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) != 1 {
		t.Errorf("scratch while it works: %v, %v", left, err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != signalled+int(syscall.SIGINT) {
		t.Errorf("exit code %d, %v", code, err)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
