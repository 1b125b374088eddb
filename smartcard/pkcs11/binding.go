//go:build cgo

package pkcs11

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/miekg/pkcs11"
)

// Available tells whether this program was built with PKCS #11.
const Available = true

// load loads a module. It is never unloaded: modules leave threads and handlers behind.
func load(path string) (cryptoki, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrModule, err)
	}
	c := pkcs11.New(path)
	if c == nil {
		return nil, fmt.Errorf("%w: %s: it is no library for this machine, has no C_GetFunctionList, or a library that it needs is missing (ldd shows it)", ErrModule, path)
	}
	return binding{c, path}, nil
}

// binding is a module by github.com/miekg/pkcs11.
type binding struct {
	c    *pkcs11.Ctx
	path string
}

// failure names the call in an error of the binding.
func failure(call string, err error) error {
	if err == nil {
		return nil
	}
	code, ok := err.(pkcs11.Error)
	if !ok {
		return fmt.Errorf("%s: %w", call, err)
	}
	_, name, _ := strings.Cut(strings.TrimPrefix(code.Error(), "pkcs11: "), ": ")
	return &Error{Call: call, Code: uint(code), Text: name}
}

func (b binding) finalize() error { return failure("C_Finalize", b.c.Finalize()) }

func (b binding) slots(withToken bool) ([]uint, error) {
	s, err := b.c.GetSlotList(withToken)
	return s, failure("C_GetSlotList", err)
}

func (b binding) slot(slot uint) (string, bool, error) {
	i, err := b.c.GetSlotInfo(slot)
	return i.SlotDescription, i.Flags&pkcs11.CKF_TOKEN_PRESENT != 0, failure("C_GetSlotInfo", err)
}

func (b binding) token(slot uint) (tokenInfo, error) {
	i, err := b.c.GetTokenInfo(slot)
	return tokenInfo{label: i.Label, serial: i.SerialNumber, model: i.Model, flags: i.Flags, minPIN: i.MinPinLen, maxPIN: i.MaxPinLen},
		failure("C_GetTokenInfo", err)
}

func (b binding) mechanisms(slot uint) (map[uint]uint, error) {
	list, err := b.c.GetMechanismList(slot)
	if err != nil {
		return nil, failure("C_GetMechanismList", err)
	}
	all := map[uint]uint{}
	for _, m := range list {
		if !slices.Contains(ours, m.Mechanism) {
			continue
		}
		i, err := b.c.GetMechanismInfo(slot, []*pkcs11.Mechanism{m})
		if err != nil {
			return nil, failure("C_GetMechanismInfo", err)
		}
		all[m.Mechanism] = i.Flags
	}
	return all, nil
}

func (b binding) open(slot uint) (uint, error) {
	s, err := b.c.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION)
	return uint(s), failure("C_OpenSession", err)
}

func (b binding) close(session uint) error {
	return failure("C_CloseSession", b.c.CloseSession(pkcs11.SessionHandle(session)))
}

func (b binding) state(session uint) (uint, error) {
	i, err := b.c.GetSessionInfo(pkcs11.SessionHandle(session))
	return i.State, failure("C_GetSessionInfo", err)
}

func (b binding) login(session, user uint, pin []byte) error {
	return failure("C_Login", b.c.Login(pkcs11.SessionHandle(session), user, string(pin))) // the binding makes no PIN of an empty one
}

func (b binding) logout(session uint) error {
	return failure("C_Logout", b.c.Logout(pkcs11.SessionHandle(session)))
}

func (b binding) find(session uint, t template, most int) (found []uint, err error) {
	s := pkcs11.SessionHandle(session)
	if err := b.c.FindObjectsInit(s, attributes(t)); err != nil {
		return nil, failure("C_FindObjectsInit", err)
	}
	defer func() {
		if e := failure("C_FindObjectsFinal", b.c.FindObjectsFinal(s)); err == nil {
			err = e
		}
	}()
	for len(found) < most {
		some, _, err := b.c.FindObjects(s, min(64, most-len(found)))
		if err != nil {
			return nil, failure("C_FindObjects", err)
		}
		if len(some) == 0 {
			break
		}
		for _, o := range some {
			found = append(found, uint(o))
		}
	}
	return found, nil
}

