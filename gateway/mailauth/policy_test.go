package mailauth_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/mailauth"
)

// The results that policies are about.
var (
	client  = netip.MustParseAddr("192.0.2.7")
	spfPass = mailauth.SPF{Status: mailauth.Pass, Domain: "firma.example", Client: client}
	spfFail = mailauth.SPF{Status: mailauth.Fail, Domain: "firma.example", Client: client}
	spfSoft = mailauth.SPF{Status: mailauth.SoftFail, Domain: "firma.example", Client: client}
	spfTemp = mailauth.SPF{Status: mailauth.TempError, Domain: "firma.example", Client: client, Reason: "DNS does not answer"}
	spfPerm = mailauth.SPF{Status: mailauth.PermError, Domain: "firma.example", Client: client, Reason: "unknown field"}
	signed  = []mailauth.DKIM{{Status: mailauth.Fail, Reason: "x"}, {Status: mailauth.Pass, Domain: "other.example"}}
	broken  = []mailauth.DKIM{{Status: mailauth.Fail, Domain: "firma.example", Reason: "body hash did not verify"}}
	onTrial = []mailauth.DKIM{{Status: mailauth.Fail, Domain: "firma.example", Reason: "x", Testing: true}}
	keyless = []mailauth.DKIM{broken[0], {Status: mailauth.TempError, Domain: "firma.example", Reason: "DNS does not answer for the key"}}
	noDMARC = mailauth.DMARC{Status: mailauth.None, Domain: "firma.example"}
	confirm = mailauth.DMARC{Status: mailauth.Pass, Domain: "firma.example", Record: "firma.example", Policy: mailauth.Reject, Apply: mailauth.Nothing}
	refuted = mailauth.DMARC{Status: mailauth.Fail, Domain: "firma.example", Record: "firma.example", Policy: mailauth.Reject, Apply: mailauth.Reject}
	sampled = mailauth.DMARC{Status: mailauth.Fail, Domain: "firma.example", Record: "firma.example", Policy: mailauth.Reject, Apply: mailauth.Quarantine}
	asked0  = mailauth.DMARC{Status: mailauth.Fail, Domain: "firma.example", Record: "firma.example", Policy: mailauth.Nothing, Apply: mailauth.Nothing}
	unclear = mailauth.DMARC{Status: mailauth.TempError, Domain: "firma.example", Reason: "DNS does not answer for the policy"}
	badFrom = mailauth.DMARC{Status: mailauth.PermError, BadFrom: true, Reason: "the message has more than one From field"}
)

