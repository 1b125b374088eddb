package policy

import "math/bits"

// result is what layers come to, each key on its own.
type result struct {
	Settings
	from     [numKeys]*layer // nil: nobody says it
	enforced keySet
}

func (r *result) has(i int) bool { return r.from[i] != nil }

func (r *result) take(i int, l *layer) {
	settings[i].take(&r.Settings, l.Settings)
	r.from[i] = l
}

// raise takes a value where it is stronger, or adds it.
func (r *result) raise(i int, l *layer) {
	if settings[i].raise(&r.Settings, l.Settings) && !settings[i].adds {
		r.from[i] = l
	}
}

// resolve is the precedence. Layers come in the order of defaults: rules from top to bottom, then levels from the nearest to the farthest. Among enforced values the
// strongest counts, the first where none is stronger; where nothing is enforced, the first.
func resolve(layers []match, dry bool) (r result) {
	for i := range layers {
		if m := &layers[i]; m.enforces() != 0 && m.counts(dry) {
			r.enforce(m)
		}
	}
	r.enforced = r.said()
	open := ^r.enforced
	for i := range layers {
		if m := &layers[i]; m.keys&open != 0 && m.counts(dry) {
			each(m.keys&open, func(key int) { r.take(key, m.layer) })
			open &^= m.keys
		}
	}
	for i := range layers {
		if m := &layers[i]; m.demand && (dry || !m.dry) {
			each(m.keys, func(key int) { r.demand(key, m.layer) })
		}
	}
	return r
}

func (m *match) counts(dry bool) bool { return !m.demand && (dry || !m.dry) }

func (r *result) enforce(m *match) {
	each(m.enforces(), func(key int) {
		if r.has(key) {
			r.raise(key, m.layer)
		} else {
			r.take(key, m.layer)
		}
	})
}

func (r *result) demand(key int, l *layer) {
	if r.has(key) {
		r.raise(key, l)
	} else {
		r.take(key, l)
	}
}

func (r *result) said() (k keySet) {
	for i, l := range r.from {
		if l != nil {
			k |= 1 << i
		}
	}
	return k
}

// name is what decided on a key, as decisions have it.
func (r *result) name(i int) string {
	switch l := r.from[i]; {
	case l == nil:
		return ByDefault
	case l.weakened.has(i):
		return ByKind
	default:
		return l.name
	}
}

// each calls f for each key of a set.
func each(k keySet, f func(i int)) {
	for ; k != 0; k &= k - 1 {
		f(bits.TrailingZeros32(uint32(k)))
	}
}
