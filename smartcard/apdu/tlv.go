package apdu

import (
	"errors"
	"fmt"
)

// Bounds of data objects that are read.
const (
	MaxObjects = 1024 // in one call of Objects or Walk
	MaxDepth   = 10   // of objects within objects, in Walk
)

// ErrTLV is the error of octets that are no data objects, or too many.
var ErrTLV = errors.New("apdu: not a data object")

// Tag is the tag of a data object, its octets as one number: 0x5C, 0x7F49, 0x5FC105 (ISO 7816-4, 5.2.2.1).
type Tag uint32

// Constructed tells whether objects of the tag hold objects, as far as the tag says so.
func (t Tag) Constructed() bool {
	for t > 0xFF {
		t >>= 8
	}
	return t&0x20 != 0
}

// String is the tag in hexadecimal.
func (t Tag) String() string { return fmt.Sprintf("%02X", uint32(t)) }

// Object is one data object; Value is a part of what it was read from.
type Object struct {
	Tag   Tag
	Value []byte
}

// Read reads the first data object of b and returns what follows it. Octets 00 and FF before it are passed over: they mean nothing
// there (ISO 7816-4, 5.2.2). At the end of b it returns the zero Object and no error. Lengths may be longer than they need be
// (QUIRK: cards write them in a fixed form) but not indefinite.
func Read(b []byte) (o Object, rest []byte, err error) {
	for len(b) > 0 && (b[0] == 0x00 || b[0] == 0xFF) {
		b = b[1:]
	}
	if len(b) == 0 {
		return Object{}, nil, nil
	}
	tag, b, err := readTag(b)
	if err != nil {
		return Object{}, nil, err
	}
	n, b, err := readLength(b)
	if err != nil {
		return Object{}, nil, fmt.Errorf("%w (in %s)", err, tag)
	}
	if n > len(b) {
		return Object{}, nil, fmt.Errorf("%w: %s says %d octets, and %d are there", ErrTLV, tag, n, len(b))
	}
	return Object{Tag: tag, Value: b[:n:n]}, b[n:], nil
}

// readTag reads a tag of at most three octets, the longest that ISO 7816-4, 5.2.2.1 has.
func readTag(b []byte) (Tag, []byte, error) {
	tag := Tag(b[0])
	if b[0]&0x1F != 0x1F {
		return tag, b[1:], nil
	}
	for i := 1; i < len(b) && i < 3; i++ {
		tag = tag<<8 | Tag(b[i])
		if b[i]&0x80 == 0 {
			return tag, b[i+1:], nil
		}
	}
	return 0, nil, fmt.Errorf("%w: a tag without end", ErrTLV)
}

func readLength(b []byte) (int, []byte, error) {
	if len(b) == 0 {
		return 0, nil, fmt.Errorf("%w: no length", ErrTLV)
	}
	first, b := int(b[0]), b[1:]
	if first < 0x80 {
		return first, b, nil
	}
	octets := first & 0x7F
	if octets == 0 || octets > 3 || octets > len(b) {
		return 0, nil, fmt.Errorf("%w: a length that begins with %02X", ErrTLV, first)
	}
	n := 0
	for _, o := range b[:octets] {
		n = n<<8 | int(o)
	}
	return n, b[octets:], nil
}

// Objects reads all data objects of b, without looking into them.
func Objects(b []byte) ([]Object, error) {
	var all []Object
	for len(b) > 0 {
		o, rest, err := Read(b)
		if err != nil {
			return nil, err
		}
		if o.Tag == 0 {
			break
		}
		if len(all) == MaxObjects {
			return nil, fmt.Errorf("%w: more than %d of them", ErrTLV, MaxObjects)
		}
		all, b = append(all, o), rest
	}
	return all, nil
}

// Find is the value of the first object that the path leads to, from the outermost tag inwards; ok is false where there is none.
// It looks into objects that the path names whether or not their tag says that they hold objects, since cards write some that do not.
func Find(b []byte, path ...Tag) (value []byte, ok bool, err error) {
	for _, tag := range path {
		if value, ok, err = child(b, tag); err != nil || !ok {
			return nil, false, err
		}
		b = value
	}
	return value, ok, nil
}

func child(b []byte, tag Tag) ([]byte, bool, error) {
	for len(b) > 0 {
		o, rest, err := Read(b)
		if err != nil {
			return nil, false, err
		}
		if o.Tag == tag && tag != 0 {
			return o.Value, true, nil
		}
		b = rest
	}
	return nil, false, nil
}

// Walk calls visit for every object of b in order, depth 0 being the outermost, and looks into those whose tag says that they hold
// objects. An error of visit ends it and is returned. ErrTLV where there are more than MaxObjects or they lie deeper than MaxDepth.
func Walk(b []byte, visit func(depth int, o Object) error) error {
	left := MaxObjects
	return walk(b, 0, &left, visit)
}

func walk(b []byte, depth int, left *int, visit func(int, Object) error) error {
	for len(b) > 0 {
		o, rest, err := Read(b)
		if err != nil || o.Tag == 0 {
			return err
		}
		if depth > MaxDepth {
			return fmt.Errorf("%w: they lie deeper than %d in one another", ErrTLV, MaxDepth)
		}
		if *left--; *left < 0 {
			return fmt.Errorf("%w: more than %d of them", ErrTLV, MaxObjects)
		}
		if err := visit(depth, o); err != nil {
			return err
		}
		if o.Tag.Constructed() {
			if err := walk(o.Value, depth+1, left, visit); err != nil {
				return err
			}
		}
		b = rest
	}
	return nil
}

// Append appends one data object to b, whose value is the parts one after another, with the shortest length.
func Append(b []byte, tag Tag, parts ...[]byte) []byte {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	b = appendNumber(b, uint64(tag))
	if n >= 0x80 {
		octets := len(appendNumber(nil, uint64(n)))
		b = appendNumber(append(b, 0x80|byte(octets)), uint64(n))
	} else {
		b = append(b, byte(n))
	}
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// Encode is one data object, as Append writes it.
func Encode(tag Tag, parts ...[]byte) []byte { return Append(nil, tag, parts...) }

// appendNumber appends a number in as few octets as it takes, at least one.
func appendNumber(b []byte, n uint64) []byte {
	for shift := 56; shift >= 0; shift -= 8 {
		if v := n >> shift; v != 0 || shift == 0 {
			b = append(b, byte(v))
		}
	}
	return b
}
