package addin

import (
	"net/http"
	"slices"
	"strings"
)

// frames are the pages of Microsoft 365 that show add-ins: Outlook on the web, and the new Outlook, which is the same page.
var frames = []string{"https://outlook.office.com", "https://outlook.office365.com", "https://outlook.cloud.microsoft"}

// policy is the Content-Security-Policy of everything that is served. Where there is none, nothing is allowed.
func (p Pages) policy() string {
	policy := p.Policy
	if policy == "" {
		policy = "default-src 'none'"
	}
	all := append([]string{}, frames...)
	for _, f := range p.Frames {
		if !slices.Contains(all, f) {
			all = append(all, f)
		}
	}
	return policy + "; frame-ancestors 'self' " + strings.Join(all, " ")
}

// secure sets what every answer bears. X-Frame-Options is absent: it cannot name several origins, and frame-ancestors takes its place.
func (h *handler) secure(header http.Header) {
	header.Set("Content-Security-Policy", h.policy)
	header.Set("Strict-Transport-Security", "max-age=31536000") // RFC 6797, 6.1
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	header.Set("X-Robots-Tag", "noindex")
}
