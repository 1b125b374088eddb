package cardtest

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/siegel-mail/siegel/smartcard/apdu"
)

// insDirectory lists files and tells the version (class 80).
const insDirectory byte = 0xAA

// Files of a NetKey.
const (
	fileMF   uint16 = 0x3F00
	fileGDO  uint16 = 0x2F02 // the serial number
	filePIND uint16 = 0x5049 // describes PINs, a record each
	fileKEYD uint16 = 0x5349 // describes keys, a record each
	fileNKS  uint16 = 0xDF01
)

// nksAID names the NetKey application.
const nksAID = "d2760000030102"

// file is a file or a directory of the card.
type file struct {
	id       uint16
	name     []byte // of a directory: its AID
	parent   *file
	children []*file
	data     []byte          // of a transparent file
	records  func() [][]byte // of one with records
	dir      bool
}

// files is the file system of a NetKey.
func (c *TCOS) files(serial []byte) *file {
	nks := &file{id: fileNKS, name: unhex(nksAID), dir: true}
	for ref, der := range c.certificates {
		id, _ := certificateFile(ref)
		if !c.bare {
			der = apdu.Encode(0x30, unhex("0603550424"), der) // SEQUENCE { OBJECT IDENTIFIER 2.5.4.36, certificate }
		}
		nks.children = append(nks.children, &file{id: id, parent: nks, data: der})
	}
	nks.children = append(nks.children,
		&file{id: fileKEYD, parent: nks, records: c.keyRecords},
		&file{id: filePIND, parent: nks, records: func() [][]byte { return c.pinRecords(TCOSPIN1, TCOSPIN2) }})
	mf := &file{id: fileMF, dir: true}
	nks.parent = mf
	mf.children = []*file{nks,
		{id: fileGDO, parent: mf, data: apdu.Encode(0x5A, serial)},
		{id: filePIND, parent: mf, records: func() [][]byte { return c.pinRecords(TCOSGlobal, TCOSPUK) }}}
	slices.SortFunc(nks.children, func(a, b *file) int { return int(a.id) - int(b.id) })
	return mf
}

// keyRecords are those of EF 5349: A0 names the key, B6 says that it signs, B8 that it deciphers (as OpenSC reads them).
func (c *TCOS) keyRecords() [][]byte {
	var all [][]byte
	for _, ref := range []byte{KeySignature, KeyEncryption, KeyAuthentication, KeySecond} {
		k := c.keys[ref]
		if k == nil {
			continue
		}
		r := apdu.Encode(0xA0, apdu.Encode(0x83, []byte{ref}))
		if k.signs {
			r = apdu.Append(r, 0xB6)
		}
		if k.deciphers {
			r = apdu.Append(r, 0xB8)
		}
		all = append(all, r)
	}
	return all
}

// pinRecords are those of EF 5049: the reference and the tries that are left (as OpenSC reads them).
func (c *TCOS) pinRecords(refs ...byte) [][]byte {
	var all [][]byte
	for _, ref := range refs {
		all = append(all, apdu.Encode(0xA0, apdu.Encode(0x83, []byte{ref}), apdu.Encode(0x90, []byte{byte(c.pins[ref].left)})))
	}
	return all
}

// choose is SELECT (ISO 7816-4, 11.1.1).
func (c *TCOS) choose(a apdu.Command) ([]byte, apdu.Status) {
	f := c.find(a)
	if f == nil {
		return nil, apdu.NotFound
	}
	var template apdu.Tag
	switch a.P2 {
	case 0x00:
		template = 0x6F
	case 0x04:
		template = 0x62
	case 0x0C:
	default:
		return nil, apdu.BadP1P2
	}
	df, ef := f, (*file)(nil)
	if !f.dir {
		df, ef = f.parent, f
	}
	if df != c.df { // another directory: what was allowed in the old one is over
		for _, p := range c.pins {
			p.verified = p.verified && !p.local
		}
		c.env = environment{}
	}
	c.df, c.ef = df, ef
	if template == 0 {
		return nil, apdu.OK
	}
	return apdu.Encode(template, f.describe()), apdu.OK
}

