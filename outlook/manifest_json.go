package outlook

import (
	"bytes"
	"encoding/json"
	"fmt"
)

const (
	schemaVersion = "1.25"
	schemaURL     = "https://developer.microsoft.com/en-us/json-schemas/teams/v" + schemaVersion + "/MicrosoftTeams.schema.json"
	germanSchema  = "https://developer.microsoft.com/en-us/json-schemas/teams/v" + schemaVersion + "/MicrosoftTeams.Localization.schema.json"
	germanFile    = "de.json"
	accentColor   = "#8E2A23" // sealing wax
)

// The unified manifest, as far as it is used. The fields bear the names of Microsoft's schema.
type (
	unified struct {
		Schema       string        `json:"$schema"`
		Manifest     string        `json:"manifestVersion"`
		Version      string        `json:"version"`
		ID           string        `json:"id"`
		Localization localization  `json:"localizationInfo"`
		Developer    developer     `json:"developer"`
		Name         twoTexts      `json:"name"`
		Description  twoTexts      `json:"description"`
		Icons        packageIcons  `json:"icons"`
		Accent       string        `json:"accentColor"`
		Application  *application  `json:"webApplicationInfo,omitempty"`
		Domains      []string      `json:"validDomains"`
		Authority    authorization `json:"authorization"`
		Extensions   []extension   `json:"extensions"`
	}
	localization struct {
		Default    string     `json:"defaultLanguageTag"`
		Additional []language `json:"additionalLanguages"`
	}
	language struct {
		Tag  string `json:"languageTag"`
		File string `json:"file"`
	}
	developer struct {
		Name    string `json:"name"`
		Website string `json:"websiteUrl"`
		Privacy string `json:"privacyUrl"`
		Terms   string `json:"termsOfUseUrl"`
	}
	twoTexts struct {
		Short string `json:"short"`
		Full  string `json:"full"`
	}
	packageIcons struct {
		Color   string `json:"color"`
		Outline string `json:"outline"`
	}
	application struct {
		ID       string `json:"id"`
		Resource string `json:"resource"`
	}
	authorization struct {
		Permissions struct {
			Specific []permission `json:"resourceSpecific"`
		} `json:"permissions"`
	}
	permission struct {
		Name string `json:"name"`
		Type string `json:"type"`
	}
	extension struct {
		Requirements requirements `json:"requirements"`
		Runtimes     []runtime    `json:"runtimes"`
		Ribbons      []ribbon     `json:"ribbons"`
		AutoRun      []autoRun    `json:"autoRunEvents,omitempty"`
		// Audience is the page that an identity token of Exchange names as its audience.
		Audience string `json:"audienceClaimUrl"`
	}
	requirements struct {
		Scopes       []string     `json:"scopes,omitempty"`
		Capabilities []capability `json:"capabilities"`
	}
	capability struct {
		Name string `json:"name"`
		Min  string `json:"minVersion"`
	}
	runtime struct {
		Requirements requirements `json:"requirements"`
		ID           string       `json:"id"`
		Type         string       `json:"type"`
		Code         code         `json:"code"`
		Lifetime     string       `json:"lifetime"`
		Actions      []action     `json:"actions"`
	}
	code struct {
		Page   string `json:"page"`
		Script string `json:"script,omitempty"`
	}
	action struct {
		ID       string `json:"id"`
		Type     string `json:"type"`
		View     string `json:"view,omitempty"`
		Pinnable bool   `json:"pinnable,omitempty"`
	}
	ribbon struct {
		Requirements requirements `json:"requirements"`
		Contexts     []string     `json:"contexts"`
		Tabs         []tab        `json:"tabs"`
	}
	tab struct {
		BuiltIn string  `json:"builtInTabId"`
		Groups  []group `json:"groups"`
	}
	group struct {
		ID       string    `json:"id"`
		Label    string    `json:"label"`
		Controls []control `json:"controls"`
	}
	control struct {
		ID       string    `json:"id"`
		Type     string    `json:"type"`
		Label    string    `json:"label"`
		Icons    []icon    `json:"icons"`
		Supertip supertip  `json:"supertip"`
		Action   string    `json:"actionId,omitempty"`
		Items    []control `json:"items,omitempty"`
	}
	icon struct {
		Size int    `json:"size"`
		URL  string `json:"url"`
	}
	supertip struct {
		Title       string `json:"title"`
		Description string `json:"description"`
	}
	autoRun struct {
		Requirements requirements `json:"requirements"`
		Events       []event      `json:"events"`
	}
	event struct {
		Type    string       `json:"type"`
		Action  string       `json:"actionId"`
		Options eventOptions `json:"options"`
	}
	eventOptions struct {
		SendMode string `json:"sendMode"`
	}
)

// needs is a set of requirements: Outlook, with a Mailbox of at least this version.
func needs(version string) requirements {
	return requirements{Scopes: []string{"mail"}, Capabilities: []capability{{"Mailbox", version}}}
}

