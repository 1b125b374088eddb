package smtpin

import (
	"bytes"
	"context"
	"errors"
	"time"
	"unicode"
	"unicode/utf8"

	sasl "github.com/emersion/go-sasl"
	smtp "github.com/emersion/go-smtp"
	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/gateway/status"
	"github.com/siegel-mail/siegel/gateway/texts"
)

const (
	maxLogins   = 3   // refused on one connection
	maxUser     = 255 // octets of a user name or a password
	authTimeout = 30 * time.Second
)

// ErrCredentials is what an Authenticator's error wraps when user or password are wrong.
var ErrCredentials = errors.New("smtpin: wrong user name or password")

// AuthMechanisms lists what EHLO offers: nothing without TLS (RFC 4954, 4; RFC 8314, 3.3).
func (s *session) AuthMechanisms() []string {
	if s.door.site.Auth == nil || !s.door.secured() {
		return nil
	}
	return []string{sasl.Plain, sasl.Login}
}

// Auth begins an exchange.
func (s *session) Auth(mechanism string) (sasl.Server, error) {
	switch {
	case s.door.site.Auth == nil:
		return nil, refusal(502, "5.5.1", "authentication is not offered here")
	case !s.door.secured():
		return nil, smtpError(s.door.told(status.Say(nil, 538, "5.7.11", texts.DoorTLS, texts.Values{})))
	case s.tx != nil:
		return nil, refusal(503, "5.5.1", "authentication comes before MAIL")
	case mechanism == sasl.Plain:
		return &plain{login: s.login}, nil
	case mechanism == sasl.Login:
		return &login{login: s.login}, nil
	}
	return nil, refusal(504, "5.5.4", "the mechanisms are PLAIN and LOGIN")
}

// login checks user and password and notes what the user may send as.
func (s *session) login(user, password []byte) error {
	err := error(ErrCredentials)
	if isCredential(user) && isCredential(password) {
		ctx, cancel := context.WithTimeout(s.door.server.handling, authTimeout)
		defer cancel()
		s.mayUse, err = s.door.site.Auth.Authenticate(ctx, string(user), string(password))
	}
	if err == nil {
		s.user = string(user)
		return nil
	}
	s.mayUse = nil
	s.door.logins++
	s.door.site.Log.WithError(err).WithFields(logrus.Fields{
		"listener": s.door.site.Name, "client": s.door.client.addr,
	}).Warn("smtpin: authentication failed")
	return smtpError(s.door.told(authFault(err)))
}

// authFault gives an authenticator's error its reply (RFC 4954, 6).
func authFault(err error) error {
	var own *status.Error
	switch {
	case errors.As(err, &own):
		return err
	case errors.Is(err, ErrCredentials):
		return status.Say(err, 535, "5.7.8", texts.DoorPassword, texts.Values{})
	}
	return status.Say(err, 454, "4.7.0", texts.DoorLoginAway, texts.Values{})
}

func isCredential(b []byte) bool {
	return len(b) > 0 && len(b) <= maxUser && utf8.Valid(b) && bytes.IndexFunc(b, unicode.IsControl) < 0
}

// plain is SASL PLAIN (RFC 4616). Nobody may act for another: an authorization identity must be the user.
type plain struct {
	login func(user, password []byte) error
}

// Next takes the one response.
func (p *plain) Next(response []byte) (challenge []byte, done bool, err error) {
	if response == nil {
		return []byte{}, false, nil
	}
	parts := bytes.Split(response, []byte{0})
	if len(parts) != 3 || len(parts[0]) > 0 && !bytes.Equal(parts[0], parts[1]) {
		parts = make([][]byte, 3) // counted as a failed login
	}
	return nil, true, p.login(parts[1], parts[2])
}

// login is SASL LOGIN, which no standard describes and every printer speaks.
type login struct {
	login func(user, password []byte) error
	user  []byte
	asked bool // for the user
}

// Next takes the user, which may come with the command, and then the password.
func (l *login) Next(response []byte) (challenge []byte, done bool, err error) {
	switch {
	case response == nil && !l.asked:
		l.asked = true
		return []byte("Username:"), false, nil
	case l.user == nil:
		l.user = append([]byte{}, response...)
		return []byte("Password:"), false, nil
	}
	return nil, true, l.login(l.user, response)
}

var _ smtp.AuthSession = (*session)(nil)
