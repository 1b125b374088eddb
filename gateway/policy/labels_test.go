package policy_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/smime/entity"
)

const (
	secretID = "f42aa342-8706-4288-bd11-ebb85995028c"
	tenantID = "72f988bf-86f1-41af-91ab-2d7cd011db47"
	otherID  = "3dd8961f-e488-4e60-8e11-a82d994e183d"
)

func labels() []policy.Label {
	return []policy.Label{
		{Name: "confidential", Sensitivity: []policy.Sensitivity{policy.CompanyConfidential}, Classification: []string{"Streng  Vertraulich", secretID}},
		{Name: "secret", Purview: []policy.PurviewLabel{{Label: secretID, Tenant: tenantID}}},
		{Name: "private", Sensitivity: []policy.Sensitivity{policy.Private, policy.Personal}},
		{Name: "payroll", Header: []string{"X-Application: payroll*", "x-class : red"}},
		{Name: "secret", Header: []string{"X-Any: *"}},
	}
}

func TestReadLabels(t *testing.T) {
	for _, c := range []struct{ in, labels, words string }{
		{"Sensitivity: Company-Confidential", "confidential", "Sensitivity Company-Confidential"},
		{"sensitivity: companyconfidential", "confidential", "Sensitivity Company-Confidential"},
		{"Sensitivity: Personal", "private", "Sensitivity Personal"},
		{"Sensitivity: Private\r\nSensitivity: Company-Confidential", "confidential private", "Sensitivity Private; Sensitivity Company-Confidential"},
		{"Sensitivity: Normal", "", ""},
		{"Sensitivity:", "", ""},
		{"X-Microsoft-Classification: streng vertraulich", "confidential", "X-Microsoft-Classification Streng  Vertraulich"},
		{"X-Microsoft-Classification: =?utf-8?Q?Streng_Vertraulich?=", "confidential", "X-Microsoft-Classification Streng  Vertraulich"},
		{"X-Microsoft-Classification: vertraulich", "", ""},
		{"X-Microsoft-ClassID: {F42AA342-8706-4288-BD11-EBB85995028C}", "confidential", "X-Microsoft-ClassID " + secretID},
		{"X-Microsoft-Classified: true\r\nX-Microsoft-ClassID: " + secretID, "confidential", "X-Microsoft-ClassID " + secretID},
		{"X-Microsoft-ClassID: " + secretID + "\r\nX-Microsoft-Classified: false", "", ""},
		{"msip_labels: MSIP_Label_" + secretID + "_Enabled=true;\r\n MSIP_Label_" + secretID + "_SiteId=" + tenantID + ";", "secret", "Purview label " + secretID},
		{"msip_labels: MSIP_Label_" + secretID + "_Enabled=true; MSIP_Label_" + secretID + "_SiteId=" + otherID, "", ""},
		{"msip_label_" + secretID + "_enabled: True\r\nmsip_label_" + secretID + "_siteid: " + tenantID, "secret", "Purview label " + secretID},
		{"X-Application: Payroll 7", "payroll", "X-Application: payroll*"},
		{"X-Application: our payroll", "", ""},
		{"X-Class: RED", "payroll", "x-class : red"},
		{"X-Class: redder", "", ""},
		{"X-Any:", "secret", "X-Any: *"},
		{"Subject: Company-Confidential", "", ""},
	} {
		h := header(t, c.in+"\r\n")
		before := string(h.Bytes())
		names, words := policy.ReadLabels(h, labels())
		if got := strings.Join(names, " "); got != c.labels || strings.Join(words, "; ") != c.words {
			t.Errorf("%q: %q by %q", c.in, names, words)
		}
		v := policy.Vocabulary{Labels: labels()}
		if f := policy.ReadFlags(&h, v); strings.Join(f.Labels, " ") != c.labels || flagsOf(f) != "" || string(h.Bytes()) != before {
			t.Errorf("%q: %+v, %q", c.in, f, h.Bytes())
		}
	}
}

// Whatever a header holds, labels are those of the configuration, each once, and it is not changed.
func FuzzReadLabels(f *testing.F) {
	f.Add([]byte("Sensitivity: Private\r\nX-Microsoft-Classification: =?x?b?AA?=\r\nX-Microsoft-ClassID: {\r\n"))
	f.Add([]byte("msip_labels: MSIP_Label_" + secretID + "_Enabled=true;\r\n MSIP_Label_" + secretID + "_SiteId=" + tenantID + "\r\nX-Any: x\r\n"))
	f.Add([]byte("msip_label_" + secretID + "_Enabled: true\r\nX-Application: payroll\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		h, _, err := entity.Read(bytes.NewReader(in), 1<<20)
		if err != nil {
			return
		}
		before := string(h.Bytes())
		names, words := policy.ReadLabels(h, labels())
		if len(names) > 4 || len(words) > 12 || string(h.Bytes()) != before {
			t.Errorf("%q %q", names, words)
		}
	})
}
