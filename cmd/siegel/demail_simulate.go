package main

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/connectors/dmda"
	"github.com/siegel-mail/siegel/connectors/dmda/dmdaweb"
	"github.com/siegel-mail/siegel/connectors/dmda/rehearsal"
	"github.com/siegel-mail/siegel/connectors/webservice"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// demailSimulateCmd runs simulated providers.
type demailSimulateCmd struct {
	Dir      string   `required:"" type:"path" placeholder:"FOLDER" help:"Keys, certificates, passwords and a configuration snippet are put here. Keys that are there already are used again."`
	Listen   string   `default:"127.0.0.1:7443" placeholder:"HOST:PORT" help:"Where the first provider listens; the second one port higher. Port 0: any two that are free."`
	Anywhere bool     `help:"Let --listen be an address that other machines reach. Whoever has the keys of the folder can log in."`
	Profile  []string `default:"t-systems,mentana" placeholder:"PROFILE" help:"What the web services are like: t-systems, mentana, or the file of a profile. May be given several times."`
	Client   []string `name:"client-certificate" type:"existingfile" placeholder:"FILE" help:"A certificate in PEM, such as the one on the gateway's card, that opens the account firma too, whoever issued it. May be given several times."`
	TLS      []string `name:"tls" enum:"mutual,tls1.2,p-521,de-mail-legacy" placeholder:"WHAT" help:"What connections must be like: mutual (no handshake without a client certificate), tls1.2, p-521, or de-mail-legacy (the provider of firma speaks TLS 1.2 with ECDHE-RSA-AES256-SHA384 and P-521 alone, by nginx). May be given several times."`
	Fault    []string `placeholder:"FAULT" help:"Something that goes wrong, such as lost@submit*1, slow=5s or malware-recipient; siegel demail rehearse fault lists all. May be given several times."`
}

// Run keeps the providers up until the command is interrupted.
func (c *demailSimulateCmd) Run(w io.Writer) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	return c.simulate(ctx, w)
}

// simulate is Run until ctx ends.
func (c *demailSimulateCmd) simulate(ctx context.Context, out io.Writer) error {
	if err := c.loopback(); err != nil {
		return err
	}
	w := &simulationLog{out: out}
	w.say("%s", dmda.Simulation)
	o := rehearsal.Options{Listen: c.Listen, Log: w.event}
	files, err := c.prepare(&o)
	if err != nil {
		return err
	}
	faults, err := parseFaults(c.Fault)
	if err != nil {
		return err
	}
	spool, err := os.MkdirTemp("", "siegel-simulated-spool-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(spool)
	if o.Spool, err = atrest.NewSpool(spool, atrest.NewKey(), 0); err != nil {
		return err
	}
	world, err := rehearsal.Start(o)
	if err != nil {
		return err
	}
	defer world.Close()
	world.SetFaults("", faults...)
	if err := world.Place(files).Write(c.Dir); err != nil {
		return err
	}
	snippet := filepath.Join(c.Dir, snippetFile)
	if err := os.WriteFile(snippet, demailSnippet(c.Dir, world, files, o.TLS), 0o600); err != nil {
		return err
	}
	if err := w.describe(world, o.Profiles, c.Dir, snippet); err != nil {
		return err
	}
	<-ctx.Done()
	w.say("The simulated providers have ended; what lay in their mailboxes is gone.")
	return nil
}

// loopback refuses an address that others reach, unless that is meant.
func (c *demailSimulateCmd) loopback() error {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return usageError("--listen is HOST:PORT, such as 127.0.0.1:7443")
	}
	ip := net.ParseIP(host)
	switch {
	case host == "localhost", ip != nil && ip.IsLoopback():
		return nil
	case !c.Anywhere:
		return usageError("--listen is no address of this machine alone; simulated providers listen at others only with --anywhere")
	case host == "" || ip != nil && ip.IsUnspecified():
		return usageError("--listen needs the address that the gateway reaches, not one that stands for all: the certificate is made for it")
	}
	return nil
}

