package gateway

import (
	"context"
	"fmt"

	"golang.org/x/crypto/bcrypt"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/smtpin"
	"github.com/siegel-mail/siegel/internal/secret"
)

// User may log in at a submission listener.
type User struct {
	Name   string
	Hash   secret.String // bcrypt
	MayUse mail.Patterns
}

// Users checks passwords against bcrypt hashes. It implements smtpin.Authenticator and may be used at once.
type Users struct {
	byName map[string]User
	decoy  []byte // hash that an unknown name is compared with, so that it takes as long
}

// maxPassword is what bcrypt looks at; longer passwords are refused rather than cut.
const maxPassword = 72

// NewUsers returns the table of users; an error names a user whose hash is none.
func NewUsers(users []User) (*Users, error) {
	u := &Users{byName: make(map[string]User, len(users))}
	cost := bcrypt.DefaultCost
	for _, user := range users {
		c, err := bcrypt.Cost([]byte(user.Hash.Reveal()))
		if err != nil {
			return nil, fmt.Errorf("the hash of user %q is no bcrypt hash; make one with htpasswd -nBC 12 NAME", user.Name)
		}
		cost = max(cost, c)
		u.byName[user.Name] = user
	}
	var err error
	u.decoy, err = bcrypt.GenerateFromPassword([]byte("a password that nobody has"), cost)
	return u, err
}

// Authenticate returns what the user may send as; smtpin.ErrCredentials where name or password are wrong.
func (u *Users) Authenticate(_ context.Context, name, password string) (mail.Patterns, error) {
	user, known := u.byName[name]
	hash := u.decoy
	if known {
		hash = []byte(user.Hash.Reveal())
	}
	if len(password) > maxPassword {
		password = password[:maxPassword]
		known = false
	}
	if bcrypt.CompareHashAndPassword(hash, []byte(password)) != nil || !known {
		return nil, smtpin.ErrCredentials
	}
	return user.MayUse, nil
}
