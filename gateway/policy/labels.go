package policy

import "github.com/siegel-mail/siegel/gateway/purview"

// Sensitivity is a value of the field Sensitivity (RFC 2156, 5.3.4).
type Sensitivity string

// The values of Sensitivity.
const (
	Personal            Sensitivity = "personal"
	Private             Sensitivity = "private"
	CompanyConfidential Sensitivity = "company-confidential"
)

// Label is a name for what a sender, or the sender's program, has classified. A message bears it where one of what it lists is there.
type Label struct {
	Name           string
	Sensitivity    []Sensitivity  // of the field Sensitivity
	Classification []string       // of X-Microsoft-Classification, or a GUID of X-Microsoft-ClassID; case does not matter
	Purview        []PurviewLabel // of msip_labels, and of the single fields of Microsoft's programs
	Header         []string       // "Name: value"; case does not matter; a value that ends with * stands for all that begin so
}

// PurviewLabel is a sensitivity label of a tenant. The GUIDs of labels that Microsoft made for everybody are the same in many.
type PurviewLabel struct{ Label, Tenant purview.GUID }
