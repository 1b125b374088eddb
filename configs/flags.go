package configs

import (
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/purview"
)

// Tags are the words in a subject by which a user asks for something.
type Tags struct {
	// Ask for encryption. Upper and lower case are the same; the tag is removed before sending. A list here takes the place of the default.
	Encrypt []string `yaml:"encrypt" default:"[encrypt], [verschlüsseln], [verschluesseln]"`
	// Ask for a signature.
	Sign []string `yaml:"sign" default:"[sign], [signieren]"`
	// Ask for TLS with servers that prove who they are.
	TLS []string `yaml:"tls" default:"[tls]"`
	// Ask for neither signature nor encryption. They lower only what no rule enforces.
	Plain []string `yaml:"plain" default:"[plain], [unverschlüsselt], [unverschluesselt]"`
	// Ask that the message is not signed. They lower only what no rule enforces.
	NoSign []string `yaml:"no_sign" default:"[nosign], [unsigniert]"`
	// Ask that the message is not encrypted. They lower only what no rule enforces.
	NoEncrypt []string `yaml:"no_encrypt" default:"[noencrypt]"`
	// Ready sets of words, and of header fields, besides those above, for users who know them from another gateway: `seppmail`, `hornetsecurity`,
	// `ciphermail`; `siegel` is what the defaults above have, for who replaced them. See flags.md for what each holds.
	Sets []policy.Set `yaml:"sets" oneof:"siegel seppmail hornetsecurity ciphermail" example:"[seppmail]"`
}

// Label is a name for what a user, or a program, has classified. A message bears it where one of what it lists is there.
type Label struct {
	// The name, for `labels` of rules.
	Name string `yaml:"name" required:"yes" example:"confidential"`
	// Values of the field Sensitivity: `personal`, `private`, `company-confidential`. Outlook writes it where a user chose that among the properties of a message.
	Sensitivity []policy.Sensitivity `yaml:"sensitivity" oneof:"personal private company-confidential" example:"[company-confidential]"`
	// Values of the fields X-Microsoft-Classification (a text, in upper or lower case) or X-Microsoft-ClassID (a GUID), in which Outlook and Exchange write
	// the classification that a user chose.
	Classification []string `yaml:"classification" example:"[\"Streng vertraulich\"]"`
	// Sensitivity labels of Microsoft Purview, as Microsoft 365 writes them into msip_labels.
	Purview []PurviewLabel `yaml:"purview"`
	// Fields with a value, as `Name: value`, in upper or lower case; a value that ends with `*` stands for all that begin so.
	Header []string `yaml:"header" example:"[\"X-Classification: secret*\"]"`
}

// PurviewLabel is one sensitivity label. Labels that Microsoft made for everybody have the same GUID in many tenants, so both are needed.
type PurviewLabel struct {
	// Its GUID; Get-Label | Format-Table DisplayName, ImmutableId lists them.
	Label purview.GUID `yaml:"label" required:"yes" example:"f42aa342-8706-4288-bd11-ebb85995028c"`
	// The GUID of the tenant it is of.
	Tenant purview.GUID `yaml:"tenant" required:"yes" example:"72f988bf-86f1-41af-91ab-2d7cd011db47"`
}

// Vocabulary returns what a subject, and a header, may ask, but for De-Mail, as package policy has it.
func (p Policy) Vocabulary() policy.Vocabulary {
	t := p.Tags
	v := policy.Vocabulary{
		Sign: t.Sign, Encrypt: t.Encrypt, TLS: t.TLS, Plain: t.Plain, NoSign: t.NoSign, NoEncrypt: t.NoEncrypt, Sets: t.Sets,
	}
	for _, l := range p.Labels {
		label := policy.Label{Name: l.Name, Sensitivity: l.Sensitivity, Classification: l.Classification, Header: l.Header}
		for _, id := range l.Purview {
			label.Purview = append(label.Purview, policy.PurviewLabel{Label: id.Label, Tenant: id.Tenant})
		}
		v.Labels = append(v.Labels, label)
	}
	return v
}
