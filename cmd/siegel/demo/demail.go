package demo

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/connectors/dmda"
	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/internal/encword"
	"github.com/siegel-mail/siegel/smime/entity"
)

// RunDeMail sends a De-Mail from Alice to a city by two simulated providers, and shows how it is fetched, confirmed and proven. Otherwise it is as Run.
func RunDeMail(ctx context.Context, o Options) error {
	n := &narrator{out: o.Out, events: track.NewMemory(0)}
	n.say("Siegel De-Mail demo. %s.", dmda.Simulation)
	n.say("Everything runs in this process on loopback. Both providers, their web services and their signatures are simulated, and so are the mail")
	n.say("servers; no real provider's service is known to be like these. The two gateways between them are real.\n")
	city := track.NewMemory(0)
	w, err := newDeMailWorld(ctx, func(party string) track.Recorder {
		if party == "firma" {
			return n
		}
		return track.Multi{city, aside{n, party}}
	})
	if err != nil {
		return fmt.Errorf("starting the demo: %w", err)
	}
	defer w.close()
	s := &deMailStory{deMailWorld: w, narrator: n, cityEvents: city}
	s.introduce()
	return o.play(ctx, s)
}

// aside tells the events of another gateway, and whose they are.
type aside struct {
	*narrator
	who string
}

// Record implements track.Recorder.
func (a aside) Record(e track.Event) { a.say("   %-10s %s: %s", e.Kind, a.who, sentence(e)) }

// deMailStory is the course of the De-Mail.
type deMailStory struct {
	*deMailWorld
	*narrator
	cityEvents *track.Memory
	delivered  text   // what the city's mail server got
	told       []text // what Alice was told
	evidence   []byte // ZIP
}

func (s *deMailStory) introduce() {
	for _, p := range []*party{s.firma, s.city} {
		s.say("   %-10s %s, De-Mail %s at the simulated provider %s, profile %s; gateway %s, mail server %s",
			p.Name, p.mailbox, p.Domain, p.Provider, p.profile, p.gateway.Addr("company"), p.server.addr())
	}
	s.say("")
}

func (s *deMailStory) tell(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("nothing came within %s", patience))
	defer cancel()
	id, err := s.send(ctx)
	if err != nil {
		return fmt.Errorf("the De-Mail to the city: %w", err)
	}
	if err := s.arrive(ctx); err != nil {
		return fmt.Errorf("the De-Mail at the city: %w", err)
	}
	if err := s.confirm(ctx); err != nil {
		return fmt.Errorf("the confirmations: %w", err)
	}
	if err := s.prove(ctx, id); err != nil {
		return fmt.Errorf("the evidence: %w", err)
	}
	s.say("\nDone: an ordinary mail left as De-Mail, was fetched and verified by another gateway, and its confirmations and evidence came back. All of it simulated.")
	return nil
}

// send takes Alice's message to the provider, and returns the id that the gateway gave it.
func (s *deMailStory) send(ctx context.Context) (mail.ID, error) {
	to := s.city.Address
	m := application(to, time.Now())
	s.say("1. Alice writes to %s, as to anyone else. The tags in her subject ask for two confirmations, and that the provider signs it.", to)
	if _, err := s.firma.submit(ctx, s.roots, "company", alice, to, m); err != nil {
		return "", err
	}
	e, err := s.events.Wait(ctx, func(e track.Event) bool { return e.Kind == track.Delivered && slices.Contains(e.To, to) })
	if err != nil {
		return "", err
	}
	return e.ID, nil
}

// arrive shows what the city's mail server gets.
func (s *deMailStory) arrive(ctx context.Context) error {
	s.say("\n2. The city's gateway fetches it from its own provider.")
	got, err := s.city.server.wait(ctx)
	if err != nil {
		return err
	}
	s.delivered = got.body
	if _, err := s.cityEvents.Wait(ctx, func(e track.Event) bool { return e.Kind == track.Delivered }); err != nil {
		return err
	}
	s.say("   city       mail server received %d bytes for %v; what it sees:", len(got.body), got.to)
	h, err := s.show(got.body)
	if err != nil {
		return err
	}
	if found, _ := h.Get("X-Siegel-DeMail"); !strings.HasPrefix(strings.TrimSpace(found), "verified") {
		return fmt.Errorf("the city's gateway finds it %q", found)
	}
	return nil
}

