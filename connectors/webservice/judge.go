package webservice

import (
	"slices"
	"strings"
)

// further tells whether there are more pages, and from where.
func (op *operation) further(body *node) (bool, string, error) {
	switch op.paging {
	case "none":
		return false, "", nil
	case "cursor":
		next, err := op.next.string(body)
		if len(next) > maxValue {
			err = answerError("a value is longer than %d bytes", maxValue)
		}
		return next != "", next, err
	}
	more, err := op.more.string(body)
	return more == "true" || more == "1", "", err
}

// optional is the value of a field; empty where there is none.
func (k *call) optional(at *node, name string) (string, error) {
	p := k.op.fields[name]
	if p == nil {
		return "", nil
	}
	s, err := p.string(at)
	if err == nil && len(s) > maxValue {
		err = answerError("a value is longer than %d bytes", maxValue)
	}
	return s, err
}

// field is the value of a field, which must be there.
func (k *call) field(at *node, name string) (string, error) {
	s, err := k.optional(at, name)
	if err == nil && (s == "" || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && name != "certificate" })) {
		err = answerError("it has no %s where the profile says (answer.%s)", name, name)
	}
	return s, err
}

// element is the one element that a field selects.
func (k *call) element(at *node, name string) (*node, error) {
	nodes, err := k.op.fields[name].nodes(at)
	if err == nil && len(nodes) != 1 {
		err = answerError("it has not one %s where the profile says (answer.%s)", name, name)
	}
	if err != nil {
		return nil, err
	}
	return nodes[0], nil
}

// judge finds out whether an answer is a refusal.
func (k *call) judge(a *answer, status int) error {
	p := k.client.options.Profile
	fault := a.body.element(p.soap, "Fault")
	for _, rule := range p.codes {
		if err := k.apply(rule, a.body, fault); err != nil {
			return err
		}
	}
	if fault != nil {
		e := k.fail(faultClass(fault, p.soap), nil, "the provider answers with a SOAP fault that the profile gives no class")
		e.Code = safeCode(faultCode(fault, p.soap), k.secrets...)
		return e
	}
	if status >= 300 {
		return k.fail(p.status(status, k.acts()), nil, statusReason(status))
	}
	nodes, err := k.op.root.nodes(a.body)
	if err == nil && len(nodes) == 0 {
		err = answerError("it does not hold what the profile says (answer.root)")
	}
	return err
}

// apply finds out whether a rule makes an answer a refusal.
func (k *call) apply(rule codeRule, body, fault *node) error {
	code, err := rule.at.string(body)
	if err != nil || code == "" || slices.Contains(rule.good, code) {
		return err
	}
	class, ok := rule.classes[code]
	if !ok {
		class = rule.other
	}
	if class == "" {
		class = faultClass(fault, k.client.options.Profile.soap)
	}
	e := k.fail(class, nil, "")
	e.Code = safeCode(code, k.secrets...)
	if rule.about != nil {
		if e.Addresses, err = k.concerned(rule.about, body); err != nil {
			return err
		}
	}
	return e
}

// concerned are the addresses of the call that a refusal names. Others are not repeated: whatever stands there is a stranger's text.
func (k *call) concerned(about *path, body *node) ([]string, error) {
	nodes, err := about.nodes(body)
	if err != nil {
		return nil, err
	}
	ours, _ := k.values["recipients"].([]string)
	var out []string
	for _, address := range ours {
		named := slices.ContainsFunc(nodes, func(n *node) bool { return strings.EqualFold(strings.TrimSpace(n.value()), address) })
		if named && !slices.Contains(out, address) {
			out = append(out, address)
		}
	}
	return out, nil
}

// faultCode is the local name of a fault's code (SOAP 1.1, 4.4; SOAP 1.2 part 1, 5.4.1).
func faultCode(fault *node, soap string) string {
	var at *node
	if soap == soap11 {
		at = fault.element("", "faultcode")
	} else if code := fault.element(soap12, "Code"); code != nil {
		at = code.element(soap12, "Value")
	}
	if at == nil {
		return ""
	}
	text := strings.TrimSpace(at.value())
	return text[strings.LastIndexByte(text, ':')+1:]
}

// faultClass is the class of a code that the profile does not know: what the sender did wrong is refused; of anything else nobody knows what was done before it.
func faultClass(fault *node, soap string) Class {
	if fault == nil {
		return InDoubt
	}
	code, _, _ := strings.Cut(faultCode(fault, soap), ".") // SOAP 1.1, 4.4.1: Client.Authentication
	switch code {
	case "Client", "Sender":
		return Rejected
	case "VersionMismatch", "MustUnderstand", "DataEncodingUnknown":
		return Unavailable // the profile does not fit; nothing was processed (SOAP 1.2 part 1, 2.6)
	}
	return InDoubt
}