func (b binding) attribute(session, object, kind uint) ([]byte, error) {
	a, err := b.c.GetAttributeValue(pkcs11.SessionHandle(session), pkcs11.ObjectHandle(object), []*pkcs11.Attribute{{Type: kind}})
	err = failure("C_GetAttributeValue", err)
	if is(err, pkcs11.CKR_ATTRIBUTE_TYPE_INVALID, pkcs11.CKR_ATTRIBUTE_SENSITIVE) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return a[0].Value, nil
}

func (b binding) sign(session, key uint, m mechanism, data []byte, between func() error) ([]byte, error) {
	s := pkcs11.SessionHandle(session)
	if err := b.c.SignInit(s, mechanisms(m), pkcs11.ObjectHandle(key)); err != nil {
		return nil, failure("C_SignInit", err)
	}
	if between != nil {
		if err := between(); err != nil {
			return nil, err
		}
	}
	signature, err := b.c.Sign(s, data)
	return signature, failure("C_Sign", err)
}

func (b binding) decrypt(session, key uint, m mechanism, data []byte, between func() error) ([]byte, error) {
	s := pkcs11.SessionHandle(session)
	if err := b.c.DecryptInit(s, mechanisms(m), pkcs11.ObjectHandle(key)); err != nil {
		return nil, failure("C_DecryptInit", err)
	}
	if between != nil {
		if err := between(); err != nil {
			return nil, err
		}
	}
	plain, err := b.c.Decrypt(s, data)
	return plain, failure("C_Decrypt", err)
}

func (b binding) agree(session, key uint, point []byte, size int) ([]byte, error) {
	s := pkcs11.SessionHandle(session)
	secret, err := b.c.DeriveKey(s, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_ECDH1_DERIVE, pkcs11.NewECDH1DeriveParams(pkcs11.CKD_NULL, nil, point))},
		pkcs11.ObjectHandle(key), attributes(template{
			{pkcs11.CKA_CLASS, uint(pkcs11.CKO_SECRET_KEY)}, {pkcs11.CKA_KEY_TYPE, uint(pkcs11.CKK_GENERIC_SECRET)}, {pkcs11.CKA_TOKEN, false},
			{pkcs11.CKA_SENSITIVE, false}, {pkcs11.CKA_EXTRACTABLE, true}, {pkcs11.CKA_VALUE_LEN, uint(size)},
		}))
	if err != nil {
		return nil, failure("C_DeriveKey", err)
	}
	value, err := b.attribute(session, uint(secret), pkcs11.CKA_VALUE)
	if e := failure("C_DestroyObject", b.c.DestroyObject(s, secret)); err == nil {
		err = e
	}
	return value, err
}

// attributes are those of the binding.
func attributes(t template) []*pkcs11.Attribute {
	var all []*pkcs11.Attribute
	for _, a := range t {
		all = append(all, pkcs11.NewAttribute(a.kind, a.value))
	}
	return all
}

// mechanisms is one in the terms of the binding.
func mechanisms(m mechanism) []*pkcs11.Mechanism {
	var parameter any
	switch m.kind {
	case pkcs11.CKM_RSA_PKCS_PSS:
		parameter = pkcs11.NewPSSParams(m.hash, m.mgf, m.salt)
	case pkcs11.CKM_RSA_PKCS_OAEP:
		parameter = pkcs11.NewOAEPParams(m.hash, m.mgf, pkcs11.CKZ_DATA_SPECIFIED, m.label)
	}
	return []*pkcs11.Mechanism{pkcs11.NewMechanism(m.kind, parameter)}
}