// confirm waits for what Alice is told.
func (s *deMailStory) confirm(ctx context.Context) error {
	s.say("\n3. The providers confirm. Alice's gateway fetches that, verifies it and tells her.")
	for range 2 {
		got, err := s.firma.server.wait(ctx)
		if err != nil {
			return err
		}
		s.told = append(s.told, got.body)
		s.say("   company    mail server received %d bytes for %v:", len(got.body), got.to)
		if _, err := s.show(got.body); err != nil {
			return err
		}
	}
	return nil
}

// show prints of a message what its reader sees.
func (s *deMailStory) show(message []byte) (entity.Header, error) {
	h, _, err := entity.Read(bytes.NewReader(message), 1<<20)
	if err != nil {
		return h, err
	}
	for _, f := range h.Fields() {
		if f.HasPrefix("X-Siegel-") || f.Is("From") || f.Is("To") || f.Is("Subject") {
			s.say("      %s: %s", f.Name, encword.Parse(f.Value()).String())
		}
	}
	return h, nil
}

// prove asks the gateway for the evidence, as `siegel demail evidence` does.
func (s *deMailStory) prove(ctx context.Context, id mail.ID) error {
	var b bytes.Buffer
	if _, err := admin.NewClient(s.firma.socket).DeMailEvidence(ctx, string(id), false, &b); err != nil {
		return err
	}
	s.evidence = b.Bytes()
	s.say("\n4. What proves it, in one file: siegel demail evidence %s", id)
	files, err := s.files()
	if err != nil {
		return err
	}
	for _, f := range files {
		s.say("      %-48s %7d bytes", f.Name, f.UncompressedSize64)
	}
	if confirmations(files) == nil {
		return errors.New("no confirmation is in it")
	}
	return nil
}

func (s *deMailStory) files() ([]*zip.File, error) {
	z, err := zip.NewReader(bytes.NewReader(s.evidence), int64(len(s.evidence)))
	if err != nil {
		return nil, err
	}
	return z.File, nil
}

// confirmations are those files of the evidence that hold one as it came.
func confirmations(files []*zip.File) (list []*zip.File) {
	for _, f := range files {
		if strings.Contains(f.Name, "confirmations/") && strings.HasSuffix(f.Name, ".eml") {
			list = append(list, f)
		}
	}
	return list
}

// application is Alice's message to the city.
func application(to string, now time.Time) text {
	subject := "=?utf-8?q?[Versandbest=C3=A4tigung]_[Eingangsbest=C3=A4tigung]_[Absenderbest=C3=A4tigt]_Bauantrag_Br=C3=BCcke?="
	return text(header(alice, to, subject, now) + "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" +
		"Sehr geehrte Damen und Herren,\r\n\r\nhiermit beantragen wir die Genehmigung der Brücke.\r\n\r\nFirma GmbH\r\nAlice\r\n")
}

// stay keeps everything running and tells how to send more.
func (s *deMailStory) stay(ctx context.Context) error {
	s.say("\nThe gateways stay up; Ctrl-C ends it. Send more, for example:\n")
	s.say("   swaks --server %s --from %s --to %s --tls --header 'Subject: [Versandbestätigung] noch eins'", s.firma.gateway.Addr("company"), alice, s.city.Address)
	s.say("   swaks --server %s --from %s --to %s --tls --header 'X-Siegel-DeMail: receipt'", s.city.gateway.Addr("company"), office, "alice@"+s.firma.Domain)
	s.say("   swaks --server %s --from %s --to nobody@%s --tls      # the provider tells that there is no such address\n", s.firma.gateway.Addr("company"), alice, "nirgends.de-mail.de")
	for {
		select {
		case l := <-s.firma.server.letters:
			s.say("   company    mail server received %d bytes for %v", len(l.body), l.to)
		case l := <-s.city.server.letters:
			s.say("   city       mail server received %d bytes for %v", len(l.body), l.to)
		case <-ctx.Done():
			return nil
		}
	}
}

// read is a file of the evidence.
func read(f *zip.File) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}
