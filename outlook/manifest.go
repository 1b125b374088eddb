package outlook

import (
	"archive/zip"
	"bytes"
	"crypto/sha1" // #nosec: RFC 9562, 5.5 says so; nothing rests on it
	"fmt"
	"net/url"
)

// Version is that of the manifests. It rises whenever they change, since Exchange and Microsoft 365 take a manifest in the place
// of another only if it is newer.
const Version = "1.0.0"

// Options of the manifests. Only URL is needed.
type Options struct {
	URL  string // where the gateway serves the add-in: https://gw.firma.example/outlook/
	ID   string // GUID of the add-in; "": derived from URL, always the same for the same
	Name string // what users see on the group of buttons, 30 characters at most; "": Siegel
	// Provider is who offers the add-in, as users see it; "": the name of the add-in.
	Provider string
	// Support is a page with help, https; "": none.
	Support string
	// EntraClient is the GUID of the application registered in Entra, by which users prove who they are; "": they do so otherwise.
	EntraClient string
	// EntraResource is what a token of Entra is for, the identifier URI of that application; "": api://HOST/EntraClient.
	EntraResource string
	// WithoutAlerts leaves out what asks before a message is sent, for Exchange servers that refuse a manifest with it (before
	// Exchange 2019 CU12 and 2016 CU22).
	WithoutAlerts bool
}

// namespaceURL is that of names which are URLs (RFC 9562, 6.6).
var namespaceURL = [16]byte{0x6b, 0xa7, 0xb8, 0x11, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8}

// deriveID makes a GUID of a name (RFC 9562, 5.5).
func deriveID(name string) string {
	h := sha1.New()
	h.Write(namespaceURL[:])
	h.Write([]byte(name))
	b := h.Sum(nil)[:16]
	b[6] = b[6]&0x0f | 0x50
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// settled are options with everything filled in and checked.
type settled struct {
	Options
	Resource string // what a token of Entra is for; "" without Entra
	Host     string
}

func (o Options) settle() (settled, error) {
	s := settled{Options: o}
	var err error
	if s.URL, err = Address(o.URL); err != nil {
		return s, err
	}
	u, err := url.Parse(s.URL)
	if err != nil {
		return s, err
	}
	s.Host = u.Host
	if err := line("https://"+s.Host, longText); err != nil {
		return s, fmt.Errorf("the host of the address: %w", err)
	}
	if s.ID == "" {
		s.ID = deriveID(s.URL)
	}
	if s.ID, err = guid(s.ID); err != nil {
		return s, fmt.Errorf("the ID of the add-in: %w", err)
	}
	if s.Name == "" {
		s.Name = "Siegel"
	}
	if s.Provider == "" {
		s.Provider = s.Name
	}
	if err := line(s.Name, 30); err != nil { // the unified manifest's limit
		return s, fmt.Errorf("the name of the add-in: %w", err)
	}
	if err := line(s.Provider, 32); err != nil {
		return s, fmt.Errorf("the provider of the add-in: %w", err)
	}
	if s.Support != "" {
		if u, err := url.Parse(s.Support); err != nil || u.Scheme != "https" || u.Host == "" || len(s.Support) > maxAddress {
			return s, fmt.Errorf("the support page %q must be an address that begins with https://", s.Support)
		}
	}
	if s.EntraClient != "" {
		if s.EntraClient, err = guid(s.EntraClient); err != nil {
			return s, fmt.Errorf("the client ID of Entra: %w", err)
		}
		if s.Resource = o.EntraResource; s.Resource == "" {
			s.Resource = "api://" + s.Host + "/" + s.EntraClient
		}
		if err := line(s.Resource, longText); err != nil {
			return s, fmt.Errorf("the identifier URI of Entra: %w", err)
		}
	}
	return s, nil
}

// Manifest writes both manifests of the add-in: the one in XML, which Exchange and every Outlook take, and the unified one in JSON, which
// Microsoft 365 takes. What it is given wrong it refuses with what to do.
func Manifest(o Options) (xml, json []byte, err error) {
	s, err := o.settle()
	if err != nil {
		return nil, nil, err
	}
	if xml, err = s.xml(); err != nil {
		return nil, nil, err
	}
	json, _, err = s.unified()
	return xml, json, err
}

// Package writes the unified manifest with its icons and German texts as the ZIP that is uploaded to Microsoft 365. The same
// options give the same bytes.
func Package(o Options) ([]byte, error) {
	s, err := o.settle()
	if err != nil {
		return nil, err
	}
	manifest, german, err := s.unified()
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	add := func(name string, data []byte) {
		if err != nil {
			return
		}
		f, e := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate})
		if err = e; e == nil {
			_, err = f.Write(data)
		}
	}
	add("manifest.json", manifest)
	add(germanFile, german)
	for _, icon := range []string{colorIcon, outlineIcon} {
		data, e := site.ReadFile("site/icons/" + icon)
		if e != nil {
			return nil, e
		}
		add(icon, data)
	}
	if err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
