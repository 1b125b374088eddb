package configs

import "github.com/siegel-mail/siegel/gateway/mail"

// The words for Received fields of what leaves.
const (
	ReceivedHide = "hide"
	ReceivedKeep = "keep"
)

// Privacy is what the header of outgoing mail says of the company.
type Privacy struct {
	// The fields that servers inside wrote on the way: `hide` removes those of inner servers and takes the
	// client out of the gateway's own, which stays, so that a loop is still found; `keep` leaves them.
	Received string `yaml:"received" default:"hide" oneof:"hide keep"`
	// The domains whose servers are inner ones, with their subdomains. Where it is absent: `domains`. Names without
	// a dot, private addresses, and names under `.local`, `.internal` and the like always are.
	InnerHosts mail.Patterns `yaml:"inner_hosts" example:"[firma.example, ad.firma.example]"`
	// Fields that are removed, in upper or lower case; one that ends with `*` stands for all that begin so. A list
	// here takes the place of the default, which are the notes that Exchange makes for itself and the labels of
	// documents. `X-Siegel-*` and `X-de-mail-*` are always removed.
	Remove []string `yaml:"remove" default:"X-MS-Exchange-Organization-*, X-MS-Exchange-Forest-*, X-MS-Exchange-CrossTenant-*, X-MS-Exchange-CrossPremises-*, X-MS-Exchange-Transport-*, X-EOPAttributedMessage, X-EOPTenantAttributedMessage, X-MS-TrafficTypeDiagnostic, X-MS-PublicTrafficType, X-MS-Office365-Filtering-Correlation-Id, X-Forefront-Antispam-*, X-Microsoft-Antispam*, X-OriginatorOrg, X-Originating-IP, X-Originating-Email, X-ClientProxiedBy, X-Microsoft-Class*, msip_label*"`
}
