package smtpin_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/smtpin"
)

// locked is a buffer for many goroutines.
type locked struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(p)
}

// Neither a password, in any form, nor a line of a message is ever logged or recorded (invariant 11).
func TestNoSecretIsLogged(t *testing.T) {
	for _, auth := range []users{{}, {err: errors.New("directory away")}} {
		refused, taken := "535 ", "235 "
		if auth.err != nil {
			refused, taken = "454 ", "454 "
		}
		h := &sink{fail: func(mail.Envelope) error { return fmt.Errorf("disk: %w", errors.New("broken")) }}
		var log locked
		logger := logrus.New()
		logger.SetOutput(&log)
		logger.SetLevel(logrus.TraceLevel)
		l := listener(smtpin.Submission, serverTLS())
		l.Auth = auth
		o := options(t, h, l)
		o.Log = logger
		p := dial(t, serve(t, o), "submission")
		p.say("", "220 ", "STARTTLS", "220 ")
		p.startTLS(clientTLS())
		p.say("EHLO c", "250 ", "AUTH PLAIN AGFsaWNlAHdyb25nIGhvcnNl", refused, "AUTH LOGIN", "334 ", "YWxpY2U=", "334 ", "Y29ycmVjdCBob3JzZQ==", taken)
		if auth.err == nil {
			p.say("MAIL FROM:<alice@firma.example>", "250 ", "RCPT TO:<x@y.example>", "250 ",
				"DATA", "354 ", "Subject: planted secret\r\n\r\nplanted secret\r\n.", "451 4.3.0 ")
		}
		p.say("QUIT", "221 ", "", "")
		seen := log.String() + fmt.Sprintf("%+v", h.events)
		for _, secret := range []string{"horse", "AGFsaWNl", "Y29ycmVjdCBob3JzZQ", "planted"} {
			if strings.Contains(seen, secret) {
				t.Errorf("%q is in\n%s", secret, seen)
			}
		}
		if !strings.Contains(seen, "authentication failed") || auth.err == nil && !strings.Contains(seen, "disk: broken") {
			t.Errorf("the log lacks what the administrator needs:\n%s", seen)
		}
	}
}
