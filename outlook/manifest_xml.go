package outlook

import (
	"bytes"
	_ "embed"
	"encoding/xml"
	"fmt"
	"strings"
	"text/template"
)

//go:embed manifest.xml.tmpl
var xmlTemplate string

// xml writes the manifest in XML. Elements stand in the order that Microsoft's schemas demand; a test holds them to it.
func (s settled) xml() ([]byte, error) {
	t, err := template.New("manifest").Funcs(template.FuncMap{"xml": escape}).Parse(xmlTemplate)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := t.Execute(&out, s); err != nil {
		return nil, err
	}
	return tidy(out.String()), nil
}

// tidy indents lines, each of which begins an element, ends one, or holds one whole.
func tidy(s string) []byte {
	var out bytes.Buffer
	depth := 0
	for line := range strings.Lines(s) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if strings.HasPrefix(line, "</") {
			depth--
		}
		fmt.Fprintf(&out, "%s%s\n", strings.Repeat("  ", max(depth, 0)), line)
		if !strings.HasPrefix(line, "<?") && !strings.Contains(line, "</") && !strings.HasSuffix(line, "/>") {
			depth++
		}
	}
	return out.Bytes()
}

// escape makes text fit for an attribute or element.
func escape(v any) (string, error) {
	var b strings.Builder
	err := xml.EscapeText(&b, []byte(fmt.Sprint(v)))
	return b.String(), err
}

// The parts that the template is made of.

// Version4 is the version with the four numbers that this manifest wants.
func (s settled) Version4() string { return Version + ".0" }

// Describe is the description of the add-in.
func (s settled) Describe() text { return description }

// Compose are the buttons of who writes, without the menu.
func (s settled) Compose() []button { return []button{composePane, encryptButton, signButton} }

// Read are those of who reads.
func (s settled) Read() []button { return []button{readPane} }

// More is the menu of who writes.
func (s settled) More() menu { return moreMenu }

// All are all buttons, the menu and its items among them, once each.
func (s settled) All() []button {
	all := append(s.Compose(), s.Read()...)
	return append(append(all, moreMenu.button), moreMenu.Items...)
}

// Pages are the pages that buttons open.
func (s settled) Pages() []button {
	var pages []button
	for _, b := range s.All() {
		if b.Page != "" {
			pages = append(pages, b)
		}
	}
	return pages
}

// Icons are the names of icons, once each.
func (s settled) Icons() []string {
	var names []string
	seen := map[string]bool{}
	for _, b := range s.All() {
		if !seen[b.Icon] {
			seen[b.Icon] = true
			names = append(names, b.Icon)
		}
	}
	return names
}

// RibbonSizes are the sizes of icons that the ribbon demands.
func (s settled) RibbonSizes() []int { return []int{16, 32, 80} }
