package smtpclient

import (
	"encoding/base64"
	"errors"
	"strings"
)

// authenticate proves the identity with PLAIN (RFC 4616) or LOGIN, under TLS only.
func (c *Client) authenticate() error {
	if c.tls == nil {
		return &Error{StageAuth, ErrAuthPlain}
	}
	offered := strings.Fields(strings.ToUpper(c.ext["AUTH"]))
	user, password := c.o.Auth.User, ""
	if c.o.Auth.Password != nil {
		password = c.o.Auth.Password()
	}
	if strings.ContainsRune(user+password, 0) {
		return &Error{StageAuth, errors.New("a user name or password with a NUL cannot be sent")}
	}
	for _, mechanism := range offered {
		switch mechanism {
		case "PLAIN":
			return c.command(StageAuth, "AUTH PLAIN "+b64("\x00"+user+"\x00"+password), nil)
		case "LOGIN":
			return c.login(user, password)
		}
	}
	return &Error{StageAuth, ErrAuthMechanism}
}

// login answers the two challenges of LOGIN, which asks for the name first whatever its words.
func (c *Client) login(user, password string) error {
	for _, line := range []string{"AUTH LOGIN", b64(user)} {
		c.w.WriteString(line + "\r\n")
		r, err := c.reply(c.o.Timeouts.Command, nil)
		if err == nil && r.Code != 334 {
			err = &r
		}
		if err != nil {
			return &Error{StageAuth, err}
		}
	}
	return c.command(StageAuth, b64(password), nil)
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
