package dmdaweb

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"slices"
	"time"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/connectors/dmda"
	"github.com/siegel-mail/siegel/connectors/webservice"
)

// cookie is what a session by cookie is called.
const cookie = "SIMULATED-SESSION"

// maxSessions bounds those that are open at once; a login beyond ends the oldest.
const maxSessions = 1000

// session is a login that holds for a while.
type session struct {
	account *Account
	level   demail.Level
	key     *[32]byte // of the client certificate that it began with; nil: none
	until   time.Time
}

// Mechanisms say in X-de-mail-auth-mechanism how somebody was let in.
const (
	byCertificate = "SIMULATED: Client-Zertifikat"
	byPassword    = "SIMULATED: Benutzername und Passwort"
)

// key is that of the client certificate; nil where there is none.
func (x *exchange) key() *[32]byte {
	c := x.h.o.Certificate(x.in)
	if c == nil {
		return nil
	}
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return &sum
}

// enter lets the request in: by its session, or for itself. A class says why not.
func (x *exchange) enter() (*dmda.Session, webservice.Class, string) {
	how := x.h.o.Profile.Session()
	if how == "none" || x.request.Operation == webservice.OpLogin {
		account, level, why := x.prove()
		if account == nil {
			return nil, webservice.LoginFailed, why
		}
		s, class, why := x.open(account, level)
		if class == "" && x.request.Operation == webservice.OpLogin {
			x.begin(account, level)
		}
		return s, class, why
	}
	s := x.session(how)
	if s == nil {
		return nil, webservice.SessionExpired, "no such session"
	}
	return x.open(s.account, s.level)
}

// open is the session at the simulated provider. Each is a login of its own: what waits for a strong one is confirmed.
func (x *exchange) open(a *Account, level demail.Level) (*dmda.Session, webservice.Class, string) {
	how := byPassword
	if level == demail.LevelHigh {
		how = byCertificate
	}
	s, err := x.h.o.Provider.Login(a.Address, level, how)
	if err != nil && level == demail.LevelHigh { // its holder cannot do better
		s, err = x.h.o.Provider.Login(a.Address, demail.LevelNormal, how)
	}
	if err != nil {
		return nil, webservice.LoginFailed, "the simulated provider has no such account"
	}
	x.event.Account = a.Address
	return s, "", ""
}

// prove finds the account that a request is for, and what opens it. Who has a certificate that is the account's has logged in at level high, who
// has a password alone at level normal (TR-01201 6.1, 10.2).
func (x *exchange) prove() (*Account, demail.Level, string) {
	v, key := x.request.Values, x.key()
	name, named := v["account"].(string)
	user, asked := v["user"].(string)
	password, given := v["password"].(string)
	why := "no such account"
	for i := range x.h.o.Accounts {
		a := &x.h.o.Accounts[i]
		if named && a.Name != name || asked && a.User != "" && a.User != user {
			continue
		}
		certified := key != nil && slices.Contains(a.Keys, *key)
		knows := given && !a.Password.IsZero() && subtle.ConstantTimeCompare([]byte(password), []byte(a.Password.Reveal())) == 1
		switch {
		case len(a.Keys) > 0 && !certified:
			why = "the client certificate is not this account's"
			if key == nil {
				why = "no client certificate came"
			}
		case given && !a.Password.IsZero() && !knows:
			why = "wrong password"
		case certified:
			return a, demail.LevelHigh, ""
		case knows:
			return a, demail.LevelNormal, ""
		default:
			why = "neither a certificate nor a password opens this account here"
		}
	}
	return nil, "", why
}

// begin begins a session, and makes its token or cookie the value of the answer.
func (x *exchange) begin(a *Account, level demail.Level) {
	h := x.h
	token := "SIMULATED-" + rand.Text()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.sessions) >= maxSessions {
		oldest := ""
		for t, s := range h.sessions {
			if oldest == "" || s.until.Before(h.sessions[oldest].until) {
				oldest = t
			}
		}
		delete(h.sessions, oldest)
	}
	h.sessions[token] = &session{account: a, level: level, key: x.key(), until: h.o.Now().Add(h.o.Life)}
	x.request.Values["session"] = token
	if h.o.Profile.Session() == "cookie" {
		http.SetCookie(x.w, &http.Cookie{Name: cookie, Value: token, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode})
	}
}

// session finds the session of a request: one that has not expired, of the same client certificate.
func (x *exchange) session(how string) *session {
	token, _ := x.request.Values["session"].(string)
	if how == "cookie" {
		c, err := x.in.Cookie(cookie)
		if err != nil {
			return nil
		}
		token = c.Value
	}
	h, key := x.h, x.key()
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.sessions[token]
	switch {
	case s == nil, (key == nil) != (s.key == nil), key != nil && *key != *s.key:
		return nil
	case h.o.Now().After(s.until):
		delete(h.sessions, token)
		return nil
	}
	return s
}

// Expire ends all sessions, as a provider does that starts anew.
func (h *Handler) Expire() {
	h.mu.Lock()
	defer h.mu.Unlock()
	clear(h.sessions)
}
