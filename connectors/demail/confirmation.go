package demail

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"strings"
)

// MaxConfirmation is how many bytes the body of a confirmation or notification is read with.
const MaxConfirmation = 8 << 20

// maxParts bounds the parts of one.
const maxParts = 10

// Confirmation is one that came: of dispatch, of receipt, of retrieve, or that something was held back as malware (3.4, 3.5.1).
type Confirmation struct {
	Type      MessageType
	Metadata  *Metadata // of the confirmation itself
	Integrity Result    // of the message
	Signature Signature // of the XML
	// Acknowledgement is what the signed XML says; empty where the signature does not fit, so that nothing can be taken for signed.
	Acknowledgement
	// Contradiction says where header and signed XML disagree: then somebody has put one of them there who should not. Empty where they agree.
	Contradiction string
	XML, PDF      []byte // as they came; PDF is nil where there is none
}

// Proven reports whether a provider that is to be believed has confirmed this, in both places that the guideline wants signed (3.4, 3.4.1
// and 3.5.1), and without a contradiction. Anything less is to be shown as what it is, not as a proof.
func (c *Confirmation) Proven() bool {
	return c.Signature.Trusted() && c.Integrity.Trusted() && c.Contradiction == ""
}

// Undecided reports whether it fits, and may be proven later: something that has to be asked about a certificate is away at present.
func (c *Confirmation) Undecided() bool {
	fits := func(s State) bool { return s == StateTrusted || s == StateUndecided }
	return !c.Proven() && fits(c.Signature.State) && fits(c.Integrity.State) && c.Contradiction == ""
}

// Confirmation reads and verifies a confirmation. The error wraps ErrConfirmation where the message is none, ErrField or ErrLimit where it
// cannot be read, or is that of body; whether it is to be believed stands in what it returns.
func (v Verifier) Confirmation(ctx context.Context, h Header, body io.Reader) (*Confirmation, error) {
	m, xmlPart, pdfPart, result, err := v.parts(ctx, h, body)
	if err != nil {
		return nil, err
	}
	if !m.Type.Confirmation() {
		return nil, fmt.Errorf("%w: a message of type %q is no confirmation", ErrConfirmation, m.Type)
	}
	c := &Confirmation{Type: m.Type, Metadata: m, Integrity: result, XML: xmlPart, PDF: pdfPart}
	var candidates []*x509.Certificate
	if cert, err := parseCertificate(m.Certificate); err == nil {
		candidates = append(candidates, cert)
	}
	signed, err := verifyXML(c.XML, candidates)
	if err != nil {
		c.Signature = broken(err)
		return c, nil
	}
	a, err := parseAcknowledgement(signed.content)
	if err != nil {
		c.Signature = broken(err)
		return c, nil
	}
	c.Acknowledgement = *a
	c.Signature = v.judge(ctx, signed.certificate, signed.others, m.Sender)
	c.Contradiction = c.contradiction()
	return c, nil
}

// parts reads what confirmations and notifications have in common: metadata, integrity, and the two parts (3.4, 3.4.1).
func (v Verifier) parts(ctx context.Context, h Header, body io.Reader) (*Metadata, []byte, []byte, Result, error) {
	m, err := ParseMetadata(h)
	if err != nil {
		return nil, nil, nil, Result{}, err
	}
	all, err := readAll(body, MaxConfirmation)
	if err != nil {
		return nil, nil, nil, Result{}, err
	}
	result, err := v.Message(ctx, h, bytes.NewReader(all))
	if err != nil {
		return nil, nil, nil, Result{}, err
	}
	xmlPart, pdfPart, err := splitParts(h, all)
	return m, xmlPart, pdfPart, result, err
}

// readAll reads to the end, or to one byte over the limit.
func readAll(r io.Reader, limit int64) ([]byte, error) {
	all, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(all)) > limit {
		err = fmt.Errorf("%w: more than %d bytes", ErrLimit, limit)
	}
	return all, err
}

// splitParts takes XML and PDF out of a multipart/mixed. What else is there, such as a text, is passed over.
func splitParts(h Header, body []byte) (xmlPart, pdfPart []byte, err error) {
	f, _ := h.First("Content-Type")
	kind, params, err := mime.ParseMediaType(f.Value())
	if err != nil || kind != "multipart/mixed" || params["boundary"] == "" {
		return nil, nil, fmt.Errorf("%w: it is no multipart/mixed", ErrConfirmation)
	}
	r := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	for n := 0; ; n++ {
		part, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil || n >= maxParts {
			return nil, nil, fmt.Errorf("%w: its parts cannot be read", ErrConfirmation)
		}
		kind, _, err := mime.ParseMediaType(part.Header.Get("Content-Type"))
		if err != nil {
			continue
		}
		to := &pdfPart
		switch {
		case kind == "text/xml" || kind == "application/xml":
			to = &xmlPart
		case kind != "application/pdf":
			continue
		}
		if *to != nil {
			return nil, nil, fmt.Errorf("%w: more than one part is %s", ErrConfirmation, kind)
		}
		if *to, err = decodePart(part); err != nil {
			return nil, nil, err
		}
	}
	if xmlPart == nil {
		return nil, nil, fmt.Errorf("%w: it has no XML", ErrConfirmation)
	}
	return xmlPart, pdfPart, nil
}

