package smtpclient

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

const pipelined = greeting + `
	S: 250-mx.example
	S: 250-PIPELINING
	S: 250-8BITMIME
	S: 250 DSN
`

const envelope2 = `
	C: MAIL FROM:<a@firma.example>
	C: RCPT TO:<b@x.example>
	C: RCPT TO:<c@x.example>
	C: DATA
`

func TestSend(t *testing.T) {
	const quit = "\nC: QUIT\nS: 221 bye"
	const mail = "\nC: MAIL FROM:<a@firma.example>\n"
	cases := map[string]struct {
		script string
		body   string
		want   string // codes
		stage  Stage  // of the error, if any
	}{
		"all taken":                                {pipelined + envelope2 + "S: 250 ok\nS: 250 ok\nS: 251 ok\nS: 354 go\nC: hi\nC: .\nS: 250 2.0.0 queued" + quit, "hi\r\n", "250 250", ""},
		"half refused":                             {pipelined + envelope2 + "S: 250 ok\nS: 250 ok\nS: 550 5.1.1 who\nS: 354 go\nC: hi\nC: .\nS: 250 ok" + quit, "hi\r\n", "250 550", ""},
		"half later, then refused":                 {pipelined + envelope2 + "S: 250 ok\nS: 450 later\nS: 250 ok\nS: 354 go\nC: hi\nC: .\nS: 554 5.7.1 spam" + quit, "hi\r\n", "450 554", ""},
		"none taken, pipelined DATA refused":       {pipelined + envelope2 + "S: 250 ok\nS: 550 no\nS: 450 later\nS: 503 no recipients" + quit, "hi\r\n", "550 450", ""},
		"none taken, pipelined DATA answered 354":  {pipelined + envelope2 + "S: 250 ok\nS: 550 no\nS: 551 no\nS: 354 go\nC: .\nS: 554 no recipients" + quit, "hi\r\n", "550 551", ""},
		"none taken, the empty message even taken": {pipelined + envelope2 + "S: 250 ok\nS: 550 no\nS: 551 no\nS: 354 go\nC: .\nS: 250 what fun" + quit, "hi\r\n", "550 551", ""},
		"sender refused":                           {pipelined + envelope2 + "S: 550 5.7.1 not you\nS: 503 no\nS: 503 no\nS: 503 no" + quit, "hi\r\n", "550 550", ""},
		"DATA refused":                             {pipelined + envelope2 + "S: 250 ok\nS: 250 ok\nS: 250 ok\nS: 452 4.3.1 full" + quit, "hi\r\n", "452 452", ""},
		"DATA answered 250":                        {pipelined + envelope2 + "S: 250 ok\nS: 250 ok\nS: 550 no\nS: 250 ok", "hi\r\n", "0 550", StageEnvelope},
		"message answered 354":                     {pipelined + envelope2 + "S: 250 ok\nS: 250 ok\nS: 550 no\nS: 354 go\nC: hi\nC: .\nS: 354 go", "hi\r\n", "0 550", StageEnd},
		"RCPT answered 354":                        {pipelined + envelope2 + "S: 250 ok\nS: 354 ok", "hi\r\n", "0 0", StageEnvelope},
		"421 at MAIL":                              {pipelined + envelope2 + "S: 421 4.3.2 closing\ndrop", "hi\r\n", "421 421", ""},
		"421 at the second RCPT":                   {pipelined + envelope2 + "S: 250 ok\nS: 550 no\nS: 421 closing\ndrop", "hi\r\n", "550 421", ""},
		"421 at the second RCPT, first taken":      {pipelined + envelope2 + "S: 250 ok\nS: 250 ok\nS: 421 closing\ndrop", "hi\r\n", "421 421", ""},
		"421 to the message":                       {pipelined + envelope2 + "S: 250 ok\nS: 250 ok\nS: 250 ok\nS: 354 go\nC: hi\nC: .\nS: 421 closing\ndrop", "hi\r\n", "421 421", ""},
		"dropped at RCPT":                          {pipelined + envelope2 + "S: 250 ok\nS: 550 no\ndrop", "hi\r\n", "550 0", StageEnvelope},
		"dropped after the dot":                    {pipelined + envelope2 + "S: 250 ok\nS: 550 no\nS: 250 ok\nS: 354 go\nC: hi\nC: .\ndrop", "hi\r\n", "550 0", StageEnd},
		"replies of many lines":                    {pipelined + envelope2 + "S raw 250-2.1.0 a\\r\\n250 2.1.0 b\\r\\n250-x\\r\\n250 y\\r\\n250 z\\n354\\r\\n\nC: hi\nC: .\nS: 250-2.0.0 one\nS: 250 2.0.0 two" + quit, "hi\r\n", "250 250", ""},
		"no pipelining":                            {greeting + "S: 250 x" + mail + "S: 250 ok\nC: RCPT TO:<b@x.example>\nS: 550 no\nC: RCPT TO:<c@x.example>\nS: 250 ok\nC: DATA\nS: 354 go\nC: hi\nC: .\nS: 250 ok" + quit, "hi\r\n", "550 250", ""},
		"no pipelining, none taken, no DATA":       {greeting + "S: 250 x" + mail + "S: 250 ok\nC: RCPT TO:<b@x.example>\nS: 550 no\nC: RCPT TO:<c@x.example>\nS: 450 ok" + quit, "hi\r\n", "550 450", ""},
		"no pipelining, sender refused":            {greeting + "S: 250 x" + mail + "S: 451 later" + quit, "hi\r\n", "451 451", ""},
		"dots":                                     {pipelined + envelope2 + "S: 250 ok\nS: 250 ok\nS: 250 ok\nS: 354 go\nC: ..\nC: ...a\nC: b.\nC: .\nS: 250 ok" + quit, ".\r\n..a\r\nb.", "250 250", ""},
		"empty message":                            {pipelined + envelope2 + "S: 250 ok\nS: 250 ok\nS: 250 ok\nS: 354 go\nC: .\nS: 250 ok" + quit, "", "250 250", ""},
		"bare LF":                                  {pipelined + envelope2 + "S: 250 ok\nS: 250 ok\nS: 550 no\nS: 354 go", "a\n.\r\nb\r\n", "554L 550", ""},
		"bare CR":                                  {pipelined + envelope2 + "S: 250 ok\nS: 250 ok\nS: 550 no\nS: 354 go", "a\r.\r\n", "554L 550", ""},
		"CR at the end":                            {pipelined + envelope2 + "S: 250 ok\nS: 250 ok\nS: 550 no\nS: 354 go", "a\r", "554L 550", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := newDialogues(t, c.script)
			client := dial(t, d.options())
			res, err := client.Send(t.Context(), message(c.body, "b@x.example", "c@x.example"))
			if codes(res) != c.want {
				t.Errorf("codes %s, want %s (%v)", codes(res), c.want, err)
			}
			if c.stage != "" {
				wantError(t, err, c.stage, 0, nil)
				if client.Usable() {
					t.Error("the client is still usable")
				}
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// A connection serves message after message; a transaction that was left open is reset first.
func TestReuse(t *testing.T) {
	d := newDialogues(t, pipelined+envelope2+`
		S: 250 ok
		S: 550 no
		S: 550 no
		S: 554 no recipients
		C: RSET
		S: 250 ok
	`+envelope2+`
		S: 250 ok
		S: 250 ok
		S: 250 ok
		S: 354 go
		C: one
		C: .
		S: 250 ok
	`+envelope2+`
		S: 250 ok
		S: 250 ok
		S: 250 ok
		S: 354 go
		C: two
		C: .
		S: 250 ok
		C: RSET
		S: 250 ok
		C: QUIT
		S: 221 bye
	`)
	client := dial(t, d.options())
	for i, want := range []string{"550 550", "250 250", "250 250"} {
		body := []string{"none", "one", "two"}[i] + "\r\n"
		res, err := client.Send(t.Context(), message(body, "b@x.example", "c@x.example"))
		if err != nil || codes(res) != want {
			t.Fatalf("message %d: %s %v, want %s", i, codes(res), err, want)
		}
	}
	if err := client.Reset(t.Context()); err != nil {
		t.Error(err)
	}
}

// What a server says unasked is not taken for the reply to a later command.
func TestOutOfStep(t *testing.T) {
	d := newDialogues(t, pipelined+envelope2+"S: 250 ok\nS: 250 ok\nS: 250 ok\nS: 354 go\nC: hi\nC: .\nS raw 250 ok\\r\\n250 ok\\r\\n")
	client := dial(t, d.options())
	if _, err := client.Send(t.Context(), message("hi\r\n", "b@x.example", "c@x.example")); err != nil {
		t.Fatal(err)
	}
	_, err := client.Send(t.Context(), message("hi\r\n", "b@x.example"))
	wantError(t, err, StageEnvelope, 0, ErrProtocol)
}

func TestParameters(t *testing.T) {
	const quit = "\nC: QUIT\nS: 221 bye"
	full := greeting + "S: 250-x\nS: 250-SIZE 100\nS: 250-dsn\nS: 250-8BITMIME\nS: 250 SMTPUTF8\n"
	m := message("hi\r\n", "ü@x.example")
	m.Size, m.Body8Bit, m.SMTPUTF8, m.Ret, m.EnvID = 4, true, true, "HDRS", "a+b=c d\r\nRSET"
	m.Recipients[0].Notify = []string{"SUCCESS", "DELAY"}
	m.Recipients[0].ORcpt = "rfc822;b+c@x.example\r\n"
	d := newDialogues(t, full+`
		C: MAIL FROM:<a@firma.example> SIZE=4 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=a+2Bb+3Dc+20d+0D+0ARSET
		S: 250 ok
		C: RCPT TO:<ü@x.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;b+2Bc@x.example+0D+0A
		S: 550 no`+quit)
	if res, err := dial(t, d.options()).Send(t.Context(), m); err != nil || codes(res) != "550" {
		t.Errorf("%+v %v", res, err)
	}

	bare := message("hi\r\n", "b@x.example")
	bare.Size, bare.Ret, bare.EnvID = 4, "FULL", "x"
	bare.Recipients[0].Notify, bare.Recipients[0].ORcpt = []string{"NEVER"}, "rfc822;b@x.example"
	d = newDialogues(t, greeting+"S: 250 x\nC: MAIL FROM:<a@firma.example>\nS: 250 ok\nC: RCPT TO:<b@x.example>\nS: 550 no"+quit)
	if res, err := dial(t, d.options()).Send(t.Context(), bare); err != nil || codes(res) != "550" {
		t.Errorf("%+v %v", res, err)
	}
}

// What the server cannot take is refused without a word to it.
func TestLocalRefusals(t *testing.T) {
	d := newDialogues(t, greeting+"S: 250-x\nS: 250 SIZE 10\nC: MAIL FROM:<a@firma.example>\nS: 250 ok\nC: RCPT TO:<\"a b\\\"c\"@x.example>\nS: 550 no\nC: QUIT\nS: 221 bye")
	client := dial(t, d.options())
	cases := map[string]struct {
		change func(*Message)
		want   string
	}{
		"8-bit":                 {func(m *Message) { m.Body8Bit = true }, "554 5.6.3"},
		"SMTPUTF8":              {func(m *Message) { m.SMTPUTF8 = true }, "553 5.6.7"},
		"non-ASCII sender":      {func(m *Message) { m.From = "ä@x.example" }, "553 5.6.7"},
		"non-ASCII recipient":   {func(m *Message) { m.Recipients[0].Address = "ä@x.example" }, "553 5.6.7"},
		"too big":               {func(m *Message) { m.Size = 11 }, "552 5.3.4"},
		"injected sender":       {func(m *Message) { m.From = "a@b>\r\nRSET\r\n" }, "553 5.1.7"},
		"injected parameter":    {func(m *Message) { m.Recipients[0].Address = `"evil@t.example> NOTIFY=NEVER ORCPT=rfc822;x"@x.example` }, "553 5.1.3"},
		"injected blank":        {func(m *Message) { m.Recipients[0].Address = "a@b NOTIFY=NEVER" }, "553 5.1.3"},
		"open quote":            {func(m *Message) { m.Recipients[0].Address = `"a b@x.example` }, "553 5.1.3"},
		"escaped closing quote": {func(m *Message) { m.Recipients[0].Address = `"a\" b@x.example` }, "553 5.1.3"},
		"NUL":                   {func(m *Message) { m.Recipients[0].Address = "a\x00@x.example" }, "553 5.1.3"},
		"no recipient":          {func(m *Message) { m.Recipients[0].Address = "" }, "553 5.1.3"},
		"endless":               {func(m *Message) { m.Recipients[0].Address = strings.Repeat("a", 600) }, "553 5.1.3"},
	}
	for name, c := range cases {
		m := message("hi\r\n", "b@x.example")
		c.change(&m)
		res, err := client.Send(t.Context(), m)
		if got := res.Recipients[0]; err != nil || !got.Local || !strings.HasPrefix(got.String(), c.want) {
			t.Errorf("%s: %v %v, want %s", name, got, err, c.want)
		}
	}
	// One that cannot be sent does not keep the other from being asked about.
	res, err := client.Send(t.Context(), message("hi\r\n", "x y@z.example", `"a b\"c"@x.example`))
	if err != nil || codes(res) != "553L 550" {
		t.Errorf("%s %v", codes(res), err)
	}
}

// A body that cannot be read to its end is not ended with a dot.
func TestBodyFails(t *testing.T) {
	for _, ext := range []string{"PIPELINING", "CHUNKING"} {
		script := greeting + "S: 250-x\nS: 250 " + ext + "\n"
		if ext == "PIPELINING" {
			script += "C: MAIL FROM:<a@firma.example>\nC: RCPT TO:<b@x.example>\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go"
		} else {
			script += "C: MAIL FROM:<a@firma.example>\nS: 250 ok\nC: RCPT TO:<b@x.example>\nS: 250 ok"
		}
		d := newDialogues(t, script)
		o := d.options()
		o.Chunking = true
		m := message("", "b@x.example")
		m.Body = io.MultiReader(strings.NewReader("half of it\r\n"), iotest.ErrReader(errors.New("disk")))
		res, err := dial(t, o).Send(t.Context(), m)
		wantError(t, err, StageBody, 0, ErrBody)
		if codes(res) != "0" {
			t.Errorf("codes %s", codes(res))
		}
	}
}

func TestChunking(t *testing.T) {
	head := greeting + "S: 250-x\nS: 250-PIPELINING\nS: 250 CHUNKING\n"
	mail := "C: MAIL FROM:<a@firma.example>\nC: RCPT TO:<b@x.example>\nS: 250 ok\nS: 250 ok\n"
	const quit = "\nC: QUIT\nS: 221 bye"
	big := strings.Repeat("0123456789abcd\r\n", bodyBlock/16)
	cases := map[string]struct{ script, body, want string }{
		"dots stay":    {head + mail + "C: BDAT 8 LAST\nC: .\nC: ..a\nS: 250 ok" + quit, ".\r\n..a\r\n", "250"},
		"refused":      {head + mail + "C: BDAT 4 LAST\nC: hi\nS: 552 no", "hi\r\n", "552"},
		"bare LF":      {head + mail, "a\nb\r\n", "554L"},
		"CR at end":    {head + mail, "a\r", "554L"},
		"two chunks":   {head + mail + "C: BDAT 65536\n" + strings.Repeat("C: 0123456789abcd\n", bodyBlock/16) + "S: 250 go on\nC: BDAT 0 LAST\nS: 250 ok" + quit, big, "250"},
		"half refused": {head + mail + "C: BDAT 65536\n" + strings.Repeat("C: 0123456789abcd\n", bodyBlock/16) + "S: 552 full", big, "552"},
		"nobody":       {head + "C: MAIL FROM:<a@firma.example>\nC: RCPT TO:<b@x.example>\nS: 250 ok\nS: 550 no" + quit, "hi\r\n", "550"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := newDialogues(t, c.script)
			o := d.options()
			o.Chunking = true
			res, err := dial(t, o).Send(t.Context(), message(c.body, "b@x.example"))
			if err != nil || codes(res) != c.want {
				t.Errorf("%s %v, want %s", codes(res), err, c.want)
			}
		})
	}
}

// More recipients than are pipelined at once.
func TestManyRecipients(t *testing.T) {
	var to []string
	script := pipelined + "C: MAIL FROM:<a@firma.example>\n"
	for i := range 120 {
		to = append(to, "b@x.example")
		script += "C: RCPT TO:<b@x.example>\n"
		switch i {
		case window - 2:
			script += strings.Repeat("S: 250 ok\n", window)
		case 2*window - 2:
			script += strings.Repeat("S: 250 ok\n", window)
		}
	}
	script += "C: DATA\n" + strings.Repeat("S: 250 ok\n", 121-2*window) + "S: 354 go\nC: hi\nC: .\nS: 250 taken\nC: QUIT\nS: 221 bye"
	d := newDialogues(t, script)
	res, err := dial(t, d.options()).Send(t.Context(), message("hi\r\n", to...))
	if err != nil || res.Recipients[119].Text != "taken" {
		t.Errorf("%v %v", res.Recipients[119], err)
	}
}

func TestContextBeforeSend(t *testing.T) {
	d := newDialogues(t, pipelined)
	client := dial(t, d.options())
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("the lease ends")
	cancel(cause)
	res, err := client.Send(ctx, message("hi\r\n", "b@x.example"))
	if !errors.Is(err, cause) || codes(res) != "0" || client.Usable() {
		t.Errorf("%s %v", codes(res), err)
	}
}

// A message for all or none: DATA waits for every reply, and is not said where somebody was refused.
func TestWhole(t *testing.T) {
	const rcpts = `
		C: MAIL FROM:<a@firma.example>
		C: RCPT TO:<b@x.example>
		C: RCPT TO:<c@x.example>
	`
	const again = "\nC: RSET\nS: 250 ok" + rcpts + "S: 250 ok\nS: 250 ok\nS: 250 ok\nC: DATA\nS: 354 go\nC: hi\nC: .\nS: 250 ok\nC: QUIT\nS: 221 bye"
	alone := strings.NewReplacer("C: RCPT TO:<b", "S: 250 ok\nC: RCPT TO:<b", "C: RCPT TO:<c", "S: 550 5.1.1 who\nC: RCPT TO:<c").Replace(rcpts)
	for name, c := range map[string]struct{ script, want, mail string }{
		"all":             {pipelined + rcpts + "S: 250 2.1.0 ok\nS: 250 ok\nS: 250 ok\nC: DATA\nS: 354 go\nC: hi\nC: .\nS: 250 taken\nC: QUIT\nS: 221 bye", "250 250", "250 2.1.0 ok"},
		"one refused":     {pipelined + rcpts + "S: 250 ok\nS: 550 5.1.1 who\nS: 250 ok" + again, "550 451L", "250 ok"},
		"the last, later": {pipelined + rcpts + "S: 250 ok\nS: 250 ok\nS: 450 later" + again, "451L 450", "250 ok"},
		"the sender":      {pipelined + rcpts + "S: 550 5.7.1 not you\nS: 503 no\nS: 503 no" + again, "550 550", "550 5.7.1 not you"},
		"421 between":     {pipelined + rcpts + "S: 250 ok\nS: 250 ok\nS: 421 closing\ndrop", "421 421", "250 ok"},
		"one by one":      {greeting + "S: 250 x" + alone + "S: 250 ok" + strings.Replace(again, rcpts+"S: 250 ok\nS: 250 ok\nS: 250 ok", strings.Replace(alone, "550 5.1.1 who", "250 ok", 1)+"S: 250 ok", 1), "550 451L", "250 ok"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDialogues(t, c.script)
			client := dial(t, d.options())
			m := message("hi\r\n", "b@x.example", "c@x.example")
			m.Whole = true
			res, err := client.Send(t.Context(), m)
			if err != nil || codes(res) != c.want || res.Mail.String() != c.mail {
				t.Errorf("%s, %s, %v", codes(res), res.Mail, err)
			}
			if strings.Contains(c.script, "RSET") {
				m.Body = strings.NewReader("hi\r\n")
				if res, err := client.Send(t.Context(), m); err != nil || codes(res) != "250 250" {
					t.Errorf("the next one: %s %v", codes(res), err)
				}
			}
		})
	}
	client := dial(t, newDialogues(t, pipelined+"C: QUIT\nS: 221 bye").options())
	m := message("hi\r\n", "b@x.example", "ü@x.example")
	m.Whole = true
	if res, err := client.Send(t.Context(), m); err != nil || codes(res) != "451L 553L" {
		t.Errorf("an address that cannot be sent: %s %v", codes(res), err)
	}
}