func TestDecide(t *testing.T) {
	none := mailauth.Policy{}
	all := func(d mailauth.Disposition) mailauth.Policy {
		return mailauth.Policy{
			SPFFail: d, SPFSoftFail: d, SPFTempError: d, SPFPermError: d, DKIMFail: d, DKIMTempError: d, DMARCFail: d, DMARCTempError: d, BadFrom: d,
		}
	}
	standard := mailauth.DefaultPolicy()
	type R = mailauth.Result
	for _, c := range []struct {
		policy mailauth.Policy
		result mailauth.Result
		want   string
	}{
		// The default.
		{standard, R{SPF: spfPass, DMARC: noDMARC}, "none"},
		{standard, R{SPF: spfFail, DMARC: noDMARC}, "mark spf"},
		{standard, R{SPF: spfSoft, DMARC: noDMARC}, "mark spf"},
		{standard, R{SPF: spfFail, DKIM: signed, DMARC: confirm}, "none"},
		{standard, R{SPF: spfTemp, DKIM: broken, DMARC: noDMARC}, "none"},
		{standard, R{SPF: spfFail, DKIM: broken, DMARC: refuted}, "reject dmarc 550 5.7.26"},
		{standard, R{SPF: spfPass, DKIM: broken, DMARC: refuted}, "reject dmarc 550 5.7.20"},
		{standard, R{SPF: spfPass, DKIM: signed, DMARC: refuted}, "reject dmarc 550 5.7.22"},
		{standard, R{SPF: spfFail, DMARC: sampled}, "quarantine dmarc"},
		{standard, R{SPF: spfPass, DMARC: asked0}, "mark dmarc"},
		{standard, R{SPF: spfPass, DMARC: unclear}, "temporary dmarc 451 4.4.3"},
		{standard, R{SPF: spfPass, DMARC: badFrom}, "reject from 550 5.7.1"},
		// Each rule by itself.
		{none, R{SPF: spfFail, DKIM: broken, DMARC: refuted}, "none"},
		{none, R{DMARC: badFrom}, "none"},
		{all(mailauth.Reject), R{SPF: spfFail, DMARC: noDMARC}, "reject spf 550 5.7.23"},
		{all(mailauth.Reject), R{SPF: spfSoft, DMARC: noDMARC}, "reject spf 550 5.7.23"},
		{all(mailauth.Reject), R{SPF: spfPerm, DMARC: noDMARC}, "reject spf 550 5.7.24"},
		{all(mailauth.Reject), R{SPF: spfTemp, DMARC: noDMARC}, "reject spf 550 5.7.24"},
		{all(mailauth.Defer), R{SPF: spfTemp, DMARC: noDMARC}, "temporary spf 451 4.7.24"},
		{all(mailauth.Defer), R{SPF: spfPerm, DMARC: noDMARC}, "temporary spf 451 4.7.24"},
		{all(mailauth.Defer), R{SPF: spfFail, DMARC: noDMARC}, "temporary spf 451 4.7.23"},
		{all(mailauth.Reject), R{SPF: spfPass, DKIM: broken, DMARC: noDMARC}, "reject dkim 550 5.7.20"},
		{all(mailauth.Defer), R{SPF: spfPass, DKIM: keyless, DMARC: noDMARC}, "temporary dkim 451 4.7.5"},
		{all(mailauth.Reject), R{SPF: spfPass, DKIM: signed, DMARC: noDMARC}, "none"},
		{all(mailauth.Reject), R{SPF: spfPass, DKIM: onTrial, DMARC: noDMARC}, "none"},
		{all(mailauth.Reject), R{SPF: spfPass, DMARC: noDMARC}, "none"},
		{all(mailauth.Defer), R{SPF: spfPass, DMARC: refuted}, "temporary dmarc 451 4.7.20"},
		{all(mailauth.Reject), R{SPF: spfPass, DMARC: unclear}, "reject dmarc 550 5.4.3"},
		{all(mailauth.Defer), R{SPF: spfPass, DMARC: badFrom}, "temporary from 451 4.7.1"},
		{all(mailauth.Quarantine), R{SPF: spfFail, DMARC: noDMARC}, "quarantine spf"},
		{all(mailauth.Reject), R{SPF: spfFail, DKIM: broken, DMARC: confirm}, "none"},
		// The hardest counts, and of equals the method that says most.
		{mailauth.Policy{SPFFail: mailauth.Reject, DMARCFail: mailauth.Mark}, R{SPF: spfFail, DMARC: refuted}, "reject spf 550 5.7.23"},
		{mailauth.Policy{SPFFail: mailauth.Defer, DMARCFail: mailauth.Quarantine}, R{SPF: spfFail, DMARC: refuted}, "temporary spf 451 4.7.23"},
		{mailauth.Policy{DKIMFail: mailauth.Quarantine, SPFFail: mailauth.Mark}, R{SPF: spfFail, DKIM: broken, DMARC: noDMARC}, "quarantine dkim"},
		{all(mailauth.Mark), R{SPF: spfFail, DKIM: broken, DMARC: refuted}, "mark dmarc"},
	} {
		a := c.policy.Decide(c.result)
		got := strings.TrimSpace(fmt.Sprint(a.Disposition, " ", a.Method))
		if a.Code != 0 {
			got += fmt.Sprint(" ", a.Code, " ", a.Enhanced)
		}
		if got != c.want {
			t.Errorf("%+v: %s, want %s", c.result, got, c.want)
		}
		if (a.Text == "") != (a.Disposition == mailauth.Nothing) || strings.Trim(a.Text, printable) != "" || len(a.Text) > 449 {
			t.Errorf("%s: text %q", got, a.Text)
		}
	}
}

var printable = func() string {
	var b strings.Builder
	for c := byte(' '); c <= '~'; c++ {
		b.WriteByte(c)
	}
	return b.String()
}()

func TestPolicyValidate(t *testing.T) {
	for _, p := range []mailauth.Policy{{}, mailauth.DefaultPolicy(), {DMARCFail: mailauth.Published, DKIMFail: mailauth.Quarantine}} {
		if err := p.Validate(); err != nil {
			t.Errorf("%+v: %v", p, err)
		}
	}
	for field, p := range map[string]mailauth.Policy{
		"SPFFail": {SPFFail: "drop"}, "BadFrom": {BadFrom: "Reject"}, "DMARCTempError": {DMARCTempError: mailauth.Published},
		"DMARCFail": {DMARCFail: "publish"}, "DKIMTempError": {DKIMTempError: "4"},
	} {
		if err := p.Validate(); !errors.Is(err, mailauth.ErrPolicy) || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func ExamplePolicy_Decide() {
	result := mailauth.Result{
		SPF: mailauth.SPF{Status: mailauth.Fail, Domain: "bank.example", Client: netip.MustParseAddr("192.0.2.7")},
		DMARC: mailauth.DMARC{
			Status: mailauth.Fail, Domain: "bank.example", Record: "bank.example", Policy: mailauth.Reject, Apply: mailauth.Reject,
		},
	}
	action := mailauth.DefaultPolicy().Decide(result)
	fmt.Println(action.Disposition, action.Method)
	fmt.Println(action.Code, action.Enhanced, action.Text)
	// Output:
	// reject dmarc
	// 550 5.7.26 neither SPF nor DKIM confirms that the message comes from bank.example, whose DMARC policy is reject
}