// decodePart takes the transfer encoding off (RFC 2045, 6).
func decodePart(part *multipart.Part) ([]byte, error) {
	var r io.Reader = part
	switch lower(strings.Trim(part.Header.Get("Content-Transfer-Encoding"), " \t")) {
	case "", "7bit", "8bit", "binary":
	case "base64":
		r = base64.NewDecoder(base64.StdEncoding, part) // passes over line ends
	case "quoted-printable":
		r = quotedprintable.NewReader(part)
	default:
		return nil, fmt.Errorf("%w: a transfer encoding that is not known", ErrConfirmation)
	}
	data, err := readAll(r, MaxConfirmation)
	if err != nil {
		return nil, fmt.Errorf("%w: a part of it cannot be decoded", ErrConfirmation)
	}
	if data == nil {
		data = []byte{}
	}
	return data, nil
}

// contradiction compares the signed XML with the header: a confirmation of dispatch, as signed, must not be shown as one of receipt.
func (c *Confirmation) contradiction() string {
	told := false
	for _, t := range c.signedTypes() {
		if t != c.Type {
			return fmt.Sprintf("the header says %q, and what is signed %q", c.Type, t)
		}
		told = true
	}
	if !told {
		return "what is signed does not say what it confirms"
	}
	if id, ok := c.Get(FieldPrivateID); ok && c.Metadata.PrivateID != "" && id != c.Metadata.PrivateID {
		return "header and signed XML are of different messages by " + FieldPrivateID
	}
	if c.DeliveryTime.IsZero() == (c.Type == TypeRetrieve) { // 3.4, table 23
		return "the time of delivery is there in confirmations of retrieve, and only there"
	}
	return ""
}

// signedTypes are the types that the signed XML says, by the address of who issued it (3.1, 4.3) and by its subject (3.4, 3.5.1).
func (c *Confirmation) signedTypes() []MessageType {
	var types []MessageType
	if a, err := ParseAddress(strings.Trim(c.Sender, " \t\r\n")); err == nil {
		switch a.System() {
		case SystemDispatch:
			types = append(types, TypeDispatch)
		case SystemReceipt:
			types = append(types, TypeReceipt)
		case SystemRetrieve:
			types = append(types, TypeRetrieve)
		case SystemMalware:
			types = append(types, TypeMalwareAcknowledge)
		}
	}
	subject := strings.TrimLeft(c.Subject, "* \t\r\n")
	for t, word := range subjects() {
		if rest, ok := strings.CutPrefix(subject, word); ok && (strings.HasPrefix(rest, "*") || strings.HasPrefix(rest, ":")) {
			types = append(types, t)
		}
	}
	return types
}

// subjects are the words that subjects begin with.
func subjects() map[MessageType]string {
	return map[MessageType]string{TypeDispatch: "Versandbestätigung", TypeReceipt: "Eingangsbestätigung", TypeRetrieve: "Abholbestätigung"}
}

// Notification is one that came: of something that went wrong, or of malware (3.4, 3.5.2). Its XML is not signed, so what it says is proven
// only as far as the whole message is.
type Notification struct {
	Type      MessageType
	About     NotificationType
	Metadata  *Metadata // of the notification itself
	Integrity Result
	Report
	XML, PDF []byte // as they came; PDF is nil where there is none
}

// Notification reads a notification and verifies its integrity. The errors are those of Confirmation.
func (v Verifier) Notification(ctx context.Context, h Header, body io.Reader) (*Notification, error) {
	m, xmlPart, pdfPart, result, err := v.parts(ctx, h, body)
	if err != nil {
		return nil, err
	}
	if !m.Type.Notification() {
		return nil, fmt.Errorf("%w: a message of type %q is no notification", ErrConfirmation, m.Type)
	}
	n := &Notification{Type: m.Type, About: m.NotificationType, Metadata: m, Integrity: result, XML: xmlPart, PDF: pdfPart}
	root, err := parseXML(xmlPart)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfirmation, err)
	}
	if err := n.parse(root); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfirmation, err)
	}
	return n, nil
}

// parse holds an element to the schema (3.4, 3.5.3).
func (r *Report) parse(root *node) error {
	if !root.is(rootNotification) {
		return errors.New("the XML is no " + rootNotification + " of " + namespace)
	}
	if err := root.plain(); err != nil {
		return err
	}
	s := &sequence{of: root}
	r.Subject, r.Text = s.text("Subject"), s.text("Text")
	r.Time = s.time("Time")
	r.Sender = s.text("Sender")
	return s.end()
}
