package outlook

import (
	"encoding/base64"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/addin/token/tokentest"
	"github.com/siegel-mail/siegel/internal/tlstest"
)

// Tokens that OpenSSL signs are believed, and what it signs otherwise is not.
func TestOpenSSL(t *testing.T) {
	tlstest.Need(t, "openssl")
	w := newWorld(t, byEntra+byExchange)
	key := w.write("key.pem", w.key.PEM())
	now := time.Now()
	sign := func(header, claims tokentest.Claims, args ...string) string {
		t.Helper()
		part := func(c tokentest.Claims) string {
			text, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			return base64.RawURLEncoding.EncodeToString(text)
		}
		signed := part(header) + "." + part(claims)
		cmd := exec.Command("openssl", append([]string{"dgst", "-sign", key}, args...)...)
		cmd.Stdin = strings.NewReader(signed)
		signature, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
	}
	entra, exchange := tokentest.EntraV1("https://"+w.issuers.Host, now), tokentest.Exchange(t, w.issuers.Host, origin+"/outlook/compose.html", now)
	for name, c := range map[string]struct {
		bearer, author string
		status         int
	}{
		"Entra":           {sign(w.key.EntraHeader(), entra, "-sha256"), "alice@firma.example", 200},
		"Exchange":        {sign(w.key.ExchangeHeader(), exchange, "-sha256"), "bob@firma.example", 200},
		"another digest":  {sign(w.key.EntraHeader(), entra, "-sha512"), "alice@firma.example", 401},
		"another padding": {sign(w.key.EntraHeader(), entra, "-sha256", "-sigopt", "rsa_padding_mode:pss"), "alice@firma.example", 401},
		"said to be PSS":  {sign(w.key.EntraHeader().With(tokentest.Claims{"alg": "PS256"}), entra, "-sha256", "-sigopt", "rsa_padding_mode:pss"), "alice@firma.example", 401},
	} {
		if status, _ := w.explain(c.bearer, c.author, "dave@partner.example"); status != c.status {
			t.Errorf("%s: %d, want %d; the log:\n%s", name, status, c.status, w.gateway.Log())
		}
	}
}

// siegel outlook check says what works and what does not.
func TestCheck(t *testing.T) {
	w := newWorld(t, byEntra+byExchange)
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	check := func() (string, error) {
		out, err := exec.Command(path, "outlook", "check", "-c", w.config).CombinedOutput()
		return string(out), err
	}
	out, err := check()
	if err != nil || strings.Contains(out, "FAIL") {
		t.Errorf("%v\n%s", err, out)
	}
	for _, want := range []string{"certificate  it ends on ", "1 key from https://" + w.issuers.Host, "1 certificate from https://" + w.issuers.Host, "1 in " + w.dir + "/users"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing:\n%s", want, out)
		}
	}
	w.issuers.Have(t, tokentest.NewKey(t, 1024, time.Now()))
	if out, err := check(); err == nil || strings.Count(out, "FAIL") < 2 || !strings.Contains(out, "to do: ") {
		t.Errorf("keys that are too small: %v\n%s", err, out)
	}
}
