package outlook_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/addin"
	"github.com/siegel-mail/siegel/gateway/explain"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/internal/freeport"
	"github.com/siegel-mail/siegel/internal/nodetest"
	"github.com/siegel-mail/siegel/internal/tlstest"
	"github.com/siegel-mail/siegel/outlook"
)

// oracle decides by the question alone: encrypted is what asks for it, and nobody has a certificate of eve.
type oracle struct{}

func (oracle) Explain(_ context.Context, q explain.Question) (explain.Answer, error) {
	var a explain.Answer
	encrypt := slices.ContainsFunc(q.Header, func(f string) bool { return strings.HasPrefix(f, "X-Siegel-Encrypt: ") })
	for _, to := range slices.Concat(q.To, q.Cc, q.Bcc) {
		r := explain.Recipient{To: to, Way: explain.SMTP, Sign: explain.No, Encrypt: explain.No,
			Keys: []policy.Source{{Key: policy.KeyEncrypt, Value: "if-possible", By: "company"}}}
		if encrypt {
			r.Encrypt, r.Keys[0].Value, r.Keys[0].By = explain.Yes, "require", "flag"
		}
		if encrypt && strings.HasPrefix(to, "eve@") {
			r.Refused = "The message to " + to + " was not sent: it must be encrypted (as you asked), and no certificate of this recipient is known."
			a.Refused = r.Refused
		}
		a.Recipients = append(a.Recipients, r)
	}
	return a, nil
}

// The pages work as the gateway serves them, under its headers, and with its API.
func TestAsTheGatewayServes(t *testing.T) {
	chromium := nodetest.Program(t, "chromium", "chromium-browser", "google-chrome")
	at := freeport.Address(t)
	pair := tlstest.NewCA(t, tlstest.P256).Issue(tlstest.P256, nil, "127.0.0.1")
	profile, _ := tlspolicy.Builtin("compatible")
	origin := "https://" + at
	files, err := outlook.Files(origin + addin.Root)
	if err != nil {
		t.Fatal(err)
	}
	allowed, err := outlook.Allowed(origin + addin.Root)
	if err != nil {
		t.Fatal(err)
	}
	local, err := mail.ParsePatterns("@firma.example")
	if err != nil {
		t.Fatal(err)
	}
	server, err := addin.New(addin.Options{Address: at, Explain: oracle{}, Setup: addin.Setup{
		Origin: origin, TLS: profile,
		Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &pair.Certificate, nil },
		Settings: addin.Settings{
			Language: "en", Tags: addin.Tags{Sign: []string{"[sign]"}, Encrypt: []string{"[encrypt]"}, Plain: []string{"[plain]"}, TLS: []string{"[tls]"}},
			DeMail: addin.DeMail{Enabled: true, Options: []addin.DeMailOption{{Name: "sent", Tag: "[Versandbestätigung]", May: true}}},
		},
		Pages: addin.Pages{Files: files, Documents: map[string][]byte{outlook.WellKnown: allowed}, Policy: outlook.SecurityPolicy("")},
		Users: addin.NewUsers(addin.UsersOptions{Local: local}), Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, SpeakFor: local,
		Bounds: addin.Bounds{PerMinute: 1000, RecipientsPerHour: 1000, Recipients: 100, Timeout: time.Minute},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	key := sha256.Sum256(pair.Certificate.Leaf.RawSubjectPublicKeyInfo)
	run(t, "served.test.mjs", "ADDRESS="+origin+addin.Root, "CHROMIUM="+chromium, "SCREENSHOTS="+t.TempDir(), "SDK="+outlook.SDK,
		"SPKI="+base64.StdEncoding.EncodeToString(key[:]))
}
