package addin_test

import "testing"

// Every answer has what browsers hold it to, and Outlook's pages alone may show it.
func TestSecurityHeaders(t *testing.T) {
	r := runStand(t, "modern", nil)
	c := r.client(t)
	for _, path := range []string{"/outlook/read.html", "/", "/outlook/api/settings", "/outlook/api/explain"} {
		answer, _ := r.get(t, c, path)
		for name, want := range map[string]string{
			"Content-Security-Policy":   "default-src 'none'; script-src 'self'; frame-ancestors 'self' https://outlook.office.com https://outlook.office365.com https://outlook.cloud.microsoft https://owa.firma.example",
			"Strict-Transport-Security": "max-age=31536000", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "", "Access-Control-Allow-Origin": "", "Set-Cookie": "", "Server": "",
		} {
			if got := answer.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
	}
}
