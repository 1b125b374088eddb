package rehearsal

import (
	"bufio"
	"crypto/subtle"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/connectors/dmda"
	"github.com/siegel-mail/siegel/connectors/dmda/dmdaweb"
)

// FaultsPath is where the operator asks for faults, and sets them: one a line. Each provider tells of all; the query provider=DOMAIN names another one than itself.
const FaultsPath = "/simulated/faults"

// mux puts the web services of all profiles on one provider.
func (w *World) mux(p *Provider) (http.Handler, error) {
	paths := map[string]*dmdaweb.Handler{}
	for i, h := range p.Handlers {
		for _, path := range h.Paths() {
			if paths[path] != nil {
				return nil, fmt.Errorf("two profiles have the path %s; rehearse with one of them", path)
			}
			paths[path] = p.Handlers[i]
		}
	}
	return http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		if h := paths[in.URL.Path]; h != nil {
			h.ServeHTTP(out, in)
			return
		}
		out.Header().Set("Server", "SIMULATED De-Mail provider")
		out.Header().Set("Content-Type", "text/plain; charset=utf-8")
		switch in.URL.Path {
		case "/":
			w.about(out, p)
		case FaultsPath:
			w.faults(out, in, p)
		default:
			http.Error(out, dmda.Simulation+"\n\nThere is nothing here. The provider's pages are / and the paths that / names.", http.StatusNotFound)
		}
	}), nil
}

// about tells what there is. It says nothing that a log could not.
func (w *World) about(out io.Writer, p *Provider) {
	fmt.Fprintf(out, "%s\n\nThe simulated provider %s.\n\n", dmda.Simulation, p.Domain)
	for i, profile := range w.o.Profiles {
		fmt.Fprintf(out, "Web service of the profile %s, %s: %s\n", profile.Name, profile.Form(), strings.Join(p.Handlers[i].Paths(), " "))
	}
	for _, c := range Companies() {
		if c.Provider == p.Domain {
			fmt.Fprintf(out, "Account %s: %s, every address of %s\n", c.Name, c.Holder, c.Domain)
		}
	}
	fmt.Fprintf(out, "Faults: %s\n", orNone(strings.Join(p.left(), " ")))
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// left are the faults of all web services, each once.
func (p *Provider) left() []string {
	var out []string
	for i, h := range p.Handlers {
		for _, f := range h.Faults() {
			s := f.String()
			if len(p.Handlers) > 1 {
				s = fmt.Sprintf("%s (service %d)", s, i+1)
			}
			out = append(out, s)
		}
	}
	return out
}

// maxFaults bounds the body of a request that sets faults.
const maxFaults = 4 << 10

// faults gives the operator those that are left, or sets others.
func (w *World) faults(out http.ResponseWriter, in *http.Request, p *Provider) {
	c := p.certificate(in)
	if c == nil || subtle.ConstantTimeCompare(c.Raw, w.Keys.Clients[Operator].Leaf.Raw) != 1 {
		http.Error(out, dmda.Simulation+"\n\nThis is for the certificate "+CertificateFile(Operator)+" alone.", http.StatusForbidden)
		return
	}
	if domain := in.URL.Query().Get("provider"); domain != "" {
		i := slices.IndexFunc(w.Providers, func(o *Provider) bool { return o.Domain == domain })
		if i < 0 {
			http.Error(out, dmda.Simulation+"\n\nThere is no provider of that domain.", http.StatusNotFound)
			return
		}
		p = w.Providers[i]
	}
	if in.Method == http.MethodPost {
		var faults []dmdaweb.Fault
		lines := bufio.NewScanner(io.LimitReader(in.Body, maxFaults))
		for lines.Scan() {
			if strings.TrimSpace(lines.Text()) == "" {
				continue
			}
			f, err := dmdaweb.ParseFault(strings.TrimSpace(lines.Text()))
			if err != nil {
				http.Error(out, err.Error(), http.StatusBadRequest)
				return
			}
			faults = append(faults, f)
		}
		w.SetFaults(p.Domain, faults...)
	}
	fmt.Fprintf(out, "%s\n%s\n", dmda.Simulation, orNone(strings.Join(p.left(), "\n")))
}