// prepare reads keys and profiles, and copies the profiles into the folder.
func (c *demailSimulateCmd) prepare(o *rehearsal.Options) (files []string, err error) {
	if o.Keys, err = rehearsal.LoadKeys(c.Dir, time.Now()); err != nil {
		return nil, err
	}
	for _, name := range c.Profile {
		file := configs.ProfileFile(name)
		p, err := file.Load()
		if err != nil {
			return nil, err
		}
		text, err := file.Text()
		if err != nil {
			return nil, err
		}
		copied := p.Name + ".yaml"
		if err := os.WriteFile(filepath.Join(c.Dir, copied), text, 0o600); err != nil {
			return nil, err
		}
		o.Profiles, files = append(o.Profiles, p), append(files, copied)
	}
	for _, name := range c.Client {
		certificate, err := readClientCertificate(name)
		if err != nil {
			return nil, err
		}
		if o.Clients == nil {
			o.Clients = map[string][]*x509.Certificate{}
		}
		company := rehearsal.Companies()[0].Name
		o.Clients[company] = append(o.Clients[company], certificate)
	}
	return files, c.restrict(o)
}

// readClientCertificate reads the first certificate of a file.
func readClientCertificate(name string) (*x509.Certificate, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			return x509.ParseCertificate(block.Bytes)
		}
	}
	return nil, fmt.Errorf("%s holds no certificate in PEM; siegel smartcard export-cert writes that of a card", name)
}

// restrict is what connections must be like.
func (c *demailSimulateCmd) restrict(o *rehearsal.Options) (err error) {
	for _, what := range c.TLS {
		switch what {
		case "mutual":
			o.TLS.Mutual = true
		case "tls1.2":
			o.TLS.Only12 = true
		case "p-521":
			o.TLS.P521 = true
		case "de-mail-legacy":
			if o.TLS.Nginx, err = findNginx(); err != nil {
				return err
			}
		}
	}
	return nil
}

// findNginx looks where Debian has it, too.
func findNginx() (string, error) {
	if path, err := exec.LookPath("nginx"); err == nil {
		return path, nil
	}
	if _, err := os.Stat("/usr/sbin/nginx"); err == nil {
		return "/usr/sbin/nginx", nil
	}
	return "", errors.New("--tls de-mail-legacy needs nginx, since Go's TLS has not that cipher suite; install nginx-light")
}

func parseFaults(specs []string) ([]dmdaweb.Fault, error) {
	var out []dmdaweb.Fault
	for _, s := range specs {
		f, err := dmdaweb.ParseFault(s)
		if err != nil {
			return nil, usageError(err.Error())
		}
		out = append(out, f)
	}
	return out, nil
}

// simulationLog writes whole lines, from many goroutines.
type simulationLog struct {
	mu  sync.Mutex
	out io.Writer
}

func (l *simulationLog) say(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.out, format+"\n", args...)
}

// describe says where everything is.
func (l *simulationLog) describe(world *rehearsal.World, profiles []*webservice.Profile, dir, snippet string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintln(l.out, "\nNo provider takes part. Web services:")
	for _, p := range profiles {
		fmt.Fprintf(l.out, "  %s: %s\n", p.Name, p.Form())
	}
	fmt.Fprintln(l.out)
	table := tabwriter.NewWriter(l.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "PROVIDER\tURL\tACCOUNT\tADDRESSES\tCLIENT CERTIFICATE\tPASSWORD")
	for i, c := range rehearsal.Companies() {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s, *@%s\t%s\t%s\n", world.Providers[i].Domain, world.Providers[i].URL, c.Name, c.Address, c.Domain,
			rehearsal.CertificateFile(c.Name), rehearsal.PasswordFile(c.Name))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(l.out, "\nKeys and certificates are in %s.\nFor the gateway's configuration, as %s: %s\n", dir, rehearsal.Companies()[0].Name, snippet)
	fmt.Fprintf(l.out, "As the other side: siegel demail rehearse send --dir %[1]s, siegel demail rehearse list --dir %[1]s\n\nCtrl-C ends. Requests that come:\n", dir)
	return nil
}

// event writes a line for a request.
func (l *simulationLog) event(provider string, e dmdaweb.Event) {
	what := string(e.Operation)
	if what == "" {
		what = "no request of a profile"
	}
	text := fmt.Sprintf("%s SIMULATED %s %s", time.Now().Format(time.TimeOnly), provider, what)
	if !e.Account.IsZero() {
		text += " by " + e.Account.String()
	}
	if e.ID != "" {
		text += " " + safetext.Line(e.ID, 100)
	}
	if e.Operation == webservice.OpList {
		text += fmt.Sprintf(": %d waiting", e.Waiting)
	}
	if e.Class != "" {
		text += ": refused, " + string(e.Class)
	}
	if e.Code != 0 {
		text += fmt.Sprintf(": HTTP status %d", e.Code)
	}
	if e.Why != "" {
		text += ": " + safetext.Line(e.Why, 200)
	}
	if e.Fault != "" {
		text += " (fault " + string(e.Fault) + ")"
	}
	l.say("%s", text)
}