// find is what SELECT means; nil where there is none.
func (c *TCOS) find(a apdu.Command) *file {
	switch a.P1 {
	case 0x00: // a number, anywhere near
		if len(a.Data) == 0 {
			return c.root
		}
		id := fid(a.Data)
		for _, f := range append([]*file{c.root, c.df, c.df.parent}, c.df.children...) {
			if f != nil && f.id == id {
				return f
			}
		}
	case 0x01, 0x02: // a directory, a file in the current one
		for _, f := range c.df.children {
			if f.id == fid(a.Data) && f.dir == (a.P1 == 1) {
				return f
			}
		}
	case 0x03:
		return c.df.parent
	case 0x04:
		for _, f := range c.root.children {
			if f.dir && len(a.Data) >= 5 && bytes.HasPrefix(f.name, a.Data) {
				return f
			}
		}
	case 0x08:
		return c.root.walk(a.Data)
	case 0x09:
		return c.df.walk(a.Data)
	}
	return nil
}

func fid(b []byte) uint16 {
	if len(b) != 2 {
		return 0
	}
	return binary.BigEndian.Uint16(b)
}

// walk follows a path of numbers.
func (f *file) walk(path []byte) *file {
	if len(path)%2 != 0 || len(path) == 0 {
		return nil
	}
	for ; len(path) > 0; path = path[2:] {
		i := slices.IndexFunc(f.children, func(child *file) bool { return child.id == fid(path[:2]) })
		if i < 0 {
			return nil
		}
		f = f.children[i]
	}
	return f
}

// describe is what SELECT says of a file (ISO 7816-4, table 10).
func (f *file) describe() []byte {
	id := binary.BigEndian.AppendUint16(nil, f.id)
	if f.dir {
		b := append(apdu.Encode(0x82, []byte{0x38}), apdu.Encode(0x83, id)...)
		if f.name != nil {
			b = apdu.Append(b, 0x84, f.name)
		}
		return b
	}
	kind, size := byte(0x01), len(f.data)
	if f.records != nil {
		kind = 0x04
		for _, r := range f.records() {
			size += len(r)
		}
	}
	return slices.Concat(apdu.Encode(0x80, binary.BigEndian.AppendUint16(nil, uint16(size))), apdu.Encode(0x82, []byte{kind}), apdu.Encode(0x83, id))
}

func (c *TCOS) readBinary(a apdu.Command) ([]byte, apdu.Status) {
	switch {
	case a.P1&0x80 != 0:
		return nil, apdu.BadP1P2 // no short file numbers
	case c.ef == nil:
		return nil, 0x6986
	case c.ef.records != nil:
		return nil, 0x6981
	}
	offset := int(a.P1)<<8 | int(a.P2)
	if offset >= len(c.ef.data) {
		return nil, apdu.BadOffset
	}
	rest := c.ef.data[offset:]
	if a.Ne <= len(rest) {
		return rest[:a.Ne], apdu.OK
	}
	if a.Ne >= apdu.MaxShortAnswer { // all there is was asked for
		return rest, apdu.OK
	}
	return rest, apdu.EndOfFile
}

func (c *TCOS) readRecord(a apdu.Command) ([]byte, apdu.Status) {
	switch {
	case a.P2 != 0x04:
		return nil, apdu.BadP1P2
	case c.ef == nil:
		return nil, 0x6986
	case c.ef.records == nil:
		return nil, 0x6981
	}
	records := c.ef.records()
	if a.P1 == 0 || int(a.P1) > len(records) {
		return nil, apdu.NoRecord
	}
	return records[a.P1-1], apdu.OK
}

// list tells the numbers of directories (P1 01) and files (02) of the current one, and of the card's system (06).
func (c *TCOS) list(a apdu.Command) ([]byte, apdu.Status) {
	if a.P1 == 0x06 {
		return []byte{0x04, 0x11, 0x03, 0x01, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0}, apdu.OK
	}
	if a.P1 != 1 && a.P1 != 2 {
		return nil, apdu.BadP1P2
	}
	var all []byte
	for _, f := range c.df.children {
		if f.dir == (a.P1 == 1) {
			all = binary.BigEndian.AppendUint16(all, f.id)
		}
	}
	if all == nil {
		return nil, apdu.NotFound
	}
	return all, apdu.OK
}
