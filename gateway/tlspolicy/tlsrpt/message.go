package tlsrpt

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"mime"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/report"
)

// The media types of reports (RFC 8460, 6.4 and 6.5).
const (
	typeGzip = "application/tlsrpt+gzip"
	typeJSON = "application/tlsrpt+json"
)

// SignedFields are the fields of the mail that its DKIM signature should cover besides the usual ones (RFC 8460, 5.3).
func SignedFields() []string { return []string{"TLS-Report-Domain", "TLS-Report-Submitter"} }

// letter is what a mail with a report is made of.
type letter struct {
	from, to  mail.Address
	domain    string // that is reported on
	submitter string
	day       Day
	id        string // of the report
	packed    []byte
}

// message writes the mail (RFC 8460, 5.3): from the null reverse-path, so that no report of its own failure comes back; whatever is
// wrong with TLS on its way does not keep it, and is not reported again.
func (l letter) message(now time.Time, id mail.ID) (mail.Envelope, report.Content) {
	env := mail.Envelope{
		ID: id, Internal: true, Received: now, TLSOptional: true,
		Recipients: []mail.Recipient{{Address: l.to, Notify: []string{"NEVER"}}},
	}
	if !l.to.IsASCII() || !l.from.IsASCII() {
		env.SMTPUTF8, env.Body8Bit = true, true
	}
	var b bytes.Buffer
	field := func(name, value string) { b.WriteString(name + ": " + value + "\r\n") }
	boundary := "=_" + string(id)
	field("From", "<"+l.from.String()+">")
	field("To", "<"+l.to.String()+">")
	field("Subject", "Report Domain: "+l.domain+"\r\n Submitter: "+l.submitter+"\r\n Report-ID: <"+l.id+">")
	field("Date", now.Format(time.RFC1123Z))
	field("Message-ID", "<"+string(id)+"@"+l.submitter+">")
	field("TLS-Report-Domain", l.domain)
	field("TLS-Report-Submitter", l.submitter)
	field("TLS-Required", "No")               // RFC 8689, 3: for the servers that follow
	field("Auto-Submitted", "auto-generated") // RFC 3834, 5
	field("MIME-Version", "1.0")
	field("Content-Type", "multipart/report; report-type=\"tlsrpt\";\r\n boundary=\""+boundary+"\"")
	b.WriteString("\r\nThis is a report about TLS (RFC 8460).\r\n\r\n--" + boundary + "\r\n")
	field("Content-Type", "text/plain; charset=us-ascii")
	field("Content-Transfer-Encoding", "7bit")
	fmt.Fprintf(&b, "\r\nThis is an aggregate TLS report from %s\r\nabout sessions for %s\r\non %s, UTC.\r\n\r\n--%s\r\n", l.submitter, l.domain, l.day, boundary)
	name := fileName(l.submitter, l.domain, l.day)
	field("Content-Type", typeGzip)
	field("Content-Transfer-Encoding", "base64")
	field("Content-Disposition", "attachment;\r\n filename=\""+name+"\"")
	b.WriteString("\r\n")
	writeBase64(&b, l.packed)
	b.WriteString("--" + boundary + "--\r\n")
	return env, b.Bytes()
}

// writeBase64 writes lines of 76 characters (RFC 2045, 6.8).
func writeBase64(b *bytes.Buffer, data []byte) {
	const line = 57
	for len(data) > 0 {
		n := min(line, len(data))
		b.WriteString(base64.StdEncoding.EncodeToString(data[:n]) + "\r\n")
		data = data[n:]
	}
}

// isReport tells the parts of mails that hold reports: by their type, or by the ending of the name where programs write another.
func isReport(contentType, name string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	if err == nil && (kind == typeGzip || kind == typeJSON) {
		return true
	}
	name = strings.ToLower(name)
	return strings.HasSuffix(name, ".json.gz") || strings.HasSuffix(name, ".json")
}
