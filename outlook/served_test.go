package outlook_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
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

// The pages work in Chromium: alone, in all their states, and as the gateway serves them. One browser does for all.
func TestInBrowser(t *testing.T) {
	chromium := nodetest.Program(t, "chromium", "chromium-browser", "google-chrome")
	pair := tlstest.NewCA(t, tlstest.P256).Issue(tlstest.P256, nil, "127.0.0.1")
	key := sha256.Sum256(pair.Certificate.Leaf.RawSubjectPublicKeyInfo)
	run(t, "browser.test.mjs", "ADDRESS="+alone(t, pair), "SERVED="+served(t, pair), "CHROMIUM="+chromium, "SDK="+outlook.SDK,
		"SCREENSHOTS="+os.Getenv("SIEGEL_SCREENSHOTS"),    // pictures of all states, for people, where they want some
		"SPKI="+base64.StdEncoding.EncodeToString(key[:])) // the key that the browser shall believe
}

// alone serves the pages under the headers of the gateway, without its API, and says where.
func alone(t *testing.T, pair tlstest.Pair) string {
	t.Helper()
	mux := http.NewServeMux()
	server := httptest.NewUnstartedServer(mux)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // a browser that closes connections is no fault
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair.Certificate}}
	server.StartTLS()
	t.Cleanup(server.Close)
	at := server.URL + addin.Root
	f, err := outlook.Files(at)
	if err != nil {
		t.Fatal(err)
	}
	policy := outlook.SecurityPolicy("https://login.microsoftonline.com/tenant")
	pages := http.StripPrefix(addin.Root, http.FileServerFS(f))
	mux.HandleFunc(addin.Root, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		pages.ServeHTTP(w, r)
	})
	return at
}

// served is where the gateway's own server has them, with its API.
func served(t *testing.T, pair tlstest.Pair) string {
	t.Helper()
	at := freeport.Address(t)
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
	return origin + addin.Root
}
