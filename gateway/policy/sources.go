package policy

import "slices"

// sources tells of each key that somebody says where its value comes from. What the flags of the sender, or an earlier decision, made of a value goes before
// what it was; what a kind of message weakened, before what the rule says.
func (o *outcome) sources(layers []match) []Source {
	var out []Source
	for i := range settings {
		switch chain := o.chain(i, layers); {
		case len(chain) > 0:
			s := chain[0]
			s.Over = append(s.Over, chain[1:]...)
			out = append(out, o.after(i, s))
		case o.moves[i] != moves{}:
			out = append(out, o.after(i, Source{Key: settings[i].key, Mode: ModeDefault}))
		}
	}
	return out
}

// chain is all that is said of a key, what counts first.
func (o *outcome) chain(i int, layers []match) []Source {
	var first, enforced, defaults, demanded []Source
	for k := range layers {
		m := &layers[k]
		if !m.keys.has(i) || m.dry {
			continue
		}
		s, list := m.source(i), &defaults
		switch {
		case m.demand:
			s.Mode, list = ModeDemanded, &demanded
		case s.Mode == ModeEnforced:
			list = &enforced
		}
		if m.layer == o.from[i] {
			list = &first
		}
		*list = append(*list, s)
	}
	return slices.Concat(first, enforced, defaults, demanded)
}

// source says what a layer says of a key.
func (l *layer) source(i int) Source {
	key := settings[i].key
	s := Source{Key: key, Value: settings[i].text(l.Settings), By: l.by, Where: l.where(key), Mode: l.mode(i)}
	if l.weakened.has(i) {
		was := l.was.source(i)
		return Source{Key: key, Value: s.Value, By: ByKind, Mode: s.Mode, Over: []Source{was}}
	}
	return s
}

// after puts before a source what moved its value, and in place of a value that adds up the sum.
func (o *outcome) after(i int, s Source) Source {
	if settings[i].adds {
		s.Value = settings[i].text(&o.before)
	}
	for _, m := range [...]struct{ value, by string }{{o.moves[i].flag, ByFlag}, {o.moves[i].earlier, ByEarlier}} {
		if m.value == "" {
			continue
		}
		moved := Source{Key: s.Key, Value: m.value, By: m.by, Mode: s.Mode}
		if s.By != "" {
			over := s.Over
			s.Over = nil
			moved.Over = append([]Source{s}, over...)
		}
		s = moved
	}
	return s
}

// differs tells which values would be others, in an outcome in which the rules count that only tell.
func (o *outcome) differs(real *outcome) []Source {
	var out []Source
	for i := range settings {
		would, is := settings[i].text(&o.Settings), settings[i].text(&real.Settings)
		if o.from[i] == nil || would == is || settings[i].adds && sameSum(&settings[i], o.Settings, real.Settings) {
			continue
		}
		s := o.from[i].source(i)
		s.Value, s.Over = would, nil
		if real.from[i] != nil {
			now := real.from[i].source(i)
			now.Value, now.Over = is, nil
			s.Over = []Source{now}
		}
		out = append(out, s)
	}
	return out
}

// sameSum reports whether values that add up are the same, in whatever order.
func sameSum(s *setting, a, b Settings) bool {
	x, y := a, b
	return !s.raise(&x, &b) && !s.raise(&y, &a)
}