// unified writes the manifest in JSON, and the file with its German texts.
func (s settled) unified() (manifest, german []byte, err error) {
	support := s.Support
	if support == "" {
		support = s.URL + "about.html"
	}
	m := unified{
		Schema: schemaURL, Manifest: schemaVersion, Version: Version, ID: s.ID,
		Localization: localization{"en", []language{{"de", germanFile}}},
		Developer:    developer{s.Provider, support, s.URL + "about.html", s.URL + "about.html"},
		Name:         twoTexts{s.Name, s.Name}, Description: twoTexts{short.En, description.En},
		Icons: packageIcons{colorIcon, outlineIcon}, Accent: accentColor, Domains: []string{s.Host},
		Extensions: []extension{{
			Requirements: needs("1.5"), Runtimes: s.runtimes(), Ribbons: s.ribbons(), Audience: s.URL + composePane.Page,
		}},
	}
	m.Authority.Permissions.Specific = []permission{{"MailboxItem.ReadWrite.User", "Delegated"}}
	if s.EntraClient != "" {
		m.Application = &application{s.EntraClient, s.Resource}
	}
	if !s.WithoutAlerts {
		m.Extensions[0].AutoRun = []autoRun{{needs("1.12"), []event{{"messageSending", "siegelOnSend", eventOptions{"promptUser"}}}}}
	}
	if manifest, err = indent(m); err != nil {
		return nil, nil, err
	}
	german, err = indent(s.german())
	return manifest, german, err
}

// runtimes are where pages and functions run.
func (s settled) runtimes() []runtime {
	var out []runtime
	for _, b := range s.Pages() {
		out = append(out, runtime{needs("1.5"), b.ID + ".runtime", "general", code{Page: s.URL + b.Page}, "short",
			[]action{{ID: b.ID, Type: "openPage", View: b.ID, Pinnable: b.Pinned}}})
	}
	calls := runtime{needs("1.5"), "commands.runtime", "general", code{Page: s.URL + "commands.html"}, "short", nil}
	for _, b := range s.All() {
		if b.Call != "" {
			calls.Actions = append(calls.Actions, action{ID: b.Call, Type: "executeFunction"})
		}
	}
	out = append(out, calls)
	if !s.WithoutAlerts {
		out = append(out, runtime{needs("1.12"), "launch.runtime", "general",
			code{Page: s.URL + "commands.html", Script: s.URL + launchScript}, "short",
			[]action{{ID: "siegelOnSend", Type: "executeFunction"}}})
	}
	return out
}

// ribbons are the buttons: where a message is read, and where it is written.
func (s settled) ribbons() []ribbon {
	one := func(context, id string, controls []control) ribbon {
		return ribbon{needs("1.5"), []string{context}, []tab{{"TabDefault", []group{{id, s.Name, controls}}}}}
	}
	var read, compose []control
	for _, b := range s.Read() {
		read = append(read, s.control(b, "button"))
	}
	for _, b := range s.Compose() {
		compose = append(compose, s.control(b, "button"))
	}
	more := s.control(moreMenu.button, "menu")
	for _, b := range moreMenu.Items {
		more.Items = append(more.Items, s.control(b, "menuItem"))
	}
	return []ribbon{one("mailRead", "siegel.readGroup", read), one("mailCompose", "siegel.composeGroup", append(compose, more))}
}

func (s settled) control(b button, kind string) control {
	c := control{ID: "siegel." + b.ID, Type: kind, Label: b.Label.En, Supertip: supertip{b.Label.En, b.Tip.En}, Action: b.Call}
	if b.Page != "" {
		c.Action = b.ID
	}
	for _, size := range s.RibbonSizes() {
		c.Icons = append(c.Icons, icon{size, fmt.Sprintf("%sicons/%s-%d.png", s.URL, b.Icon, size)})
	}
	return c
}

// german is the file of German texts: a text for each place in the manifest, named as a JSONPath.
func (s settled) german() map[string]string {
	texts := map[string]string{
		"$schema": germanSchema, "name.short": s.Name, "name.full": s.Name,
		"description.short": short.De, "description.full": description.De,
	}
	put := func(place string, b button) {
		texts[place+".label"] = b.Label.De
		texts[place+".supertip.title"] = b.Label.De
		texts[place+".supertip.description"] = b.Tip.De
	}
	const at = "extensions[0].ribbons[%d].tabs[0].groups[0].controls[%d]"
	for i, b := range s.Read() {
		put(fmt.Sprintf(at, 0, i), b)
	}
	for i, b := range append(s.Compose(), moreMenu.button) {
		put(fmt.Sprintf(at, 1, i), b)
	}
	for i, b := range moreMenu.Items {
		put(fmt.Sprintf(at, 1, len(s.Compose()))+fmt.Sprintf(".items[%d]", i), b)
	}
	return texts
}

// indent writes JSON as people read it.
func indent(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return b.Bytes(), err
}
